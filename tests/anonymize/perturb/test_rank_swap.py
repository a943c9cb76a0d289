from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anonymize.perturb.tables import FEW, hoeffding, people, values
from tacit.anonymize.perturb import rank_swap
from tacit.anonymize.perturb.ranks import partners
from tacit.errors import ConfigError, DataError
from tacit.noise import OsSource

SOURCE = OsSource.from_os()


def test_a_column_keeps_exactly_its_values_and_no_rank_moves_further_than_the_window() -> None:
    table = people(5_000)
    for window in (0.001, 0.02, 0.5, 1.0):
        made = rank_swap(table, ["income"], window=window, source=SOURCE, attacker=FEW)
        before, after = values(table, "income"), values(made.table, "income")
        assert np.array_equal(np.sort(before), np.sort(after))
        ranks = np.searchsorted(np.sort(before), np.column_stack([before, after]))  # all values differ
        distance = np.abs(ranks[:, 0] - ranks[:, 1])
        assert distance.max() <= int(window * 5_000)
        assert distance.max() > 0.9 * min(int(window * 5_000), 4_000)  # a narrower window than stated is seen
        assert made.effect.columns["income"].distance == 0.0
        assert (distance > 0).mean() >= 0.6


@pytest.mark.parametrize(("count", "reach"), [(1, 1), (2, 1), (7, 1), (7, 3), (50, 4), (50, 49), (333, 20)])
def test_ranks_are_paired_within_reach_and_left_alone_only_when_none_above_is_free(count: int, reach: int) -> None:
    for _ in range(20):
        partner = partners(count, reach, SOURCE).tolist()
        for rank, other in enumerate(partner):
            assert partner[other] == rank
            assert abs(other - rank) <= reach
            if other == rank:  # every rank above, in reach, had a partner from below
                assert all(partner[above] < rank for above in range(rank + 1, min(count, rank + reach + 1)))


def test_every_free_rank_in_reach_is_drawn_alike() -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding on three shares of 4,000 pairings of 5 ranks)."""
    n = 4_000
    first = [int(partners(5, 3, SOURCE)[0]) for _ in range(n)]
    bound = hoeffding(n, 1e-9, events=3)  # 0.053
    assert all(abs(first.count(rank) / n - 1 / 3) <= bound for rank in (1, 2, 3))


def test_equal_values_are_ranked_at_random_and_missing_stay_where_they_are() -> None:
    """The highest trades with the rank below, one of 2,999 equal values: five times the same with probability 2,999^-4 = 1.2e-14."""
    table = pa.table({"x": pa.array([1.0] * 2_999 + [None, 2.0])})
    places = set()
    for _ in range(5):
        after = rank_swap(table, ["x"], window=0.0004, source=SOURCE, attacker=FEW).table["x"].to_pylist()
        assert after[2_999] is None
        places.add(after.index(2.0))
    assert len(places) > 1


def test_several_columns_are_swapped_each_by_itself_and_dates_keep_their_type() -> None:
    table = pa.table({"a": list(range(100)), "b": [date.fromordinal(700_000 + at) for at in range(100)]})
    made = rank_swap(table, ["a", "b"], window=0.3, source=SOURCE).table
    assert made.schema == table.schema
    moved = [
        [before != after for before, after in zip(table[name].to_pylist(), made[name].to_pylist(), strict=True)] for name in "ab"
    ]
    assert made["a"].to_pylist() != [(day - date.fromordinal(700_000)).days for day in made["b"].to_pylist()]
    assert all(any(column) for column in moved)


@pytest.mark.parametrize("window", [0, -0.1, 1.1, True, "0.1", float("nan")])
def test_a_window_out_of_range_is_refused(window: Any) -> None:
    with pytest.raises(ConfigError, match="window"):
        rank_swap(people(50), ["age"], window=window, source=SOURCE)


def test_what_has_no_ranks_or_nobody_to_swap_with_is_refused() -> None:
    with pytest.raises(DataError, match="no ranks"):
        rank_swap(people(50), ["town"], window=0.1, source=SOURCE)
    with pytest.raises(ConfigError, match="reaches no other"):
        rank_swap(people(50), ["age"], window=0.01, source=SOURCE)
    with pytest.raises(DataError, match="one value"):
        rank_swap(pa.table({"a": [3, 3, None, 3]}), ["a"], window=0.5, source=SOURCE)
