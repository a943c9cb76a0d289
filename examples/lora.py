"""A small transformer, adapted to private sequences by LoRA: two thin matrices beside each attention weight are trained, all else is frozen.

    pip install transformers peft
    python examples/lora.py            # about two minutes on two cores
    python examples/lora.py --quick    # fewer and shorter steps: to see it run

Nothing is downloaded: the transformer starts at random, and its file stands for one you would bring. The sequences are made up: a
record's label says which half of the vocabulary most of its tokens are from.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from tacit import Ledger, make_private
from tacit.train import export, fit, load_exported, load_public_weights

VOCABULARY, LENGTH, EPSILON, DELTA = 60, 24, 8.0, 1e-6


def records(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return token numbers of shape (count, LENGTH) and labels of shape (count,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count,), generator=generator)
    own_half = torch.rand(count, LENGTH, generator=generator) < 0.9
    upper = torch.where(own_half, labels[:, None], 1 - labels[:, None])
    return torch.randint(0, VOCABULARY // 2, (count, LENGTH), generator=generator) + upper * VOCABULARY // 2, labels


def transformer() -> nn.Module:
    torch.manual_seed(0)
    size = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    # dropout is off: noise regularizes already
    rest = {"max_position_embeddings": LENGTH, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return BertForSequenceClassification(BertConfig(vocab_size=VOCABULARY, num_labels=2, **size, **rest))


def losses(model: nn.Module, tokens: Tensor, labels: Tensor) -> Tensor:
    """Return one loss a record, shape (B,)."""
    return nn.functional.cross_entropy(model(input_ids=tokens).logits, labels, reduction="none")


@torch.no_grad()
def accuracy(model: nn.Module, tokens: Tensor, labels: Tensor) -> float:
    return float((model.eval()(input_ids=tokens).logits.argmax(dim=1) == labels).float().mean())


def main(quick: bool = False) -> float:
    """Return the adapted model's accuracy on sequences that no training saw."""
    tokens, labels = records(4_000 if quick else 8_000, seed=1)
    fresh = records(1_000, seed=2)
    with tempfile.TemporaryDirectory() as here, Ledger.open(Path(here) / "ledger.sqlite") as ledger:
        # --- The weights file you bring -------------------------------------------------------------------------
        file = Path(here) / "public.safetensors"
        save_file(transformer().state_dict(), file)
        base = transformer()
        pretraining = load_public_weights(base, file, source="random numbers; no data at all")

        # --- Adapters, and the private training -----------------------------------------------------------------
        torch.manual_seed(1)
        settings = LoraConfig(r=8, lora_alpha=32, target_modules=["query", "value"], modules_to_save=["classifier"])
        model = get_peft_model(base, settings)
        trained = [one for one in model.parameters() if one.requires_grad]
        ledger.grant("sequences", epsilon=EPSILON, delta=DELTA, note="an example")
        private = make_private(
            model, torch.optim.Adam(trained, lr=0.01), (tokens, labels),
            epsilon=EPSILON, delta=DELTA, clip_norm=1.0, batch_size=len(tokens) // 8, epochs=6 if quick else 12,
            ledger=ledger, budget="sequences", request_id="adapters",
        )  # fmt: skip
        print(private.plan)
        fit(private, losses, average=0.9, progress=True)

        # --- What may be released -------------------------------------------------------------------------------
        card = {"guarantee": private.plan.guarantee.to_json(), pretraining.name: pretraining.value}
        folder = export(model.merge_and_unload(), Path(here) / "model", card=card)
        released = transformer()
        print(load_exported(released, folder))
        right = accuracy(released, *fresh)
        print(
            f"{right:.1%} of fresh sequences right, for {ledger.spent('sequences')}; {sum(one.numel() for one in trained):,} values trained"
        )
    return right


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="fewer and shorter steps")
    main(arguments.parse_args().quick)
