"""Where a guarantee could slip at the edges: broken-off steps, lower precision, parameters and tensors kept elsewhere, tiny numbers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from simple_training import claiming, cross_entropy, plan
from tacit.errors import ConfigError, PrivacyError
from tacit.noise.grid import clip_target
from tacit.noise.sensitivity import FLOAT32, sum_sensitivity
from tacit.noise.source import SeededSource, Zeros
from tacit.privacy.ledger import Ledger
from tacit.train.clipping import AutomaticClipping
from tacit.train.paying import Payment
from tacit.train.torch.clipping import clips
from tacit.train.torch.engine import Engine
from tacit.train.torch.sums import squared_lengths


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        opened.grant("people", epsilon=10.0, delta=1e-3)
        yield opened


def attached(model: nn.Module, clip_norm: float = 1.0) -> Engine:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Engine(model, optimizer, plan(100, 10, clip_norm=clip_norm), SeededSource(1))


def added(engine: Engine, losses: Callable[[], Tensor], rows: int) -> None:
    engine.start(torch.ones(rows, dtype=torch.bool))
    engine.accumulate(losses())


def length_of(engine: Engine) -> float:
    return float(torch.cat([one.double().flatten() for one in engine.without_noise().values()]).norm())


def test_what_a_broken_off_step_added_does_not_count_in_the_next() -> None:
    """Planted fault: without `abandon` the unit's part of the sum is twice the clip norm."""
    torch.manual_seed(0)
    model, x = nn.Linear(3, 2), 10 * torch.ones(1, 3)
    engine = attached(model)
    added(engine, lambda: model(x).square().sum(dim=1), 1)
    engine.abandon()
    added(engine, lambda: model(x).square().sum(dim=1), 1)
    assert length_of(engine) == pytest.approx(clip_target(1.0), rel=1e-3)


@pytest.mark.parametrize(
    "model", [nn.Linear(64, 33), nn.Sequential(nn.Conv1d(4, 8, 3), nn.Flatten())], ids=["linear", "convolution"]
)
def test_sums_stay_within_the_clip_norm_when_the_loop_asks_for_less_precision(model: nn.Module) -> None:
    """Autocast around the backward pass and bfloat16 products: norms and sums are formed in float32 all the same."""
    torch.manual_seed(0)
    x = 100 * (torch.randn(1, 64) if isinstance(model, nn.Linear) else torch.randn(1, 4, 20))
    engine = attached(model)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        losses = model(x).square().sum(dim=1)
        engine.start(torch.ones(1, dtype=torch.bool))
        losses = model(x).square().sum(dim=1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            engine.accumulate(losses)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert length_of(engine) <= clip_target(1.0) * (1 + 2.0**-12)


def test_a_trainable_parameter_that_the_model_does_not_hold_is_refused() -> None:
    model, temperature = nn.Linear(3, 2), nn.Parameter(torch.ones(()))
    engine = attached(model)
    with pytest.raises(PrivacyError, match="does not hold"):
        added(engine, lambda: cross_entropy(model(torch.ones(4, 3)) * temperature, torch.zeros(4, dtype=torch.long)), 4)


def test_an_optimizer_that_got_other_parameters_is_refused() -> None:
    model = nn.Linear(3, 2)
    engine = attached(model)
    engine._optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))]})
    with pytest.raises(PrivacyError, match="optimizer's parameters changed"):
        added(engine, lambda: cross_entropy(model(torch.ones(4, 3)), torch.zeros(4, dtype=torch.long)), 4)


