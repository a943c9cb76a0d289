"""Eighteen defects found in other libraries for differentially private training, each a test by its number."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from simple_training import Still, cross_entropy, one_at_a_time, plan, priced, training
from tacit.errors import ConfigError, PrivacyError, ShapeError, TacitError, UnsupportedModel
from tacit.noise.grid import clip_target, grid_step
from tacit.noise.source import OsSource, SeededSource
from tacit.privacy.ledger import Ledger
from tacit.train.plan import Plan
from tacit.train.samplers import PoissonSampler
from tacit.train.torch.private import PrivateTraining

F = nn.functional


def fresh(seed: int = 1) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def data(n: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(n, 3, generator=generator) * 3, torch.randint(0, 2, (n,), generator=generator)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def one_update(
    ledger: Ledger,
    model: nn.Module,
    tensors: tuple[Tensor, ...],
    loss: Callable[..., Tensor] = cross_entropy,
    name: str = "r",
    **more: int,
) -> dict[str, Tensor]:
    """Return the update of one noiseless step on all rows."""
    n = len(tensors[0])
    private, _ = training(model, tensors, plan(n, n), ledger, Still(3), name=name, **more)
    for x, *others in private.batches():
        private.backward(loss(private.model(x), *others))
    return gradients(model)


def test_c01_the_sampler_that_is_accounted_for_is_the_one_that_runs() -> None:
    """The block's event names its sampler, and a plan makes the sampler of its block: there is no other way to batches."""
    sampler = priced(400, 40, steps=5).sampler(SeededSource(1))
    assert isinstance(sampler, PoissonSampler)
    sizes = [len(sampler.draw()) for _ in range(200)]
    assert len(set(sizes)) > 10, "a fixed batch size is not Poisson sampling"
    # 200 draws of Binomial(400, 0.1): the mean misses 40 by 6 / sqrt(200) * 7 = 3 with probability 3e-12
    assert abs(float(np.mean(sizes)) - 40) < 3


def test_c01_a_shuffle_costs_no_less_than_batches_without_sampling() -> None:
    """One epoch in fixed batches uses each row once: the price of one Gaussian release, however small the batches."""
    options: dict[str, Any] = {
        "epsilon": 2.0,
        "delta": 1e-6,
        "n": 1000,
        "epochs": 1,
        "clip_norm": 1.0,
        "parameters": 10,
        "spare_steps": 0,
    }
    poisson = Plan.solve(batch_size=50, **options)
    shuffled = Plan.solve(batch_size=50, mechanism="dp-sgd", sampling="shuffle", **options)
    whole = Plan.solve(batch_size=1000, mechanism="dp-sgd", sampling="shuffle", **options)
    assert shuffled.noise_multiplier == pytest.approx(whole.noise_multiplier, rel=1e-3)
    assert poisson.noise_multiplier < shuffled.noise_multiplier


def test_c02_examples_coupled_through_ignore_index_are_refused(ledger: Ledger) -> None:
    """Mean cross-entropy over the tokens that are not ignored divides by how many others ignore."""

    def coupled(logits: Tensor, targets: Tensor) -> Tensor:
        each = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none", ignore_index=0)
        return each.sum(dim=1) / (targets != 0).sum()

    tokens, targets = torch.randn(6, 4, 3), torch.randint(0, 3, (6, 4))
    private, _ = training(nn.Linear(3, 3), (tokens, targets), plan(6, 6), ledger, Still(3))
    with pytest.raises(PrivacyError, match="batch-wide normalizer"):
        private.check(lambda x, y: coupled(private.model(x), y))

    def apart(logits: Tensor, targets: Tensor) -> Tensor:
        each = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none", ignore_index=0)
        return each.sum(dim=1) / (targets != 0).sum(dim=1).clamp(min=1)

    private.check(lambda x, y: apart(private.model(x), y))


