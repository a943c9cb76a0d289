"""A recoding is found again from two tables: the same metrics as where it was made, and never a guess."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize import CellSuppression, Hierarchy, KAnonymity, TreeHierarchy, anonymize, automatic_hierarchies
from tacit.anonymize.utility import Utility, measure_utility, pair_tables, unchanged
from tacit.errors import DataError
from tacit.models.finding import Basis

TOWNS = TreeHierarchy.from_groups({"n": {"x": ["t0", "t1"], "y": ["t2", "t3"]}, "s": {"z": ["t4", "t5"], "w": ["t6", "t7"]}})


def people(n: int = 300) -> pa.Table:
    generator = np.random.default_rng(3)
    ages = generator.integers(18, 90, n)
    return pa.table(
        {
            "age": pa.array(ages, mask=ages == 40),
            "town [x]": [f"t{i}" for i in generator.integers(0, 8, n)],
            "zip": [f"{i:05d}" for i in generator.integers(10000, 10400, n)],
            "ill": generator.choice(["a", "b", "c"], n),
        }
    )


def hierarchies(table: pa.Table, *names: str) -> dict[str, Hierarchy]:
    return {name: TOWNS if name == "town [x]" else automatic_hierarchies(table, [name])[name] for name in names}


@pytest.mark.parametrize(
    ("how", "columns"),
    [
        ("full-domain", ("age", "town [x]", "zip")),
        ("local", ("age", "town [x]", "zip")),
        ("mondrian", ("age",)),
        (CellSuppression(limit=0.05), ("age", "town [x]", "zip")),
    ],
)
def test_every_metric_is_that_of_the_release_where_it_was_made(how: Any, columns: tuple[str, ...]) -> None:
    table = people()
    known = hierarchies(table, *columns)
    result = anonymize(table, quasi=known, require=[KAnonymity(5)], keep=["ill"], suppression_limit=0.1, recoding=how)
    again = pair_tables(table, result.table, known)
    there, here = measure_utility(result.recoded), measure_utility(again.recoded)
    for name in Utility.__dataclass_fields__:
        assert getattr(here, name) == pytest.approx(getattr(there, name), rel=1e-12), name
    assert there.loss > 0
    classes = [np.unique(result.recoded.class_of[result.recoded.kept]), np.unique(again.recoded.class_of[again.recoded.kept])]
    assert len(classes[0]) == len(classes[1])
    for name in ("ill",):
        assert table.column(name).take(again.origins).to_pylist() == result.table.column(name).to_pylist()
    assert len(set(again.origins.tolist())) == result.table.num_rows, "no row came from two"


def test_nothing_changed_is_nothing_lost() -> None:
    table = people()
    known = hierarchies(table, "age", "town [x]")
    again = pair_tables(table, table.take(np.random.default_rng(1).permutation(300)), known)
    lost = measure_utility(again.recoded)
    assert (lost.loss, lost.precision, lost.entropy, lost.divergence, lost.query_error) == (0, 0, 0, 0, 0)
    assert measure_utility(unchanged(again.recoded)) == lost


def test_classes_whose_labels_overlap_are_placed_by_what_is_left_over() -> None:
    """{x, y} of 2 rows and "*" of 2: the label "*" covers all 4, and the 2 that "x-y" needs are certain."""
    tree = TreeHierarchy(rows=(("x", "x-y", "*"), ("y", "x-y", "*"), ("z", "z", "*")))
    original = pa.table({"a": ["x", "z", "y", "z"]})
    again = pair_tables(original, pa.table({"a": ["*", "x-y", "*", "x-y"]}), {"a": tree})
    assert again.origins.tolist() == [1, 0, 3, 2]
    assert again.recoded.kept.all()


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["x-y", "x-y"], "1 of the release's 1 classes"),  # a row of the class is missing
        (["x-y"] * 3 + ["*"], "of the release's 2 classes"),  # whose row is "*" cannot be told
        (["x-y"] * 4, "1 of the release's 1 classes"),  # a row was added
        (["unheard of"] * 3, "1 of the release's 1 classes"),
    ],
)
def test_what_cannot_be_told_is_refused(labels: list[str], says: str) -> None:
    tree = TreeHierarchy(rows=(("x", "x-y", "*"), ("y", "x-y", "*")))
    with pytest.raises(DataError, match=says):
        pair_tables(pa.table({"a": ["x", "y", "y"]}), pa.table({"a": labels}), {"a": tree})


def test_each_figure_is_its_metrics_by_hand() -> None:
    """Two classes of 2 and 1 of 4 rows, one left out; levels 1 of 2 and 0 of 2: each figure from its definition."""
    tree = TreeHierarchy(rows=(("x", "x-y", "*"), ("y", "x-y", "*"), ("z", "z", "*"), ("v", "v", "*")))
    original = pa.table({"a": ["x", "y", "z", "v"]})
    lost = measure_utility(pair_tables(original, pa.table({"a": ["x-y", "x-y", "z"]}), {"a": tree}).recoded)
    # shares 2/4, 2/4, 1/4 and 1 for the row left out, of which 1/4 each is no loss; level 1 of 2, and 1 for the row left out
    assert lost.loss == pytest.approx((0.5 + 0.5 + 0.25 + 1 - 1) / (4 - 1), abs=1e-9)
    assert lost.precision == pytest.approx((3 * 0.5 + 1) / 4)
    assert lost.discernibility == 2**2 + 1 + 4 * 1
    assert lost.average_class_size == 4 / 3
    assert lost.entropy == pytest.approx(2)  # a bit for each of x and y
    # f log2(f / g): x, y: g = 2/4/2; z: g = 1/4; v: g = 1/4 over the domain of 4
    assert lost.divergence == pytest.approx(0.25 * 2)


def test_empty_tables_and_absent_columns_are_refused() -> None:
    table = people()
    known = hierarchies(table, "age")
    with pytest.raises(DataError, match="no rows"):
        pair_tables(table, table.slice(0, 0), known)
    with pytest.raises(DataError, match="'age' is not in the table"):
        pair_tables(table, table.select(["ill"]), known)


def test_the_findings_are_exact_and_have_names_of_their_own() -> None:
    table = people()
    recoded = pair_tables(table, table, hierarchies(table, "age")).recoded
    findings = [finding for when in ("before", "after") for finding in measure_utility(recoded).findings(when)]
    assert len({finding.name for finding in findings}) == len(findings) == 14
    assert all(finding.basis is Basis.EXACT and not finding.may_leave for finding in findings)
