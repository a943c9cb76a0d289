"""Neighbours' rounded sums differ by at most the clip norm in L2, float error and rounding included."""

import math
from typing import Any

import numpy as np
import pytest

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.grid import GridVector, clip_target, grid_step
from tacit.noise.sensitivity import BLOCK, FLOAT32, FLOAT64, GROUP, sum_sensitivity


def distance(first: GridVector, second: GridVector) -> float:
    """L2 distance of two grid vectors; integers, so their squares add up exactly in math.fsum."""
    return math.sqrt(math.fsum((first.units - second.units) ** 2)) * first.step


def worst_rounding(dimension: int, length: float, clip_norm: float) -> tuple[np.ndarray, np.ndarray]:
    """Two sums at most `length` apart that rounding drives as far from each other as it can, in every coordinate.

    Coordinate j of the record is k_j + 1/1000 steps, with k_j = k or k + 1 so that its length comes close to `length`. The
    sum without it lies 1/2000 under half a step and rounds down; the sum with it lies 1/2000 above and rounds up: k_j + 1.
    """
    step, sliver = grid_step(clip_norm, dimension), 1e-3
    k = math.floor(length / step / math.sqrt(dimension) - sliver)
    longer = math.floor(((length / step) ** 2 - dimension * (k + sliver) ** 2) / (2 * (k + sliver) + 1))
    record = np.full(dimension, k + sliver)
    record[: min(longer, dimension)] += 1
    base = np.resize([17.0, -4.0, 3.0, 0.0], dimension) + 0.5 - sliver / 2
    assert np.linalg.norm(record) * step <= length
    return base * step, (base + record) * step


@pytest.mark.parametrize("dimension", [1, 2, 3, 1000, 4096, 1_000_000])
@pytest.mark.parametrize("clip_norm", [1.0, 0.1, 7.3])
def test_worst_case_rounding_stays_within_the_clip_norm(dimension: int, clip_norm: float) -> None:
    target, share = clip_target(clip_norm), math.sqrt(dimension) * grid_step(clip_norm, dimension)
    base, moved = worst_rounding(dimension, target, clip_norm)
    apart = distance(GridVector.from_sum(base, clip_norm), GridVector.from_sum(moved, clip_norm))
    assert apart <= clip_norm
    assert apart > target + 0.99 * share or dimension < 1000  # the case is adversarial: rounding took its whole share


@pytest.mark.parametrize("dimension", [1000, 4096, 1_000_000])
def test_contributions_clipped_to_the_whole_clip_norm_would_exceed_it(dimension: int) -> None:
    """Planted: clipping to C instead of clip_target(C)."""
    base, moved = worst_rounding(dimension, 1.0, 1.0)
    assert distance(GridVector.from_sum(base, 1.0), GridVector.from_sum(moved, 1.0)) > 1.0


def float32_contribution(rng: np.random.Generator, dimension: int, clip_norm: float) -> np.ndarray:
    """A stored float32 vector of L2 length just within clip_target(clip_norm)."""
    vector = rng.normal(size=dimension)
    vector *= clip_target(clip_norm) * (1 - 2.0**-22) / np.linalg.norm(vector)
    return vector.astype(np.float32)