def test_c02_one_example_s_mask_moves_no_other_example_s_gradient(ledger: Ledger) -> None:
    model, (x, y) = fresh(), data()
    weights = torch.ones(12)
    weights[3:] = 0.5
    private, _ = training(model, (x, y, weights), plan(12, 12), ledger, Still(3))
    private.check(lambda rows, targets, w: w * cross_entropy(private.model(rows), targets))
    with pytest.raises(PrivacyError, match="another record"):
        private.check(lambda rows, targets, w: w / w.sum() * cross_entropy(private.model(rows), targets))
    with pytest.raises(PrivacyError, match="another record"):
        private.check(lambda rows, targets, w: cross_entropy(private.model(rows - rows.mean(dim=0)), targets))


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm1d(4), nn.BatchNorm1d(4, affine=False), nn.BatchNorm1d(4, track_running_stats=False)]
)
def test_c02_batch_norm_is_refused_with_the_remedy(layer: nn.Module, ledger: Ledger) -> None:
    model = nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 2))
    with pytest.raises(UnsupportedModel, match=r"GroupNorm.*tacit design fix"):
        training(model, data(), plan(12, 12), ledger, Still(3))


def test_c02_in_batch_negatives_are_refused_with_the_remedy(ledger: Ledger) -> None:
    model, (x, _) = nn.Linear(3, 4), data()
    private, _ = training(model, (x,), plan(12, 12), ledger, Still(3))

    def contrastive(rows: Tensor) -> Tensor:
        out = private.model(rows)
        return cross_entropy(out @ out.T, torch.arange(len(out)))

    with pytest.raises(PrivacyError, match=r"in-batch negatives.*tacit design fix"):
        private.check(contrastive)
    with pytest.raises(PrivacyError, match="in-batch negatives"):
        for (rows,) in private.batches():
            private.backward(contrastive(rows))


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_c03_an_infinite_input_contributes_exactly_nothing(poison: float, ledger: Ledger) -> None:
    x, y = data()
    spoiled = x.clone()
    spoiled[4, 1] = poison
    others = [place for place in range(12) if place != 4]
    update = one_update(ledger, fresh(), (spoiled, y))
    expected = one_at_a_time(fresh(), x[others], y[others], cross_entropy, clip_target(1.0))
    for name, one in update.items():
        torch.testing.assert_close(one.double() * 12, expected[name], rtol=1e-5, atol=1e-4)


def test_c04_a_flattened_model_still_counts_sequences_and_not_tokens(ledger: Ledger) -> None:
    """(B, T, d) flattened to (B T, d): two sequences are two units, whose gradients are sums over their tokens."""

    class Flattened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            flat: Tensor = self.layer(x.flatten(0, 1))
            return flat.view(len(x), -1, 2)

    x, y = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(2)) * 3, torch.zeros(6, 5, dtype=torch.long)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none").sum(dim=1)

    update = one_update(ledger, Flattened(), (x, y), loss)
    expected = one_at_a_time(Flattened(), x, y, loss, clip_target(1.0))
    for name, one in update.items():
        torch.testing.assert_close(one.double() * 6, expected[name], rtol=1e-5, atol=1e-4)
    private, _ = training(Flattened(), (x, y), plan(6, 6), ledger, Still(3), name="tokens")
    with pytest.raises(ShapeError, match="one per example"):
        for rows, targets in private.batches():
            private.backward(F.cross_entropy(private.model(rows).flatten(0, 1), targets.flatten(), reduction="none"))


def test_c05_norms_are_exact_for_reused_raw_and_unordered_parameters(ledger: Ledger) -> None:
    """Layers registered in another order than they run, one of them twice, and a parameter of no layer. Layer kinds: test_layer_kinds."""

    class Unordered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.last, self.raw = nn.Linear(4, 2), nn.Parameter(torch.linspace(-1, 1, 4))
            self.twice, self.first = nn.Linear(4, 4), nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.last(self.twice(torch.tanh(self.twice(self.first(x)) * self.raw)))
            return out

    update = one_update(ledger, Unordered(), data())
    expected = one_at_a_time(Unordered(), *data(), cross_entropy, clip_target(1.0))
    assert update.keys() == expected.keys()
    for name, one in update.items():
        torch.testing.assert_close(one.double() * 12, expected[name], rtol=1e-5, atol=1e-4)


def test_c06_empty_draws_are_steps_with_noise(ledger: Ledger) -> None:
    """With q N = 0.02 nearly every draw is empty: all 30 steps run, each with noise everywhere."""
    model = fresh()
    private, _ = training(model, data(2), plan(200, 2, noise=1.0, steps=30), ledger, OsSource.from_os())
    steps = 0
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        assert all(bool((one != 0).any()) for one in gradients(model).values())
        steps += 1
    assert steps == private.step == 30


