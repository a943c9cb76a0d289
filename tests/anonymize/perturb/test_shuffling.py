from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from anonymize.perturb.tables import FEW, hoeffding, people
from tacit.anonymize.perturb import shuffle
from tacit.anonymize.perturb.shuffling import _order
from tacit.errors import ConfigError
from tacit.noise import OsSource

SOURCE = OsSource.from_os()


def rows(table: pa.Table, *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def test_columns_keep_their_values_and_together_they_keep_their_pairs() -> None:
    table = people(3_000)
    made = shuffle(table, ["age", "score"], source=SOURCE, attacker=FEW).table
    assert Counter(rows(made, "age", "score")) == Counter(rows(table, "age", "score"))
    assert made.select(["income", "town"]).equals(table.select(["income", "town"]))
    assert made.schema.names == table.schema.names
    apart = shuffle(table, ["age", "score"], together=False, source=SOURCE, attacker=FEW).table
    for name in ("age", "score"):
        assert Counter(apart[name].to_pylist()) == Counter(table[name].to_pylist())
    assert Counter(rows(apart, "age", "score")) != Counter(rows(table, "age", "score"))


def test_within_classes_each_class_keeps_its_values() -> None:
    table = people(3_000)
    made = shuffle(table, ["income"], within=["town", "age"], source=SOURCE, attacker=FEW)
    assert Counter(rows(made.table, "town", "age", "income")) == Counter(rows(table, "town", "age", "income"))
    alone = [row for row, count in Counter(rows(table, "town", "age")).items() if count == 1]
    assert made.parameters["rows_alone_in_their_class"] == len(alone)
    assert made.effect.columns["income"].changed > 0.8
    everywhere = shuffle(table, ["income"], source=SOURCE, attacker=FEW).table
    assert Counter(rows(everywhere, "town", "age", "income")) != Counter(rows(table, "town", "age", "income"))


def test_every_permutation_of_a_class_is_equally_likely() -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding on six shares of 12,000): 4,000 classes of 3 rows, three times."""
    classes = np.tile(np.arange(4_000), 3)
    drawn: Counter[tuple[int, ...]] = Counter()
    for _ in range(3):
        order = _order(classes, SOURCE).reshape(3, 4_000)
        assert (order % 4_000 == np.arange(4_000)).all()
        drawn.update(map(tuple, (order // 4_000).T.tolist()))
    bound = hoeffding(12_000, 1e-9, events=6)  # 0.031
    assert len(drawn) == 6
    assert all(abs(count / 12_000 - 1 / 6) <= bound for count in drawn.values())


def test_missing_values_make_a_class_and_move_like_others() -> None:
    table = pa.table({"town": ["a", None, None, "a"], "x": [1, None, 3, 4]})
    made = shuffle(table, ["x"], within=["town"], source=SOURCE).table
    assert set(made["x"].to_pylist()[1:3]) == {None, 3}
    assert {made["x"].to_pylist()[0], made["x"].to_pylist()[3]} == {1, 4}


def test_a_shuffle_that_moves_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="alone in its class"):
        shuffle(pa.table({"id": [1, 2, 3], "x": [1, 2, 3]}), ["x"], within=["id"], source=SOURCE)
    with pytest.raises(ConfigError, match="cannot do both"):
        shuffle(people(10), ["age"], within=["age"], source=SOURCE)
