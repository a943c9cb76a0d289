"""The one loop: averages, augmentations, what is shown, interruptions; DP-Adam; what leaves and what comes in."""

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from simple_training import Still, cross_entropy, plan, priced
from tacit.errors import ConfigError, DataError, RunError
from tacit.models.finding import Basis
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.privacy.pricing import epsilon_of
from tacit.report import Edition, Randomness, Statement, StepSection
from tacit.report.document import document
from tacit.report.html import page
from tacit.train.clipping import AdaptiveClipping
from tacit.train.paying import Payment
from tacit.train.plan import Plan
from tacit.train.torch import display
from tacit.train.torch.adam import DPAdam
from tacit.train.torch.averaging import Average
from tacit.train.torch.exporting import export, load_exported, load_public_weights
from tacit.train.torch.loop import fit
from tacit.train.torch.private import PrivateTraining, make_private
from tacit.train.trainer import Network, Trainer

N = 40


def data(n: int = N) -> tuple[Tensor, Tensor]:
    rows = torch.rand(n, 3, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return rows, (rows[:, 0] > 0).long()


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def losses(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(model(x), y)


def private(
    ledger: Ledger, model: nn.Module, a_plan: Plan, *, optimizer: Any = None, name: str = "one", **more: Any
) -> PrivateTraining:
    chosen = torch.optim.SGD(model.parameters(), lr=0.5) if optimizer is None else optimizer
    payment = Payment(ledger=ledger, budget="people", request_id=name, purpose="test")
    tensors = more.pop("tensors", data())
    return PrivateTraining(model, chosen, tensors, a_plan, pay=payment, source=more.pop("source", Still(2)), **more)


def test_it_does_what_the_ordinary_loop_does(ledger: Ledger) -> None:
    a_plan = plan(N, 20, steps=5)
    one, other = network(), network()
    fit(private(ledger, one, a_plan), losses)
    by_hand = private(ledger, other, a_plan, name="two")
    for x, y in by_hand.batches():
        by_hand.backward(losses(other, x, y))
        by_hand.optimizer.step()
    for a, b in zip(one.parameters(), by_hand.finish().parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.grad is None


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
def test_the_average_is_the_weighted_mean_of_the_weights_after_each_step(ledger: Ledger, decay: float) -> None:
    """Against the sum written out: w_i counts decay^(t - i), and the weights before the first step not at all."""
    model, seen = network(), []

    def on_step(step: int, steps: int) -> None:
        assert steps == 6
        seen.append([one.detach().double().clone() for one in model.parameters()])

    fit(private(ledger, model, plan(N, 20, steps=6)), losses, average=decay, on_step=on_step)
    counts = [decay ** (len(seen) - 1 - i) for i in range(len(seen))]
    for number, parameter in enumerate(model.parameters()):
        mean = torch.stack([count * weights[number] for count, weights in zip(counts, seen, strict=True)]).sum(dim=0) / sum(
            counts
        )
        assert torch.allclose(parameter.double(), mean, rtol=0, atol=1e-6)
    for wrong in (1.0, -0.1, math.nan, True):
        with pytest.raises(ConfigError, match="decay"):
            Average(model, decay=wrong)


def test_copies_of_a_row_are_altered_one_by_one_and_their_gradients_averaged_before_clipping(ledger: Ledger) -> None:
    """Against one row at a time: the mean of the gradients of its three copies, then clipped, summed over the rows."""
    clip, copies = 0.3, 3
    model, start = network(), network()
    x, y = data(6)

    def augment(rows: Tensor) -> Tensor:
        assert len(rows) % copies == 0
        return rows * torch.tensor([1.0, 0.5, -1.0]).repeat(len(rows) // copies)[:, None]

    made = private(
        ledger, model, plan(6, 6, steps=1, clip_norm=clip), tensors=(x, y), augmentations=copies,
        optimizer=torch.optim.SGD(model.parameters(), lr=6.0),
    )  # fmt: skip
    fit(made, losses, augment=augment)
    wanted = [torch.zeros_like(one) for one in start.parameters()]
    for row, label in zip(x, y, strict=True):
        seen = row * torch.tensor([[1.0], [0.5], [-1.0]])
        gradients = torch.autograd.grad(cross_entropy(start(seen), label.repeat(3)).mean(), list(start.parameters()))
        length = torch.cat([one.flatten() for one in gradients]).norm()
        for total, gradient in zip(wanted, gradients, strict=True):
            total += gradient * min(1.0, clip / float(length))
    for parameter, begun, total in zip(model.parameters(), start.parameters(), wanted, strict=True):
        assert torch.allclose(begun - parameter, total, atol=2**-8 * clip * 6)


def test_an_interruption_keeps_the_last_paid_weights_and_a_true_ledger(ledger: Ledger) -> None:
    model, seen = network(), []
    a_plan = priced(N, 20, steps=9, noise=4.0, every=3)
    made = private(ledger, model, a_plan)

    def on_step(step: int, _steps: int) -> None:
        seen.append([one.detach().clone() for one in model.parameters()])
        if step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(made, losses, on_step=on_step)
    assert made.step == 4
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), seen[3], strict=True))
    assert not model._forward_hooks
    assert ledger.spent("people").epsilon == pytest.approx(a_plan.guarantee.epsilon, abs=1e-8)
    assert max(one.claimed or 0 for one in ledger.entries()) == 6, "two windows of three: never less than the four steps taken"


def test_an_interrupted_trainer_hands_out_what_it_has(ledger: Ledger) -> None:
    def on_step(step: int, _steps: int) -> None:
        if step == 3:
            raise KeyboardInterrupt

    trainer = Trainer(plan=priced(N, 20, steps=9, noise=4.0), network=Network())
    x, y = data()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(x.double().numpy(), y.numpy(), ["a", "b"], ledger=ledger, budget="people", request_id="one", on_step=on_step)
    assert trainer.steps_run == 3
    assert trainer.trained is not None
    assert np.abs(trainer.trained.weights[0]).max() > 0


def test_too_little_memory_names_the_smaller_micro_batch(ledger: Ledger) -> None:
    def too_much(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(RunError, match="max_physical_batch=") as refusal:
        fit(private(ledger, network(), plan(N, 20)), too_much)
    assert "memory" in str(refusal.value)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What would be on the error stream of a terminal."""
    import rich.console

    shown = io.StringIO()
    console = rich.console.Console
    monkeypatch.setattr(rich.console, "Console", lambda **_: console(file=shown, force_terminal=True, width=200))
    return shown


def test_the_bar_shows_the_reserved_epsilon_and_that_of_the_steps_so_far_and_no_loss(ledger: Ledger, screen: io.StringIO) -> None:
    a_plan = priced(N, 20, steps=6, noise=4.0, every=3, spare=6)
    fit(private(ledger, network(), a_plan), losses, progress=True)
    event: Any = a_plan.block.event
    so_far = epsilon_of(event, steps=6, delta=a_plan.guarantee.delta, draws=a_plan.draws)
    assert so_far < a_plan.guarantee.epsilon
    assert f"epsilon {so_far:.3g} of {a_plan.guarantee.epsilon:.3g} paid" in screen.getvalue()
    assert "6/6" in screen.getvalue()
    assert "loss" not in screen.getvalue()
    assert not ledger.not_dp("people")


def test_C17_a_loss_of_private_rows_is_shown_only_when_asked_for_by_name_and_stands_in_the_ledger(
    ledger: Ledger, screen: io.StringIO
) -> None:
    """The mean is that of the real rows; padding and losses that are not finite have no part in it."""
    model, x, y = network(), *data(16)
    before = float(losses(model, x, y).mean().detach())
    made = private(ledger, model, priced(16, 16, steps=1, noise=4.0), tensors=(x, y))
    fit(made, losses, progress=True, show_loss_of_private_rows=True)
    assert f"loss {before:.4g} (private)" in screen.getvalue()
    assert "for this screen alone, not for release" in screen.getvalue()
    (entry,) = ledger.not_dp("people")
    assert "loss of private batches" in entry.content["what"]


def test_only_steps_that_have_a_price_of_their_own_are_shown_with_one() -> None:
    a_plan = Plan.solve(epsilon=3.0, delta=1e-5, n=400, batch_size=40, epochs=1, clip_norm=1.0, parameters=9, sampling="shuffle")
    assert display.cost(a_plan, 3) == f"epsilon {a_plan.guarantee.epsilon:.3g} paid"


@pytest.mark.parametrize("shows_loss", [False, True])
def test_a_terminal_of_80_columns_shows_the_whole_line(shows_loss: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with steps of six digits, once the price so far stands in it."""
    import rich.console

    shown, console = io.StringIO(), rich.console.Console
    monkeypatch.setattr(rich.console, "Console", lambda **_: console(file=shown, force_terminal=True, width=80))
    monkeypatch.setattr(display, "_PAUSE", 0.0)
    with display.Display(priced(400_000, 4, steps=100_000, noise=4.0), shows_loss=shows_loss) as bar:
        bar.seen(torch.tensor([12_345_678.0]), torch.tensor([True]))
        bar.stepped(99_999, counted=99_999)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue()).replace("\r", "\n")
    lines = [line.rstrip() for line in plain.splitlines() if "99999/100000" in line]
    assert lines
    assert "steps, epsilon 0.00213 of 0.00213 paid" in lines[-1]
    for line in lines:
        assert line.endswith("left")
        assert len(line) <= 80
        assert "\N{HORIZONTAL ELLIPSIS}" not in line
    assert ("loss 1.235e+07" in lines[-1]) == shows_loss


def test_C16_the_second_moment_of_pure_noise_is_that_of_the_noise_and_is_taken_off(ledger: Ledger) -> None:
    """E[v] on zero gradients is (noise multiplier * clip norm / batch)^2.

    The mean of 40,000 squares has relative deviation sqrt(2 / 40000) = 0.0071, corrected v of a first step: at 5% that is 7 of them, and a
    chi-square's tail there is below 1e-10. A noise 10% off would be 21% off in v.
    """
    a_plan = plan(40, 20, steps=1, noise=1.5, clip_norm=2.0)
    model = nn.Linear(200, 200, bias=False)
    optimizer = DPAdam(model.parameters(), plan=a_plan, lr=1e-3)
    made = private(ledger, model, a_plan, optimizer=optimizer, tensors=(torch.zeros(40, 200),), source=SeededSource(2))
    fit(made, lambda model, x: model(x).sum(dim=1))
    state = optimizer.state[model.weight]
    measured = float((state["square"] / (1 - 0.999)).mean())
    assert optimizer.noise_variance == pytest.approx((1.5 * 2.0 / 20) ** 2)
    assert measured == pytest.approx(optimizer.noise_variance, rel=0.05)


def test_C16_dp_adam_moves_as_its_formula_says() -> None:
    """Against the formula in Python's own floats; with next to no noise it is Adam, and its floor holds where v falls below the noise."""
    for clip, floor in ((1.0, 0.1), (1.0, 0.5), (1e-9, 0.1)):
        a_plan = plan(40, 20, noise=2.0, clip_norm=clip)
        variance = (2.0 * clip / 20) ** 2
        weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
        optimizer = DPAdam([weight], plan=a_plan, lr=0.01, betas=(0.8, 0.9), floor=floor, weight_decay=0.1)
        twin = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
        adam = torch.optim.AdamW([twin], lr=0.01, betas=(0.8, 0.9), weight_decay=0.1)
        w, m, v = 1.0, 0.0, 0.0
        for t, gradient in enumerate((0.3, -0.2, 0.01, 0.4, 0.0, 0.0, 0.0, 0.0), 1):
            m, v = 0.8 * m + 0.2 * gradient, 0.9 * v + 0.1 * gradient**2
            second = max(v / (1 - 0.9**t) - variance, floor * variance)
            w = w * (1 - 0.01 * 0.1) - 0.01 * (m / (1 - 0.8**t)) / (math.sqrt(second) + 1e-8)
            weight.grad = twin.grad = torch.tensor([gradient], dtype=torch.float64)
            optimizer.step()
            adam.step()
            assert float(weight.detach()) == pytest.approx(w, rel=1e-12)
        if clip < 1e-6:
            assert float(weight.detach()) == pytest.approx(float(twin.detach()), rel=1e-6)


def test_C16_dp_adam_reaches_the_minimum_and_refuses_noise_that_is_not_one_number() -> None:
    """A quadratic under noise ten times its gradient: Adam's steps are as much shorter, the corrected ones are not. Both are seeded."""
    a_plan = plan(40, 20, noise=20.0)
    generator = torch.Generator().manual_seed(1)

    def distance(made: Any) -> float:
        weight = nn.Parameter(torch.full((500,), 2.0))
        optimizer = made([weight])
        for _ in range(300):
            weight.grad = 0.05 * weight.detach() + torch.randn(500, generator=generator)
            optimizer.step()
        return float(weight.detach().abs().mean())

    corrected = distance(lambda p: DPAdam(p, plan=a_plan, lr=0.02, betas=(0.9, 0.99)))
    plain = distance(lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.9, 0.99)))
    assert corrected < 1.2 < plain, "0.95 and 1.51 with this seed"
    adaptive = plan(40, 20, noise=20.0)
    object.__setattr__(adaptive, "clipping", AdaptiveClipping(clip_norm=1.0, quantile=0.5, learning_rate=0.2))
    tree = Plan.solve(epsilon=3.0, delta=1e-5, n=400, batch_size=40, epochs=1, clip_norm=1.0, parameters=9, mechanism="tree")
    for wrong in (adaptive, tree):
        with pytest.raises(ConfigError, match="differs from step to step"):
            DPAdam([nn.Parameter(torch.ones(1))], plan=wrong)
    for setting in ({"lr": 0.0}, {"betas": (0.9, 1.0)}, {"floor": 0.0}, {"eps": -1.0}, {"weight_decay": -1.0}, {"lr": math.inf}):
        with pytest.raises(ConfigError, match="out of range"):
            DPAdam([nn.Parameter(torch.ones(1))], plan=a_plan, **setting)