def test_c07_micro_batches_give_the_same_sum_one_noise_and_one_charge(ledger: Ledger) -> None:
    whole = one_update(ledger, fresh(), data(), name="whole")
    spent = ledger.spent("people").epsilon
    pieces = one_update(ledger, fresh(), data(), name="pieces", max_physical_batch=5)
    assert ledger.spent("people").epsilon - spent == pytest.approx(spent)
    for name, one in whole.items():
        torch.testing.assert_close(pieces[name], one, rtol=1e-5, atol=2 * grid_step(1.0, 26) / 12 + 1e-6)


def test_c08_the_denominator_never_depends_on_the_drawn_batch(ledger: Ledger) -> None:
    """The same twelve rows among 12 and among 24 expected: half the update, whatever was drawn; sum and mean are refused as scalars."""
    x, y = data()
    update = one_update(ledger, fresh(), (x, y), name="twelve")
    private, _ = training(model := fresh(), (x, y), plan(24, 24), ledger, Still(3), name="of 24")
    for rows, targets in private.batches():
        private.backward(cross_entropy(private.model(rows), targets))
    for name, one in gradients(model).items():
        torch.testing.assert_close(one * 2, update[name], rtol=1e-4, atol=1e-5)
    for number, reduction in enumerate(("sum", "mean")):
        private, _ = training(fresh(), (x, y), plan(12, 12), ledger, Still(3), name=f"scalar {number}")
        with pytest.raises(ShapeError, match='reduction="none"'):
            for rows, targets in private.batches():
                private.backward(F.cross_entropy(private.model(rows), targets, reduction=reduction))


def test_c09_the_noise_follows_clip_norm_and_multiplier(ledger: Ledger) -> None:
    """Twice the clip norm or the multiplier, twice the noise, to the bit of a repeated source. Deviations: test_zero_gradients."""

    def noise(name: str, **more: Any) -> Tensor:
        model = nn.Linear(50, 20, bias=False)
        private, _ = training(model, (torch.zeros(4, 50),), plan(4, 2, **more), ledger, SeededSource(9), name=name)
        for (x,) in private.batches():
            private.backward(private.model(x).sum(dim=1))
        return gradients(model)["weight"]

    once = noise("one", noise=1.0)
    torch.testing.assert_close(noise("multiplier", noise=2.0), 2 * once, rtol=1e-3, atol=5e-5)  # a step of the grid is 2^-16
    torch.testing.assert_close(
        noise("clip norm", noise=1.0, clip_norm=2.0), 2 * once, rtol=1e-3, atol=5e-5
    )  # a step of the grid is 2^-16


