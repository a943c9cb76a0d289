"""Samplers by which a unit takes part at most once in a period: the pattern that is priced, whatever the draws."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from tacit.errors import ConfigError
from tacit.noise.source import OsSource, SeededSource
from tacit.train.cycles import BallsInBinsSampler, CyclicPoissonSampler, ShuffleSampler, groups_for
from tacit.train.samplers import PoissonSampler

SIZE, PERIOD = 103, 7


def cyclic(seed: int, probability: float = 0.4, **more: Any) -> CyclicPoissonSampler:
    settings: dict[str, Any] = {"size": SIZE, "period": PERIOD} | more
    return CyclicPoissonSampler(probability=probability, source=SeededSource(seed), **settings)


def shuffle(seed: int) -> ShuffleSampler:
    return ShuffleSampler(size=SIZE, period=PERIOD, source=SeededSource(seed))


def bins(seed: int) -> BallsInBinsSampler:
    return BallsInBinsSampler(size=SIZE, period=PERIOD, source=SeededSource(seed))


@pytest.mark.parametrize("make", [cyclic, shuffle, bins])
def test_no_unit_takes_part_twice_within_a_period(make: Any) -> None:
    """Any two participations of a unit lie a whole number of periods apart: what every price here rests on."""
    sampler = make(1)
    steps: list[list[int]] = [[] for _ in range(SIZE)]
    for step in range(6 * PERIOD):
        drawn = sampler.draw()
        assert drawn.dtype == np.int64
        assert np.array_equal(drawn, np.unique(drawn))
        for unit in drawn:
            steps[unit].append(step)
    assert all(len({step % PERIOD for step in one}) <= 1 and len(one) <= 6 for one in steps)
    assert any(one for one in steps)


@pytest.mark.parametrize("make", [shuffle, bins])
def test_every_unit_takes_part_exactly_once_in_an_epoch_and_the_same_way_in_each(make: Any) -> None:
    sampler = make(1)
    first, second = ([sampler.draw().tolist() for _ in range(PERIOD)] for _ in range(2))
    assert first == second
    assert sorted(unit for batch in first for unit in batch) == list(range(SIZE))
    assert [make(2).draw().tolist()] != first[:1]


def test_a_shuffled_batch_has_the_stated_size_and_bins_vary() -> None:
    sampler = shuffle(1)
    assert {len(sampler.draw()) for _ in range(PERIOD)} <= {SIZE // PERIOD, SIZE // PERIOD + 1}
    many = BallsInBinsSampler(size=20_000, period=2, source=OsSource.from_os())
    low, high = (float(binom.ppf(share, 20_000, 0.5)) for share in (5e-10, 1 - 5e-10))  # chance of failing: 1e-9
    assert low <= len(many.draw()) <= high


def test_a_member_is_drawn_at_the_stated_rate_when_it_is_its_turn() -> None:
    """3e5 coins: fails by chance with probability <= 1e-9 (exact binomial); a rate 5% off is seen."""
    sampler = CyclicPoissonSampler(size=3000, period=3, probability=0.3, source=OsSource.from_os())
    drawn = sum(len(sampler.draw()) for _ in range(300))
    coins = 3000 // 3 * 300
    low, high = (float(binom.ppf(share, coins, 0.3)) for share in (5e-10, 1 - 5e-10))
    assert low <= drawn <= high
    assert not low <= drawn * 1.05 <= high


def test_one_group_is_poisson_sampling_bit_for_bit() -> None:
    one, plain = cyclic(3, period=1), PoissonSampler(size=SIZE, probability=0.4, source=SeededSource(3))
    assert all(np.array_equal(one.draw(), plain.draw()) for _ in range(5))


@pytest.mark.parametrize("make", [cyclic, shuffle, bins])
def test_a_restored_sampler_keeps_its_split_and_its_place(make: Any) -> None:
    sampler = make(1)
    for _ in range(PERIOD + 2):
        sampler.draw()
    state = sampler.state()
    other = make(2)  # another split, before it is restored
    other.restore(state)
    assert all(np.array_equal(other.state()[name], state[name]) for name in state)
    members = np.flatnonzero(state["group"] == (PERIOD + 2) % PERIOD)
    assert set(other.draw().tolist()) <= set(members.tolist())
    if make is not cyclic:
        assert np.array_equal(other.draw(), (sampler.draw(), sampler.draw())[1])


def test_another_state_is_refused() -> None:
    sampler, right = shuffle(1), shuffle(1).state()
    for wrong in (
        {},
        {**right, "x": np.zeros(1)},
        {**right, "group": right["group"][1:]},
        {**right, "group": right["group"] + 1},
        {**right, "group": right["group"] / 2},
        {**right, "step": np.array([-1.0])},
    ):
        with pytest.raises(ConfigError, match="not the state"):
            sampler.restore(wrong)
    PoissonSampler(size=3, probability=0.5, source=SeededSource(1)).restore({})
    with pytest.raises(ConfigError, match="no state"):
        PoissonSampler(size=3, probability=0.5, source=SeededSource(1)).restore(right)


@pytest.mark.parametrize(
    "change", [{"size": -1}, {"period": 0}, {"period": 1.5}, {"size": True}, {"probability": 0.0}, {"probability": 1.1}]
)
def test_numbers_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        cyclic(1, **change)


def test_a_table_without_rows_gives_empty_batches() -> None:
    for kind in (ShuffleSampler, BallsInBinsSampler):
        assert len(kind(size=0, period=3, source=SeededSource(1)).draw()) == 0


def test_an_epoch_has_as_many_batches_as_fit() -> None:
    assert [groups_for(*one) for one in ((100, 10), (100, 33), (100, 100), (100, 80), (7, 5))] == [10, 3, 1, 1, 1]
