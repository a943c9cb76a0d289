"""Other libraries' models, adapters and trainers. What is absent is listed as not run; `make test-integrations`, which `make test-full`
begins with, has an environment with all of them, and there fails what is absent.
"""

import importlib.util
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from simple_training import Still, cross_entropy, plan, priced
from tacit.errors import ConfigError, MissingExtra
from tacit.noise.grid import clip_target
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.train.paying import Payment
from tacit.train.plan import Plan
from tacit.train.torch.engine import Engine
from tacit.train.torch.exporting import export, load_exported
from tacit.train.torch.loop import fit
from tacit.train.torch.private import PrivateTraining
from tacit.train.trainer import Checkpoints

CLIP_NORM, VOCABULARY, LENGTH, ROWS = 0.5, 50, 7, 5


def present(*names: str) -> pytest.MarkDecorator:
    """Skip where a library is absent, except under TACIT_REQUIRE=integrations: there the test fails at its import."""
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    required = "integrations" in os.environ.get("TACIT_REQUIRE", "").split(",")
    return pytest.mark.skipif(bool(absent) and not required, reason=f"not run: {', '.join(absent)}")


# other libraries' own warnings, of their own code
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


def tokens(rows: int = ROWS) -> Tensor:
    return torch.randint(3, VOCABULARY, (rows, LENGTH), generator=torch.Generator().manual_seed(3))


def next_token(model: nn.Module, ids: Tensor, _labels: Tensor) -> Tensor:
    """Return each sequence's mean loss: one value a row, not a token."""
    logits = model(input_ids=ids).logits[:, :-1]
    return cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).view(len(ids), -1).mean(dim=1)


def label(model: nn.Module, ids: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(model(input_ids=ids).logits, labels)


def gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    size: dict[str, Any] = {"n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
    return GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, use_cache=False, **size)).eval()  # no dropout


def llama() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    size: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=VOCABULARY, num_key_value_heads=1, max_position_embeddings=16, use_cache=False, **size)
    )


def bert() -> Any:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(1)
    size: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return BertForSequenceClassification(BertConfig(vocab_size=VOCABULARY, max_position_embeddings=16, **size)).eval()


def distilbert() -> Any:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    torch.manual_seed(1)
    size: dict[str, Any] = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 16}
    return DistilBertForSequenceClassification(DistilBertConfig(vocab_size=VOCABULARY, **size)).eval()


def adapted(model: nn.Module, *targets: str, **more: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(2)
    return get_peft_model(model, LoraConfig(r=2, target_modules=list(targets), **more)).eval()


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[..., Tensor]]] = {
    "gpt2": (gpt2, next_token),
    "llama": (llama, next_token),
    "bert": (bert, label),
    "distilbert": (distilbert, label),
    "lora-gpt2": (lambda: adapted(gpt2(), "c_attn", fan_in_fan_out=True), next_token),
    "lora-llama": (lambda: adapted(llama(), "q_proj", "v_proj"), next_token),
    "lora-bert": (lambda: adapted(bert(), "query", "value", modules_to_save=["classifier"]), label),
}


@present("transformers", "peft")
@pytest.mark.parametrize("name", MODELS)
def test_the_clipped_sum_of_a_transformer_is_that_of_one_example_at_a_time(name: str) -> None:
    model, losses = MODELS[name][0](), MODELS[name][1]
    ids, labels = tokens(), torch.arange(ROWS) % 2
    trained = [one for one in model.parameters() if one.requires_grad]
    engine = Engine(model, torch.optim.SGD(trained, lr=1.0), plan(ROWS, ROWS, clip_norm=CLIP_NORM), SeededSource(1))
    engine.start(torch.ones(ROWS, dtype=torch.bool))
    engine.accumulate(losses(model, ids, labels))
    sums = torch.cat([one.take().double().flatten() for one in engine._sums.values()])
    engine.detach()
    wanted = torch.zeros_like(sums)
    for row, one in zip(ids, labels, strict=True):
        gradients = torch.autograd.grad(
            losses(model, row[None], one[None]).sum(), trained, allow_unused=True, materialize_grads=True
        )
        flat = torch.cat([gradient.double().flatten() for gradient in gradients])
        wanted += flat * min(1.0, clip_target(CLIP_NORM) / float(flat.norm()))
    assert float((sums - wanted).norm() / wanted.norm()) < 1e-5


def training(ledger: Ledger, model: nn.Module, a_plan: Plan, **more: Any) -> PrivateTraining:
    trained = [one for one in model.parameters() if one.requires_grad]
    payment = Payment(ledger=ledger, budget="people", request_id=more.pop("name", "one"), purpose="test")
    tensors = more.pop("tensors", (tokens(40), torch.arange(40) % 2))
    return PrivateTraining(model, torch.optim.Adam(trained, lr=0.01), tensors, a_plan, pay=payment, source=Still(2), **more)