@pytest.mark.parametrize(("contributions", "dimension"), [(2**16, 32), (2**10, 4096), (8, 1_000_000)])
def test_sums_of_many_float32_contributions_stay_within_the_clip_norm(contributions: int, dimension: int) -> None:
    """One large common direction makes partial sums grow as fast as they can, so that each addition rounds most."""
    clip_norm, rng = 1.0, np.random.default_rng(contributions)
    distinct = [float32_contribution(rng, dimension, clip_norm) for _ in range(8)]
    distinct = [np.abs(vector) for vector in distinct]
    for removed in (0, contributions // 2, contributions - 1):
        total, neighbour = np.zeros(dimension), np.zeros(dimension)
        for index in range(contributions):
            total += distinct[index % 8]
            if index != removed:
                neighbour += distinct[index % 8]
        apart = distance(GridVector.from_sum(total, clip_norm), GridVector.from_sum(neighbour, clip_norm))
        assert apart <= sum_sensitivity(clip_norm=clip_norm, dimension=dimension, contributions=contributions).total <= clip_norm


def test_a_float32_accumulator_would_exceed_what_is_proved_for_float64() -> None:
    """Planted: the same sums in float32; the difference of neighbours is off by more than the margin holds."""
    contributions, dimension = 2**16, 64
    vector = np.abs(float32_contribution(np.random.default_rng(1), dimension, 1.0))
    total, neighbour = np.zeros(dimension, dtype=np.float32), np.zeros(dimension, dtype=np.float32)
    for index in range(contributions):
        total += vector
        if index:
            neighbour += vector
    error = np.linalg.norm((total - neighbour).astype(np.float64) - vector)
    assert error > 2.0**-10
    with pytest.raises(PrivacyError, match="Form blocks of 64 and groups of 8"):
        sum_sensitivity(clip_norm=1.0, dimension=dimension, contributions=contributions, block=contributions, roundoff=FLOAT32)


@pytest.mark.parametrize("clip_norm", [1.0, 0.3, 1e-20, 1e20])
@pytest.mark.parametrize("dimension", [1, 3, 10**6, 10**9])
def test_the_parts_add_up_to_at_most_the_clip_norm(clip_norm: float, dimension: int) -> None:
    bound = sum_sensitivity(clip_norm=clip_norm, dimension=dimension, contributions=2**16, block=512, roundoff=FLOAT64)
    assert bound.total <= clip_norm
    assert bound.clipping == clip_target(clip_norm)
    assert 2.0**-11 * clip_norm < bound.rounding <= 2.0**-10 * clip_norm
    assert 0 < bound.float_error < 2.0**-10 * clip_norm


def test_each_description_of_the_sum_changes_the_bound() -> None:
    base: dict[str, Any] = {
        "clip_norm": 1.0,
        "dimension": 100,
        "contributions": 1000,
        "block": 10,
        "roundoff": FLOAT64,
        "norm_error": 0.0,
    }
    error = sum_sensitivity(**base).float_error
    for change in ({"contributions": 5000}, {"block": 20}, {"group": 4}, {"roundoff": FLOAT32}, {"norm_error": 1e-6}):
        assert sum_sensitivity(**{**base, **change}).float_error != error


def test_one_float32_sum_holds_for_its_last_size_and_no_more() -> None:
    """2 b^1/2 (b^2 + b^2 + (b-1)^2 + ... + 2^2)^1/2 2^-24 passes 2^-10 / (1 - 2^-9) between 118 and 119: 0.000971 and 0.000987."""
    arguments: dict[str, Any] = {"clip_norm": 1.0, "dimension": 10, "contributions": 10_000, "roundoff": FLOAT32}
    assert sum_sensitivity(**arguments, block=118).total <= 1.0
    with pytest.raises(PrivacyError, match="can be off by"):
        sum_sensitivity(**arguments, block=119)


def test_blocks_and_groups_in_float32_leave_room_for_norms() -> None:
    """By hand: 2 (2447 + 64 * 35) 2^-24 = 0.00056 and norms off by 2^-12 = 0.00024 make 0.0008; one group more of it all would not do."""
    arguments: dict[str, Any] = {"clip_norm": 1.0, "dimension": 10, "contributions": 1_000_000, "roundoff": FLOAT32}
    found = sum_sensitivity(**arguments, block=BLOCK, group=GROUP, norm_error=2.0**-12)
    assert found.float_error == pytest.approx(0.0008018, rel=1e-3)
    for worse in ({"block": 2 * BLOCK, "group": GROUP}, {"block": BLOCK, "group": 2 * GROUP}):
        with pytest.raises(PrivacyError):
            sum_sensitivity(**arguments, norm_error=2.0**-12, **worse)


@pytest.mark.parametrize("order", ["chain", "pairs", "torch"])
def test_blocks_added_in_any_order_stay_within_their_bound(order: str) -> None:
    """Adversarial by alignment: one common direction, so that partial sums grow fastest; compared with exact sums."""
    rng = np.random.default_rng(5)
    vectors = np.stack([np.abs(float32_contribution(rng, 256, 1.0)) for _ in range(BLOCK)])
    exact = np.array([math.fsum(column) for column in vectors.T.astype(np.float64)])
    if order == "chain":
        total = np.zeros(256, dtype=np.float32)
        for vector in vectors:
            total = total + vector
    elif order == "pairs":
        level = vectors
        while len(level) > 1:
            level = level[::2] + level[1::2]
        total = level[0]
    else:
        total = np.ones(BLOCK, dtype=np.float32) @ vectors
    bound = sum_sensitivity(clip_norm=1.0, dimension=256, contributions=BLOCK, block=BLOCK, roundoff=FLOAT32)
    assert np.linalg.norm(total - exact) <= bound.float_error / 2


def test_float64_sums_hold_for_two_million_contributions() -> None:
    assert sum_sensitivity(clip_norm=1.0, dimension=10, contributions=2_000_000).total <= 1.0
    with pytest.raises(PrivacyError):
        sum_sensitivity(clip_norm=1.0, dimension=10, contributions=3_000_000)


@pytest.mark.parametrize(
    "change",
    [{"contributions": 0}, {"block": 0}, {"roundoff": 0.0}, {"roundoff": 1.0}, {"norm_error": -1.0}, {"norm_error": math.nan}],
)
def test_values_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        sum_sensitivity(**{"clip_norm": 1.0, "dimension": 10, "contributions": 10, **change})