def test_c11_the_noise_is_cryptographic_and_on_a_grid(ledger: Ledger) -> None:
    """No seed of torch or numpy moves it; every value of the noisy sum is a whole multiple of the grid's step."""

    def noise(name: str) -> Tensor:
        torch.manual_seed(0)
        model = nn.Linear(5, 2, dtype=torch.float64)
        private, _ = training(model, (torch.randn(4, 5).double(),), plan(4, 2, noise=1.0), ledger, OsSource.from_os(), name=name)
        for (x,) in private.batches():
            private.backward(private.model(x).sum(dim=1))
        return torch.cat([one.flatten() for one in gradients(model).values()])

    first, second = noise("first"), noise("second")
    assert not bool((first == second).any())
    units = first * 2 / grid_step(1.0, 12)
    torch.testing.assert_close(units, units.round(), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_c12_norms_sums_and_noise_are_float32_or_wider(dtype: torch.dtype, ledger: Ledger) -> None:
    """2,048 equal rows in bfloat16: a sum in that type would stop growing at 256; clipped lengths stay at most C (1 + 1e-6)."""
    rows = torch.ones(2048, 3, dtype=dtype)
    model = nn.Linear(3, 1, bias=False, dtype=dtype)
    private, _ = training(model, (rows,), plan(2048, 2048), ledger, Still(3))
    for (x,) in private.batches():
        private.backward(100 * private.model(x).sum(dim=1).float())
    length = float(gradients(model)["weight"].double().norm())
    assert clip_target(1.0) * (1 - 2**-7) < length <= 1 + 2**-8  # rounded to 8 bits on the way out


def test_c13_epsilon_is_never_negative_and_grows_with_the_steps() -> None:
    prices = [priced(1000, 10, steps=steps, noise=noise).guarantee.epsilon for noise in (50.0, 1.0) for steps in (1, 10, 100)]
    assert min(prices) >= 0
    assert prices == [*sorted(prices[:3]), *sorted(prices[3:])]


def test_c17_nothing_of_the_records_is_shown(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """No norm, loss or count of drawn rows is printed or kept; every micro-batch has one public shape."""
    private, _ = training(fresh(), data(100), plan(100, 10, steps=10), ledger, Still(3))
    shapes = set()
    for x, y in private.batches():
        shapes.add(tuple(x.shape))
        private.backward(cross_entropy(private.model(x), y))
    assert len(shapes) == 1
    assert capsys.readouterr().out == ""
    shown = {name for name in vars(private) if not name.startswith("_")}
    assert shown <= {"model", "optimizer", "plan", "step", "counted", "augmentations", "real"}, (
        "real is for the loop, a secret of the run"
    )


def test_c18_every_trained_tensor_changes_no_frozen_one_does_and_the_model_loads_plainly(ledger: Ledger) -> None:
    """A low-rank adapter beside a frozen layer. PEFT itself: test_peft."""

    class Adapted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.base = nn.Linear(3, 2).requires_grad_(False)
            self.down, self.up = nn.Parameter(torch.randn(2, 3)), nn.Parameter(torch.zeros(2, 2))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.base(x) + x @ self.down.T @ self.up.T
            return out

    model = Adapted()
    before = copy.deepcopy(model.state_dict())
    private, optimizer = training(model, data(), plan(12, 12, steps=3), ledger, Still(3))
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        optimizer.step()
    after = private.finish().state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"down", "up"}
    Adapted().load_state_dict(after)


@pytest.mark.parametrize(
    ("loss", "remedy"),
    [
        (lambda logits, y: F.cross_entropy(logits.transpose(1, 2), y), 'reduction="none"'),
        (lambda logits, y: F.cross_entropy(logits.transpose(1, 2), y, reduction="none"), "sum|mean"),
    ],
)
def test_a_loss_averaged_over_tokens_or_not_at_all_is_refused(loss: Callable[..., Tensor], remedy: str, ledger: Ledger) -> None:
    private, _ = training(nn.Linear(3, 2), (torch.randn(6, 5, 3), torch.zeros(6, 5).long()), plan(6, 6), ledger, Still(3))
    with pytest.raises(ShapeError, match=remedy):
        for x, y in private.batches():
            private.backward(loss(private.model(x), y))


def test_memory_that_runs_out_suggests_the_micro_batch(ledger: Ledger) -> None:
    class Hungry(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.calls = nn.Linear(3, 2), 0

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.layer(x)
            if out.requires_grad and len(x) > 10:  # the trace is smaller
                out.register_hook(_out_of_memory)
            return out

    private, _ = training(Hungry(), data(), plan(12, 12), ledger, Still(3))
    with pytest.raises(TacitError, match="max_physical_batch"):
        for x, y in private.batches():
            private.backward(cross_entropy(private.model(x), y))


def _out_of_memory(_gradient: Tensor) -> Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory.")


def test_an_interruption_keeps_the_last_paid_for_weights_and_a_true_ledger(ledger: Ledger) -> None:
    """The block was paid for as a whole before the first batch, so what was charged stays; the weights are those of two steps."""
    model = fresh()
    private, optimizer = training(model, data(), plan(12, 12, noise=2.0, steps=5), ledger, SeededSource(3))

    def run(private: PrivateTraining) -> None:
        for x, y in private.batches():
            losses = cross_entropy(private.model(x), y)
            if private.step == 2:
                kept.update(copy.deepcopy(model.state_dict()))
                raise KeyboardInterrupt
            private.backward(losses)
            optimizer.step()

    kept: dict[str, Tensor] = {}
    with pytest.raises(KeyboardInterrupt):
        run(private)
    assert private.step == 2
    assert ledger.spent("people").epsilon == pytest.approx(private.plan.guarantee.epsilon, abs=1e-8)
    given = private.finish().state_dict()
    assert all(torch.equal(given[name], one) for name, one in kept.items())
    with pytest.raises(ConfigError, match="taken"):
        run(training(fresh(), data(), plan(12, 12, noise=2.0, steps=5), ledger, SeededSource(3))[0])
