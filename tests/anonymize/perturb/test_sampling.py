import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anonymize.perturb.tables import FEW, hoeffding, people
from tacit.anonymize.perturb import Linkage, sample_rows
from tacit.anonymize.perturb.sampling import draw_rows
from tacit.errors import ConfigError
from tacit.noise import OsSource

SOURCE = OsSource.from_os()


def numbered(rows: int) -> pa.Table:
    return pa.table({"row": np.arange(rows), "town": np.array(["a", "b", "b", "c", "c", "c", "c"])[np.arange(rows) % 7]})


def drawn(table: pa.Table, **settings: Any) -> Any:
    return np.array(sample_rows(table, source=SOURCE, attacker=FEW, **settings).table["row"])


def test_rows_are_drawn_once_in_their_order_and_in_the_stated_number() -> None:
    for fraction, counts in ((0.1, {100}), (0.25, {250}), (0.3333, {333, 334})):
        rows = drawn(numbered(1_000), fraction=fraction)
        assert (np.diff(rows) > 0).all()
        assert len(rows) in counts


def test_strata_are_each_sampled_by_themselves() -> None:
    table = numbered(700)
    for _ in range(10):
        rows = drawn(table, fraction=0.11, within=["town"])
        for stratum, size in (("a", 100), ("b", 200), ("c", 400)):
            count = sum(1 for row in rows if table["town"][int(row)].as_py() == stratum)
            assert count in (math.floor(size * 0.11), math.ceil(size * 0.11))


@pytest.mark.parametrize("classes", [[0] * 7, [0, 1, 1, 2, 2, 2, 2]])
def test_every_row_has_the_stated_chance_whatever_the_size_of_its_class(classes: list[int]) -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding on 7 rows' shares of 6,000 samples): 0.3 of 7, or of 1, 2 and 4 rows."""
    n, hits = 6_000, np.zeros(7)
    for _ in range(n):
        hits[draw_rows(np.array(classes), 0.3, SOURCE)] += 1
    assert (np.abs(hits / n - 0.3) <= hoeffding(n, 1e-9, events=7)).all()  # 0.044


def test_unique_rows_are_linked_as_often_as_they_are_drawn() -> None:
    """400 rows that all differ, all looked for: exactly the share released."""
    effect = sample_rows(people(400), fraction=0.25, source=SOURCE, attacker=Linkage(known=["income"], targets=400)).effect
    assert effect.linked_before == 1.0
    assert effect.linked_after == pytest.approx(0.25)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, True, "0.1", float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction: Any) -> None:
    with pytest.raises(ConfigError, match="fraction"):
        sample_rows(people(10), fraction=fraction, source=SOURCE)
    with pytest.raises(ConfigError, match="drew none"):
        sample_rows(people(10), fraction=1e-12, source=SOURCE)