OPTIMIZERS: dict[str, Any] = {
    "foreach": lambda p: torch.optim.Adam(p, lr=0.01, foreach=True),
    "fused": lambda p: torch.optim.Adam(p, lr=0.01, fused=True),
    "fused-sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, fused=True),
    "capturable": lambda p: torch.optim.RMSprop(p, lr=0.01, foreach=False),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_way_torch_runs_an_optimizer_gives_the_same_model(ledger: Ledger, name: str) -> None:
    """foreach and fused are the same arithmetic up to rounding."""
    a_plan = plan(N, 20, steps=4)
    model, twin = network(), network()
    fast = OPTIMIZERS[name](model.parameters())
    slow = type(fast)(
        twin.parameters(), **{**{k: v for k, v in fast.defaults.items() if k in ("lr", "momentum")}, "foreach": False}
    )
    fit(private(ledger, model, a_plan, optimizer=fast), losses)
    fit(private(ledger, twin, a_plan, optimizer=slow, name="two"), losses)
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_a_closure_that_asks_for_a_second_gradient_is_refused(ledger: Ledger) -> None:
    """optimizer.step(closure) runs the closure: one that calls the model again would use one batch twice."""
    model = network()
    made = private(ledger, model, plan(N, 20, steps=2))
    x, y = next(batches := made.batches())
    made.backward(losses(model, x, y))

    def again() -> float:
        made.backward(losses(model, x, y))
        return 0.0

    with pytest.raises(Exception, match="outside a batch"):
        made.optimizer.step(again)
    batches.close()
    harmless: list[int] = []

    def count() -> float:
        harmless.append(1)
        return 0.0

    other = network()
    second = private(ledger, other, plan(N, 20, steps=1), name="two")
    for x, y in second.batches():
        second.backward(losses(other, x, y))
        second.optimizer.step(count)
    assert harmless


class Frozen(nn.Module):
    """A frozen layer, a tied one, a buffer and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.base, self.again, self.head = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2)
        self.again.weight = self.base.weight
        self.base.bias.requires_grad_(False)
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 3.0]))
        self.scale: Tensor

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.again(torch.tanh(self.base(x * self.scale))))
        return nn.functional.linear(hidden, self.head.weight, self.head.bias)


def test_C18_every_trainable_tensor_changes_no_frozen_one_does_and_the_export_reloads(ledger: Ledger, tmp_path: Path) -> None:
    model = Frozen()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    trained = fit(private(ledger, model, plan(N, 20, steps=3)), losses)
    after = model.state_dict()
    for name, value in after.items():
        assert torch.equal(value, before[name]) == (name in ("base.bias", "scale")), name
    folder = export(trained, tmp_path / "out", card={"guarantee": {"epsilon": 1.0}})
    assert {one.name for one in folder.iterdir()} == {"weights.safetensors", "model.json"}
    assert "again.weight" not in load_file(folder / "weights.safetensors"), "tied weights are written once"
    plain = Frozen()
    assert load_exported(plain, folder) == {"guarantee": {"epsilon": 1.0}}
    assert plain.again.weight is plain.base.weight
    for name, value in plain.state_dict().items():
        assert torch.equal(value, after[name])
    x, _ = data()
    assert torch.equal(plain(x), trained(x))


def test_what_is_exported_or_given_and_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = network()
    folder = export(model, tmp_path / "out", card={})
    with pytest.raises(ConfigError, match="never overwritten"):
        export(model, folder, card={})
    with pytest.raises(ConfigError, match="plain JSON"):
        export(model, tmp_path / "other", card={"a": math.nan})
    assert not (tmp_path / "other").exists()
    other = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
    kept = [one.detach().clone() for one in other.parameters()]
    with pytest.raises(DataError, match="another shape"):
        load_exported(other, folder)
    assert all(torch.equal(a, b) for a, b in zip(kept, other.parameters(), strict=True))
    text = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(text | {"weights_sha256": "0" * 64}))
    with pytest.raises(DataError, match="not the file"):
        load_exported(model, folder)
    with pytest.raises(DataError, match="what `export` writes"):
        load_exported(model, tmp_path)


def test_public_weights_start_a_fine_tuning_and_the_report_says_where_they_came_from(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    pretrained, model = network(), network()
    with torch.no_grad():
        for one in pretrained.parameters():
            one.add_(1.0)
    save_file({name: one for name, one in pretrained.state_dict().items() if not name.startswith("2.")}, file)
    with pytest.raises(DataError, match="missing"):
        load_public_weights(model, file, source="made up, 2026")
    head = model.get_parameter("2.weight").detach().clone()
    finding = load_public_weights(model, file, source="made up, 2026", fresh=["2.*"])
    assert torch.equal(model.get_parameter("0.weight"), pretrained.get_parameter("0.weight"))
    assert torch.equal(model.get_parameter("2.weight"), head)
    assert (finding.name, finding.value, finding.basis) == ("public pretraining", "made up, 2026", Basis.PUBLIC)
    assert finding.details["started_anew"] == ["2.weight", "2.bias"]
    statement = Statement(
        title="t", dataset="d", rows=10, guarantees=(), ledgers=(), randomness=Randomness(name="os", private=True), verify_command="v",
        steps=(StepSection(name="train", findings=(finding,)),), created="2026-01-01T00:00:00+00:00", tacit_version="0",
    )  # fmt: skip
    for edition in Edition:
        read = page(statement, edition)
        assert "<dd>made up, 2026: no row of the private training was part of the pretraining, which is the user" in read
        assert re.search(r"<dt>Public pretraining.*?</dt>\s*<dd class=\"value\">made up, 2026</dd>", read, re.DOTALL), (
            "beside the training"
        )
        assert str(finding.details["sha256"]) in document(statement, edition), "anyone can look the very file up"
    with pytest.raises(ConfigError, match="source"):
        load_public_weights(model, file, source=" ")
    with pytest.raises(DataError, match="safetensors"):
        load_public_weights(model, Path(__file__), source="a file that is none")
    save_file({"elsewhere": torch.ones(1)}, file)
    with pytest.raises(DataError, match="unknown"):
        load_public_weights(model, file, source="made up", fresh=["*"])


def test_an_ordinary_loop_resumes_by_the_same_call(ledger: Ledger, tmp_path: Path) -> None:
    from tacit.train.trainer import Checkpoints

    def begun() -> PrivateTraining:
        model = network()
        return make_private(
            model, torch.optim.Adam(model.parameters(), lr=0.05), data(),
            epsilon=5.0, delta=1e-5, clip_norm=1.0, batch_size=20, epochs=6, ledger=ledger, budget="people", request_id="one",
            checkpoints=Checkpoints(path=tmp_path / "c", key=bytes(32)),
        )  # fmt: skip

    first = begun()
    for x, y in first.batches():
        first.backward(losses(first.model, x, y))
        first.optimizer.step()
        if first.step == 7:
            break
    spent = ledger.spent("people")
    second = begun()
    assert second.step == 6, "a checkpoint after every step, written when the next batch is asked for"
    fit(second, losses)
    assert second.step == second.plan.steps
    assert ledger.spent("people") == spent
