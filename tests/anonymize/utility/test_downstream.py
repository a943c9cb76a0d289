import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.utility import downstream_accuracy
from tacit.errors import ConfigError, DataError, MissingExtra, ShapeError
from tacit.models.finding import Basis

N = 600


def people() -> pa.Table:
    """Who is over 50 or a smoker is ill; 1 in 20 otherwise than told."""
    generator = np.random.default_rng(1)
    age, smokes = generator.integers(20, 80, N), generator.integers(0, 2, N)
    ill = ((age > 50) | (smokes == 1)) ^ (generator.random(N) < 0.05)
    return pa.table({"age": age, "smokes": np.where(smokes == 1, "yes", "no"), "ill": np.where(ill, "ill", "well")})


def released(table: pa.Table, age: Any, smokes: Any, origin: Any = None) -> tuple[pa.Table, Any]:
    rows = np.arange(N) if origin is None else origin
    ages = [age(value.as_py()) for value in table.column("age").take(rows)]
    return pa.table({"age": ages, "smokes": [smokes(value.as_py()) for value in table.column("smokes").take(rows)]}), rows


def score(table: pa.Table, release: pa.Table, origin: Any, **more: Any) -> Any:
    return downstream_accuracy(table, release, origin=origin, features=["age", "smokes"], target="ill", **more)


def test_an_untouched_release_teaches_what_the_original_does() -> None:
    table = people()
    result = score(table, table.select(["age", "smokes"]), np.arange(N))
    assert result.original == result.released
    assert result.original > 0.8 > result.majority + 0.05
    assert result.rows == N


def test_a_mild_generalization_keeps_the_accuracy_and_stars_lose_it() -> None:
    table = people()
    mild = score(table, *released(table, lambda age: f"[{age // 10 * 10}, {age // 10 * 10 + 10})", str))
    stars = score(table, *released(table, lambda _: "*", lambda _: "*"))
    assert mild.released == pytest.approx(mild.original, abs=0.03)
    assert stars.released == stars.majority == mild.majority


def test_released_labels_of_different_levels_stand_for_the_values_under_them() -> None:
    """Local recoding: half of the rows at one level, half at another; a classifier that took labels as names would be blind."""
    table = people()
    mixed = [
        f"[{age}, {age + 1})" if i % 2 else f"[{age // 5 * 5}, {age // 5 * 5 + 5})"
        for i, age in enumerate(table["age"].to_pylist())
    ]
    local = pa.table({"age": mixed, "smokes": table["smokes"]})
    result = score(table, local, np.arange(N))
    assert result.released == pytest.approx(result.original, abs=0.03)


def test_suppressed_rows_teach_nothing_but_are_tested() -> None:
    table = people()
    well = np.flatnonzero(np.array(table["smokes"].to_pylist()) == "no")
    result = score(table, *released(table, str, str, well))
    assert result.rows == N
    assert result.released < result.original - 0.05


def test_rows_in_another_order_are_found_by_their_origin() -> None:
    table, order = people(), np.random.default_rng(5).permutation(N)
    right = score(table, table.select(["age", "smokes"]).take(order), order)
    assert right.released == pytest.approx(right.original, abs=0.01)
    wrong = score(table, table.select(["age", "smokes"]).take(order), np.arange(N))  # the planted fault: origin ignored
    assert wrong.released < right.released - 0.1


def test_missing_values_and_a_constant_column_do_no_harm() -> None:
    table = people()
    holes = pa.table(
        {
            "age": pa.array([None if i % 7 == 0 else age for i, age in enumerate(table["age"].to_pylist())]),
            "smokes": pa.array([None if i % 11 == 0 else s for i, s in enumerate(table["smokes"].to_pylist())]),
            "one": [1.0] * N,
            "none": pa.nulls(N, pa.float64()),
            "ill": table["ill"],
        }
    )
    names = ["age", "smokes", "one", "none"]
    result = downstream_accuracy(holes, holes.select(names), origin=np.arange(N), features=names, target="ill")
    assert result.original == result.released > 0.75


def test_the_findings_stay_with_the_custodian() -> None:
    table = people()
    findings = score(table, table.select(["age", "smokes"]), np.arange(N)).findings()
    assert len({finding.name for finding in findings}) == len(findings) == 4
    assert findings[1].value == findings[3].value, "what one answer to all has does not depend on the release"
    assert all(finding.basis is Basis.EXACT and not finding.may_leave for finding in findings)


def test_bad_input_is_refused() -> None:
    table = people()
    quasi = table.select(["age", "smokes"])
    wrong: list[Any] = [{"folds": 1}, {"target": "age"}, {"features": []}]
    for more in wrong:
        with pytest.raises(ConfigError, match="folds"):
            downstream_accuracy(table, quasi, **{"origin": np.arange(N), "features": ["age"], "target": "ill", **more})
    with pytest.raises(ShapeError, match="origin"):
        score(table, quasi, np.arange(N - 1))
    with pytest.raises(DataError, match="'absent' is not in the table"):
        downstream_accuracy(table, quasi, origin=np.arange(N), features=["age"], target="absent")
    with pytest.raises(DataError, match="two classes"):
        downstream_accuracy(
            table.set_column(2, "ill", pa.array(["ill"] * N)), quasi, origin=np.arange(N), features=["age"], target="ill"
        )
    one = np.flatnonzero(np.array(table["ill"].to_pylist()) == "ill")
    with pytest.raises(DataError, match="one class of the target only"):
        score(table, quasi.take(one), one)


def test_without_scikit_learn_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    table = people()
    with pytest.raises(MissingExtra, match="pip install scikit-learn"):
        score(table, table.select(["age", "smokes"]), np.arange(N))
