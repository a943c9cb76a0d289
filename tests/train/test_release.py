"""The releaser works piece by piece, and nobody can tell: one grid, one noise, every parameter its own part."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from noise.libraries import torch_threads
from tacit.errors import PrivacyError
from tacit.noise.grid import grid_step
from tacit.noise.source import SeededSource, Zeros
from tacit.privacy.mechanisms.correlated import CorrelatedNoising, IndependentNoising, Noising
from tacit.privacy.mechanisms.gaussian import Gaussian
from tacit.privacy.strategies import Banded
from tacit.train.plan import Plan
from tacit.train.torch.release import PIECE, Releaser
from tacit.train.torch.sums import RunningSum

SHAPES = [(PIECE, 2), (90,), (3, 3), ()]
DIMENSION = 2 * PIECE + 100


def released(noising: Noising, sums: list[torch.Tensor], clip_norm: float = 1.0, batch_size: int = 4) -> list[torch.Tensor]:
    """Return the updates of parameters with these sums."""
    parameters = [nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for shape in SHAPES]
    running = [RunningSum(parameter) for parameter in parameters]
    for one, value in zip(running, sums, strict=True):
        one.add_block(value)
    Releaser(parameters, running, noising).release(clip_norm, batch_size)
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def some_sums() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in SHAPES]


def independent(seed: int = 1) -> IndependentNoising:
    return IndependentNoising(mechanism=Gaussian(noise_multiplier=1.0), source=SeededSource(seed))


def correlated() -> CorrelatedNoising:
    strategy = Banded(coefficients=(1.0, 0.5))
    return CorrelatedNoising(noise_multiplier=1.0, strategy=strategy, source=SeededSource(1), begin_anew=True)


@pytest.mark.parametrize("make", [independent, correlated])
def test_every_piece_of_a_large_sum_lies_on_the_grid_of_the_whole(make: type[Noising]) -> None:
    """A piece's own grid would be coarser: no value would be an odd multiple of this step (by chance: 2^-50 for 50 values)."""
    step = grid_step(1.0, DIMENSION)
    values = torch.cat([one.flatten() for one in released(make(), some_sums())])
    units = values * 4 / step
    assert torch.equal(units, units.round())
    for place in (slice(0, 50), slice(2 * PIECE, 2 * PIECE + 50)):
        assert bool((units[place] % 2 == 1).any())
    assert grid_step(1.0, PIECE) > step


def test_every_parameter_gets_its_own_part_divided_by_the_batch() -> None:
    sums = some_sums()
    noising = IndependentNoising(mechanism=Gaussian(noise_multiplier=1.0), source=Zeros())
    for update, total in zip(released(noising, sums), sums, strict=True):
        assert update.shape == total.shape
        torch.testing.assert_close(update, total / 4, rtol=0, atol=grid_step(1.0, DIMENSION) / 8 * 1.001)


def test_no_noise_is_used_for_two_pieces() -> None:
    zeros = [torch.zeros(shape, dtype=torch.float64) for shape in SHAPES]
    values = torch.cat([one.flatten() for one in released(independent(), zeros)]).numpy()
    assert not np.isin(values[PIECE:], values[:PIECE]).all()
    assert not np.array_equal(values[:100], values[PIECE : PIECE + 100])
    assert not np.array_equal(values[:100], values[2 * PIECE :])
    again = torch.cat([one.flatten() for one in released(independent(2), zeros)]).numpy()
    assert not np.array_equal(values, again)


def test_the_number_of_threads_changes_no_bit() -> None:
    seen = []
    for threads in (1, 2, 3):
        with torch_threads(threads):
            seen += [torch.cat([one.flatten() for one in released(independent(), some_sums())])]
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[1], seen[2])


def test_a_release_is_one_vector_of_the_source_whatever_its_pieces_and_parameters() -> None:
    """The noise of a step is what the source gives in one call by torch: the pieces are whole chunks of it."""
    step = grid_step(1.0, DIMENSION)
    zeros = [torch.zeros(shape, dtype=torch.float64) for shape in SHAPES]
    values = torch.cat([one.flatten() for one in released(independent(), zeros)])
    noise = SeededSource(1).normal(DIMENSION, spread=1.0 / step, by="torch")
    assert torch.equal(values * 4 / step, torch.from_numpy(np.rint(noise)))


def test_one_band_is_dp_sgd_bit_for_bit_in_a_model_of_several_pieces() -> None:
    """The same sampler (a chance per step and unit) and the same stream, two steps; two bands are something else."""
    sizes: dict[str, Any] = {"n": 400, "batch_size": 40, "epochs": 1, "clip_norm": 1.0, "parameters": DIMENSION}
    choices: list[dict[str, Any]] = [{}, {"mechanism": "banded", "bands": 1}, {"mechanism": "banded", "bands": 2}]
    runs = []
    for choice in choices:
        noising = Plan.solve(epsilon=3.0, delta=1e-5, **sizes, **choice).noising(SeededSource(3))
        runs.append(torch.cat([one.flatten() for _ in range(2) for one in released(noising, some_sums())]))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("make", [independent, correlated])
def test_what_a_later_piece_refuses_is_raised(make: Callable[[], Noising]) -> None:
    """A sum too large for the grid, in the last of three pieces."""
    sums = some_sums()
    sums[1][-1] = float("inf")
    with pytest.raises(PrivacyError, match="not finite"):
        released(make(), sums)


def test_a_gradient_that_is_kept_never_shows_a_later_sum() -> None:
    """A logger or a difference of gradients may hold one beyond its step: the next clipped sum must be formed elsewhere."""
    parameter = nn.Parameter(torch.zeros(3, 2))
    running = RunningSum(parameter)
    releaser = Releaser([parameter], [running], independent())
    running.add_block(torch.ones(3, 2))
    releaser.release(1.0, 4)
    held = parameter.grad
    assert held is not None
    before = held.clone()
    running.add_block(torch.full((3, 2), 77.0))
    assert torch.equal(held, before)
    releaser.release(1.0, 4)
    assert torch.equal(held, before)
