from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.anonymize.classes import Classes, Histogram
from tacit.anonymize.coding import code_sensitive, code_table, combine_codes, distinct_tuples
from tacit.anonymize.hierarchies import TreeHierarchy

TREE = TreeHierarchy(rows=(("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")))


def test_keys_stay_exact_when_the_radix_would_pass_int64() -> None:
    rng = np.random.default_rng(3)
    columns = [rng.integers(0, 2**30, 500) for _ in range(4)]
    doubled = [np.concatenate([column, column]) for column in columns]
    keys, size = combine_codes(doubled, [2**30] * 4)
    assert (keys[:500] == keys[500:]).all()
    assert len(np.unique(keys)) == len(set(zip(*(column.tolist() for column in columns), strict=True)))
    assert keys.min() >= 0
    assert keys.max() < size


def test_shares_count_rows_of_the_hierarchy_not_values_of_the_data() -> None:
    (column,) = code_table(pa.table({"q": ["a", "a", None]}), {"q": TREE})
    assert [shares.tolist() for shares in column.shares] == [[0.25, 0.25], [0.5, 0.25], [1, 1]]
    assert column.labels == (("x", None), ("*",))
    assert column.leaves == 4


def table(rows: Any) -> pa.Table:
    names = {"q": [r[0] for r in rows], "p": [r[1] for r in rows], "s": [r[2] for r in rows]}
    return pa.table({name: pa.array(values, pa.string()) for name, values in names.items()})


ROWS = st.lists(st.tuples(*[st.sampled_from(["a", "b", "c", None])] * 3, st.booleans()), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS)
def test_tuples_count_rows_population_and_sensitive_values(rows: Any, population: Any) -> None:
    data, chosen = table(rows), np.array([row[3] for row in rows])
    both = pa.concat_tables([data, table(population)])
    tuples = distinct_tuples(
        code_table(both, {"q": TREE, "p": TREE}),
        sensitive=code_sensitive(data, ["s"]),
        subset=chosen,
        extra=len(population),
    )
    assert tuples.rows == tuples.weights.sum() == chosen.sum()
    assert tuples.everyone is not None
    assert tuples.population is not None
    assert tuples.everyone.sum() == len(rows)
    assert tuples.population.sum() == len(population)
    for row, (q, p, s, own) in enumerate(rows):
        number = tuples.of_row[row]
        assert tuples.everyone[number] == sum(r[:2] == (q, p) for r in rows)
        assert tuples.population[number] == sum(r[:2] == (q, p) for r in population)
        assert tuples.weights[number] == sum(r[:2] == (q, p) and r[3] for r in rows)
        counts = tuples.sensitive["s"]
        assert set(counts.labels) == {r[2] for r in rows if r[3]}
        value = counts.labels.index(s) if s in counts.labels else -1
        here = (counts.tuple_of == number) & (counts.values == value)
        assert counts.counts[here].sum() == sum(r[:3] == (q, p, s) and r[3] for r in rows)
        assert counts.totals[counts.values[here]].sum() == (sum(r[2] == s and r[3] for r in rows) if here.any() else 0)
        assert here.any() >= own


def test_a_selection_of_tuples_keeps_the_totals_of_the_whole_input() -> None:
    data = table([("a", "a", "c", True), ("a", "b", "c", True), ("b", "b", "a", True)])
    tuples = distinct_tuples(code_table(data, {"q": TREE, "p": TREE}), sensitive=code_sensitive(data, ["s"]))
    chosen = tuples.select(np.array([False, True, True]))
    assert chosen.weights.tolist() == [1, 1]
    assert chosen.rows == 3
    assert chosen.sensitive["s"].totals.tolist() == [2, 1]
    assert chosen.sensitive["s"].tuple_of.tolist() == [0, 1]


def test_a_selection_of_classes_numbers_them_again() -> None:
    histogram = Histogram(
        class_of=np.array([0, 0, 1, 2]),
        values=np.array([0, 1, 1, 0]),
        counts=np.array([3, 1, 2, 5]),
        totals=np.array([8, 3]),
        labels=("x", None),
    )
    classes = Classes(
        sizes=np.array([4, 2, 5]),
        rows=11,
        sensitive={"s": histogram},
        subset=np.array([1, 2, 3]),
        population=np.array([9, 8, 7]),
        codes=(np.array([0, 1, 2]),),
    )
    left = classes.select(np.array([True, False, True]))
    assert (left.sizes.tolist(), left.rows, len(left)) == ([4, 5], 11, 2)
    assert left.sensitive["s"].class_of.tolist() == [0, 0, 1]
    assert left.sensitive["s"].counts.tolist() == [3, 1, 5]
    assert left.sensitive["s"].totals.tolist() == [8, 3]
    assert left.subset is not None
    assert left.population is not None
    assert left.subset.tolist() == [1, 3]
    assert left.population.tolist() == [9, 7]
    assert left.codes[0].tolist() == [0, 2]


def test_sensitive_labels_name_their_values_and_missing_is_one() -> None:
    (column,) = code_sensitive(pa.table({"s": [7.0, None, 7.5]}), ["s"])
    assert column.labels == ("7", None, "7.5")
    with pytest.raises(Exception, match="'t' is not in the table"):
        code_sensitive(pa.table({"s": [1]}), ["t"])
