"""The engine's arithmetic, against one backward pass per row."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from simple_training import Still, cross_entropy, one_at_a_time, plan, training
from tacit.errors import PrivacyError, ShapeError
from tacit.noise.grid import clip_target, grid_step
from tacit.noise.source import OsSource, SeededSource
from tacit.privacy.ledger import Ledger

ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.ELU, nn.LeakyReLU, nn.Identity]


def network(sizes: list[int], activation: type[nn.Module], bias: bool, dtype: torch.dtype, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for wide, narrow in itertools.pairwise(sizes):
        layers += [nn.Linear(wide, narrow, bias=bias), activation()]
    return nn.Sequential(*layers[:-1]).to(dtype)


def first(model: nn.Sequential) -> nn.Linear:
    layer = model[0]
    assert isinstance(layer, nn.Linear)
    return layer


def gradient_of(model: nn.Sequential) -> Tensor:
    gradient = first(model).weight.grad
    assert gradient is not None
    return gradient


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=4),
    activation=st.sampled_from(ACTIVATIONS),
    bias=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    clip_norm=st.sampled_from([0.1, 0.5, 2.0, 100.0]),
    limit=st.sampled_from([1, 3, 100]),
    seed=st.integers(0, 10_000),
)
def test_the_clipped_sum_is_that_of_one_row_at_a_time(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    activation: type[nn.Module],
    bias: bool,
    dtype: torch.dtype,
    clip_norm: float,
    limit: int,
    seed: int,
) -> None:
    model = network(sizes, activation, bias, dtype, seed)
    rows, targets = torch.randn(11, sizes[0], dtype=dtype) * 3, torch.randint(0, sizes[-1], (11,))
    expected = one_at_a_time(model, rows, targets, cross_entropy, clip_target(clip_norm))
    a_plan = plan(11, 11, clip_norm=clip_norm)
    with Ledger.open(tmp_path_factory.mktemp("l") / "l.sqlite") as ledger:
        ledger.grant("people", epsilon=1, delta=1e-5)
        private, _ = training(model, (rows, targets), a_plan, ledger, Still(seed), max_physical_batch=limit)
        for x, y in private.batches():
            private.backward(cross_entropy(private.model(x), y))
    size = sum(p.numel() for p in model.parameters())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        got = parameter.grad.double() * a_plan.batch_size
        torch.testing.assert_close(got, expected[name], rtol=1e-5, atol=1e-5 * clip_norm + grid_step(clip_norm, size))


def one_step(ledger: Ledger, source: SeededSource, rows: Tensor, targets: Tensor, clip_norm: float = 1.0) -> nn.Sequential:
    """Train one noiseless step on all the rows and return the model, its gradient still in place."""
    model = network([rows.shape[1], 4, 2], nn.Tanh, True, torch.float32, 1)
    private, _ = training(model, (rows, targets), plan(len(rows), len(rows), clip_norm=clip_norm), ledger, source)
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
    return model


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 1e30])
def test_a_row_that_is_not_finite_contributes_exactly_nothing(ledger: Ledger, poison: float, tmp_path: object) -> None:
    torch.manual_seed(0)
    rows, targets = torch.randn(6, 3), torch.randint(0, 2, (6,))
    spoiled = rows.clone()
    spoiled[2, 1] = poison
    without = one_at_a_time(
        network([3, 4, 2], nn.Tanh, True, torch.float32, 1),
        rows[[0, 1, 3, 4, 5]],
        targets[[0, 1, 3, 4, 5]],
        cross_entropy,
        clip_target(1),
    )
    model = one_step(ledger, Still(3), spoiled, targets)
    if poison == 1e30:  # finite: clipped like any other row, and never a NaN
        assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.grad is not None)
        return
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad.double() * 6, without[name], rtol=1e-5, atol=1e-4)


def test_the_update_divides_by_the_expected_batch_whatever_was_drawn(ledger: Ledger) -> None:
    """With probability 1/2 some 50 of 100 equal rows are drawn: the sum follows the draw, the denominator stays 50."""
    rows, targets = torch.ones(100, 2), torch.zeros(100, dtype=torch.long)
    model = network([2, 2], nn.Identity, True, torch.float64, 1)
    one = one_at_a_time(model, rows[:1].double(), targets[:1], cross_entropy, clip_target(1))
    private, optimizer = training(model, (rows.double(), targets), plan(100, 50, steps=20), ledger, Still(5), learning_rate=0)
    counts = []
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        optimizer.step()
        gradient = gradient_of(model)
        counts.append(float((gradient * 50 / one["0.weight"]).mean()))
    drawn = np.rint(counts)
    np.testing.assert_allclose(counts, drawn, atol=0.02)
    assert len(set(drawn)) > 3
    assert 30 < drawn.mean() < 70


def test_an_empty_draw_still_releases_noise(ledger: Ledger) -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    private, _ = training(
        model, (torch.ones(0, 3), torch.zeros(0, dtype=torch.long)), plan(10, 5, noise=1.0, steps=3), ledger, OsSource.from_os()
    )
    seen = 0
    for x, y in private.batches():
        assert len(x) >= 1
        private.backward(cross_entropy(private.model(x), y))
        assert float(gradient_of(model).abs().min()) > 0
        seen += 1
    assert seen == 3


def test_a_large_draw_takes_further_micro_batches_and_steps_once(ledger: Ledger) -> None:
    rows, targets = torch.randn(30, 3), torch.randint(0, 2, (30,))
    model = network([3, 2], nn.Identity, True, torch.float32, 1)
    before = first(model).weight.detach().clone()
    expected = one_at_a_time(model, rows, targets, cross_entropy, clip_target(1.0))
    private, optimizer = training(model, (rows, targets), plan(30, 30), ledger, Still(1), max_physical_batch=8)
    pieces = 0
    for x, y in private.batches():
        assert len(x) == 8
        torch.testing.assert_close(first(model).weight.detach(), before)
        private.backward(cross_entropy(private.model(x), y))
        optimizer.step()
        pieces += 1
    assert pieces == 4
    torch.testing.assert_close(
        first(model).weight.detach().double(), (before - expected["0.weight"] / 30).double(), rtol=1e-4, atol=1e-4
    )


def test_the_update_lies_on_the_grid(ledger: Ledger) -> None:
    """Every noised sum is a whole multiple of the grid's step (SOUNDNESS 15)."""
    model = nn.Sequential(nn.Linear(5, 2, dtype=torch.float64))
    private, _ = training(
        model,
        (torch.randn(16, 5, dtype=torch.float64), torch.zeros(16, dtype=torch.long)),
        plan(16, 8, noise=1.0),
        ledger,
        OsSource.from_os(),
    )
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
    units = gradient_of(model) * 8 / grid_step(1.0, 12)
    torch.testing.assert_close(units, units.round(), rtol=0, atol=0)


def test_a_batch_wide_loss_is_refused(ledger: Ledger, source: SeededSource) -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    private, _ = training(model, (torch.randn(8, 3), torch.zeros(8, dtype=torch.long)), plan(8, 8), ledger, source)
    with pytest.raises(ShapeError, match="reduction"):
        for x, y in private.batches():
            private.backward(nn.functional.cross_entropy(private.model(x), y))


def test_a_batch_without_backward_is_refused(ledger: Ledger, source: SeededSource) -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    private, _ = training(model, (torch.randn(8, 3),), plan(8, 8, steps=2), ledger, source)
    with pytest.raises(PrivacyError, match="did not run"):
        for _ in private.batches():
            pass


def test_the_model_keeps_its_class_and_keys_and_is_given_back_bare(ledger: Ledger, source: SeededSource) -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    keys = list(model.state_dict())
    private, optimizer = training(model, (torch.randn(8, 3), torch.zeros(8, dtype=torch.long)), plan(8, 8), ledger, source)
    assert private.model is model
    assert list(model.state_dict()) == keys
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        optimizer.step()
    assert private.finish() is model
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    model(torch.randn(2, 3)).sum().backward()  # an ordinary gradient is welcome again
    assert gradient_of(model) is not None