class Keeping(nn.Module):
    """Keeps something of its batch: in a buffer, by a hook that runs in backward; or in a list."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.layer, self.where, self.seen = nn.Linear(3, 2), where, list[Tensor]()
        self.average = nn.Buffer(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        if self.where == "list":
            self.seen.append(x.detach().mean(dim=0))
        elif out.requires_grad:
            out.register_hook(self._keep)
        return out

    def _keep(self, gradient: Tensor) -> None:
        self.average.add_(gradient.mean(dim=0))


@pytest.mark.parametrize("where", ["list", "hook"])
def test_a_tensor_kept_in_a_list_or_by_a_hook_is_noticed(where: str) -> None:
    model = Keeping(where)
    with pytest.raises(PrivacyError, match="changed while it ran"):
        added(attached(model), lambda: cross_entropy(model(torch.ones(4, 3)), torch.zeros(4, dtype=torch.long)), 4)


@pytest.mark.parametrize("tiny", [1e-20, 1e-30, 1e-40])
def test_a_length_is_never_measured_too_short_by_underflow(tiny: float) -> None:
    """Squares under 2^-126 vanish in float32; what they could have been is added, so a product with a huge length is not lost."""
    rows = torch.full((1, 2000), tiny)
    assert float(squared_lengths(rows)) >= float(rows.double().square().sum())


def test_factors_are_never_rounded_up_among_the_smallest_floats() -> None:
    lengths = torch.tensor([1e40, 1e44, 1e50], dtype=torch.float64)
    found, _ = clips(plan(100, 10).clipping_rule, 1.0, {"w": lengths.square()}, torch.ones(3, dtype=torch.bool), ["w"])
    assert (found["w"].factors.double() * lengths <= 1.0).all()


def test_normalizing_a_gradient_of_zero_stays_finite() -> None:
    clipping = AutomaticClipping(clip_norm=1.0, gamma=1e-42)
    found, _ = clips(clipping, 1.0, {"w": torch.zeros(1, dtype=torch.float64)}, torch.ones(1, dtype=torch.bool), ["w"])
    assert torch.isfinite(found["w"].factors).all()


def test_a_plan_that_claims_less_than_it_costs_is_not_reserved(ledger: Ledger) -> None:
    cheap = claiming(plan(50, 10, steps=3, noise=1.0), 0.1)
    payment = Payment(ledger=ledger, budget="people", request_id="cheap", purpose="test")
    with pytest.raises(ConfigError, match="claims epsilon"):
        payment.reserve(cheap)
    assert ledger.spent("people").epsilon == 0


def test_small_blocks_count_as_additions_in_float64() -> None:
    """Blocks of one: 4 million contributions are 500,000 groups of eight, not 8,000 full ones."""
    arguments = {"clip_norm": 1.0, "dimension": 10, "contributions": 4_000_000, "block": 64, "group": 8, "roundoff": FLOAT32}
    assert sum_sensitivity(**arguments).total <= 1.0  # type: ignore[arg-type]
    with pytest.raises(PrivacyError):
        sum_sensitivity(**arguments, smallest_block=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "edit", [lambda o: o.sub_(o.mean(0)), lambda o: o.__setitem__(slice(None), o - o.mean(0))], ids=["sub_", "set"]
)
def test_an_output_that_is_edited_before_the_loss_is_refused(edit: Callable[[torch.Tensor], object]) -> None:
    """The probe of the loss would begin behind what was edited, where rows have met already."""
    model = nn.Linear(4, 3)
    engine = Engine(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(8, 8, steps=2), Zeros())
    engine.start(torch.ones(8, dtype=torch.bool))
    output = model(torch.randn(8, 4))
    edit(output)
    with pytest.raises(PrivacyError, match="edited in place"):
        engine.accumulate(output.square().sum(dim=1))


class Lending(nn.Module):
    """Lends its batch's mean to the loss through a buffer, and puts the old tensor back in the backward pass, before anybody looks."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.lends = nn.Linear(5, 3), False
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        if self.lends:
            before, self.mean = self.mean, out.detach().mean(dim=0)
            out.register_hook(lambda _: setattr(self, "mean", before))
        return out


def test_a_buffer_that_is_put_back_in_the_backward_pass_is_seen() -> None:
    """Seen before it. Planted fault: look after the backward pass alone, and one row moves the sum by 40 clip norms."""
    torch.manual_seed(0)
    model, x = Lending(), torch.randn(64, 5)
    engine = attached(model)
    added(engine, lambda: (model(x) - model.mean).square().sum(dim=1), 64)
    model.lends = True
    with pytest.raises(PrivacyError, match="mean"):
        added(engine, lambda: (model(x) - model.mean).square().sum(dim=1), 64)


class Making(nn.Module):
    """Makes an identity under no_grad in a part that checkpointing repeats, and puts it through a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        def part(y: Tensor) -> Tensor:
            with torch.no_grad():
                identity = torch.eye(3)
            return torch.tanh(torch.einsum("bi,ij->bj", y, self.layer(identity)))

        out: Tensor = checkpoint(part, x, use_reentrant=False)
        return out


def test_an_identity_made_in_a_repeated_part_is_known_again() -> None:
    torch.manual_seed(0)
    model, x = Making(), torch.randn(6, 3)
    (expected,) = torch.autograd.grad(model(x).square().sum(), model.layer.weight)
    engine = attached(model, clip_norm=1e3)
    added(engine, lambda: model(x).square().sum(dim=1), 6)
    torch.testing.assert_close(engine.without_noise()["layer.weight"], expected, rtol=1e-5, atol=1e-6)


class Masked(nn.Module):
    """A linear layer whose weight is masked by a tensor that the model does not hold."""

    def __init__(self, mask: Callable[[], Tensor]) -> None:
        super().__init__()
        self.weight, self.mask = nn.Parameter(torch.ones(2, 3)), mask

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * self.mask())


def test_what_a_derived_weight_was_computed_with_is_not_edited_before_the_backward_pass() -> None:
    """Autograd refuses it in an ordinary model, and here the gradient is carried on under hooks of our own, which must."""
    mask = torch.ones(2, 3)
    model = Masked(lambda: mask)
    engine = attached(model)

    def losses() -> Tensor:
        out: Tensor = model(torch.ones(4, 3)).square().sum(dim=1)
        mask.zero_()
        return out

    with pytest.raises(PrivacyError, match="edited in place before the backward pass"):
        added(engine, losses, 4)