@present("transformers", "peft")
def test_C18_adapters_train_and_nothing_else_does_and_the_export_reloads_into_the_plain_model(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Every adapter's tensor moves, no frozen one does; merged and exported, the plain model answers the same."""
    model = adapted(gpt2(), "c_attn", fan_in_fan_out=True)
    before = {name: (one.detach().clone(), one.requires_grad) for name, one in model.named_parameters()}
    fit(training(ledger, model, plan(40, 20, steps=3)), next_token)
    for name, value in model.named_parameters():
        kept, trainable = before[name]
        assert torch.equal(value, kept) != trainable, name
    answers = model(input_ids=tokens()).logits
    merged = model.merge_and_unload()
    plain = gpt2()
    load_exported(plain, export(merged, tmp_path / "out", card={}))
    assert torch.allclose(plain(input_ids=tokens()).logits, answers, atol=1e-5)


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x)
        return found


def rows() -> tuple[Tensor, Tensor]:
    x = torch.rand(40, 3, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return x, (x[:, 0] > 0).long()


def of_rows(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(model(x), y)


def by_our_loop(ledger: Ledger, a_plan: Plan) -> list[Tensor]:
    model = Classifier()
    fit(training(ledger, model, a_plan, name="ours", tensors=rows()), of_rows)
    return [one.detach() for one in model.parameters()]


@present("lightning")
def test_lightning_trains_the_very_model_that_the_loop_trains(ledger: Ledger, tmp_path: Path) -> None:
    """Micro-batches of 8 rows, so that a step takes several; the same source gives the same weights, bit for bit."""
    import lightning

    from tacit.train.integrations.lightning import PrivateModule

    a_plan, model = priced(40, 20, steps=5, noise=4.0, every=5, spare=5), Classifier()
    kept = Checkpoints(path=tmp_path / "c", key=bytes(32))
    made = training(ledger, model, a_plan, tensors=rows(), checkpoints=kept)
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(max_epochs=1, enable_checkpointing=False, devices=1, **quiet)
    trainer.fit(PrivateModule(made, of_rows))
    assert made.step == 5
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), by_our_loop(ledger, a_plan), strict=True))
    assert kept.path.exists()
    assert not model._forward_hooks
    again = training(ledger, Classifier(), a_plan, name="two", tensors=rows())
    with pytest.raises(ConfigError, match="enable_checkpointing=False"):
        lightning.Trainer(max_epochs=1, default_root_dir=tmp_path, devices=1, **quiet).fit(PrivateModule(again, of_rows))
    assert ledger.find("two") is None, "refused before anything is charged"


@present("transformers", "accelerate")
def test_the_hugging_face_trainer_trains_the_very_model_that_the_loop_trains(ledger: Ledger, tmp_path: Path) -> None:
    from transformers import TrainingArguments

    from tacit.train.integrations.huggingface import PrivateTrainer

    a_plan, model = priced(40, 20, steps=5, noise=4.0), Classifier()
    made = training(ledger, model, a_plan, tensors=rows())
    settings: dict[str, Any] = {
        "output_dir": str(tmp_path), "save_strategy": "no", "max_grad_norm": 0, "report_to": [], "use_cpu": True,
        "lr_scheduler_type": "constant", "disable_tqdm": True, "logging_steps": 1,
    }  # fmt: skip
    trainer = PrivateTrainer(made, of_rows, TrainingArguments(**settings))
    trainer.train()
    assert made.step == 5
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), by_our_loop(ledger, a_plan), strict=True))
    assert {one["loss"] for one in trainer.state.log_history if "loss" in one} <= {0.0, "0", "0.0"}, (
        "no loss of private rows is logged"
    )
    for name, value in {"gradient_accumulation_steps": 2, "max_grad_norm": 1.0, "save_strategy": "steps"}.items():
        with pytest.raises(ConfigError, match=name):
            PrivateTrainer(made, of_rows, TrainingArguments(**(settings | {name: value})))


@pytest.mark.parametrize("name", ["lightning", "huggingface"])
def test_a_library_that_is_not_there_is_asked_for_by_name(name: str) -> None:
    package = {"lightning": "lightning", "huggingface": "transformers"}[name]
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"not run: without {package}")
    with pytest.raises(MissingExtra, match="pip install"):
        importlib.import_module(f"tacit.train.integrations.{name}")


@present("transformers", "peft")
def test_the_example_of_adapters_learns() -> None:
    """Chance is 50 %."""
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "lora.py"))
    assert example["main"](quick=True) > 0.6
