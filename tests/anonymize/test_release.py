from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy
from tacit.anonymize.loss import Loss
from tacit.anonymize.privacy_models import KAnonymity
from tacit.anonymize.release import anonymize
from tacit.errors import ConfigError, DataError, PrivacyError

AGE = IntervalHierarchy.from_widths(0, 100, [10, 20])
JOB = TreeHierarchy.from_groups({"office": ["clerk", "boss"], "field": ["farmer"]})
TABLE = pa.table(
    {
        "job": ["clerk", "boss", "clerk", "farmer", "farmer", "boss", "clerk"],
        "name": list("abcdefg"),
        "age": [21, 22, 23, 31, 32, 24, 99],
        "ill": [True, False, True, False, True, False, True],
    }
)


def released(table: pa.Table = TABLE, **options: Any) -> Any:
    settings: dict[str, Any] = {"suppression_limit": 0.2, "keep": ("ill",)} | options
    return anonymize(table, {"age": AGE, "job": JOB}, settings.pop("model", KAnonymity(k=2)), **settings)


def test_a_release_holds_the_levels_found_without_suppressed_rows_and_only_named_columns() -> None:
    result = released()
    assert result.table.column_names == ["job", "age", "ill"]
    assert result.levels == {"age": 1, "job": 0}
    assert result.table.to_pylist() == [
        {"job": "boss", "age": "[20, 30)", "ill": False},
        {"job": "boss", "age": "[20, 30)", "ill": False},
        {"job": "clerk", "age": "[20, 30)", "ill": True},
        {"job": "clerk", "age": "[20, 30)", "ill": True},
        {"job": "farmer", "age": "[30, 40)", "ill": False},
        {"job": "farmer", "age": "[30, 40)", "ill": True},
    ]
    assert (result.rows, result.suppressed, result.classes, result.smallest_class, result.largest_class) == (7, 1, 3, 2, 2)
    assert result.optimal
    assert result.verification.ok


def test_the_order_of_rows_says_nothing_about_the_original_order() -> None:
    assert released(TABLE.take([6, 3, 1, 0, 5, 2, 4])).table.equals(released().table)


def test_a_column_at_level_zero_keeps_its_type() -> None:
    result = anonymize(pa.table({"age": [20.5, 20.5]}), {"age": AGE}, KAnonymity(k=2), suppression_limit=0)
    assert result.table.schema.field("age").type == pa.float64()


def test_t1_missing_values_are_stated_to_be_a_category_and_stay_missing() -> None:
    table = pa.table({"age": [21, 22, None, None], "job": ["clerk"] * 4, "ill": [True] * 4})
    result = released(table, suppression_limit=0)
    assert result.table.column("age").to_pylist() == ["[20, 30)", "[20, 30)", None, None]
    assert result.settings["missing"] == "a category of its own"


def test_nan_is_missing_and_dictionaries_are_read_as_their_values() -> None:
    nan = pa.table(
        {"age": [21.0, 22.0, float("nan"), float("nan")], "job": pa.array(["clerk"] * 4).dictionary_encode(), "ill": [True] * 4}
    )
    assert released(nan, suppression_limit=0).table.column("age").null_count == 2


def test_a_column_without_a_single_value_is_one_category() -> None:
    table = pa.table({"age": pa.nulls(4), "job": ["clerk"] * 4, "ill": [True] * 4})
    with pytest.raises(DataError, match="column 'age'"):
        released(table, suppression_limit=0)
    typed = table.set_column(0, "age", pa.nulls(4, pa.int64()))
    assert released(typed, suppression_limit=0).levels == {"age": 0, "job": 0}


def test_t7_the_record_hashes_every_hierarchy() -> None:
    def digests(job: Any) -> Any:
        result = anonymize(TABLE, {"age": AGE, "job": job}, KAnonymity(k=2), suppression_limit=0.2)
        return {name: form["sha256"] for name, form in result.to_json()["settings"]["hierarchies"].items()}

    renamed = TreeHierarchy.from_groups({"desk": ["clerk", "boss"], "field": ["farmer"]})
    assert digests(JOB) == digests(TreeHierarchy(rows=JOB.rows))
    assert digests(JOB)["age"] == digests(renamed)["age"]
    assert digests(JOB)["job"] != digests(renamed)["job"]


def test_the_record_is_never_called_differential_privacy() -> None:
    record = released().to_json()
    assert record["claim"] == "a syntactic property of this table; not differential privacy"
    assert "epsilon" not in str(record)


def test_every_setting_changes_the_release() -> None:
    assert released(model=KAnonymity(k=3)).table != released().table
    assert released(suppression_limit=0).suppressed != released().suppressed
    assert released(keep=()).table.column_names == ["job", "age"]
    assert released(loss=Loss(aggregate="geometric mean")).loss != released().loss
    seen: list[tuple[int, int]] = []
    released(on_progress=lambda *at: seen.append(at))
    assert seen
    with pytest.raises(ConfigError, match="time_limit"):
        released(time_limit=0)


@pytest.mark.parametrize(
    ("table", "options", "error", "says"),
    [
        (TABLE, {"suppression_limit": 1}, ConfigError, "suppression_limit"),
        (TABLE, {"suppression_limit": float("nan")}, ConfigError, "suppression_limit"),
        (TABLE, {"keep": ("age",)}, ConfigError, r"\['age'\] are named twice"),
        (TABLE, {"keep": ("ill", "ill")}, ConfigError, r"\['ill'\] are named twice"),
        (TABLE, {"keep": ("nope",)}, DataError, "'nope' is not in the table"),
        (TABLE.drop(["job"]), {}, DataError, "'job' is not in the table"),
        (TABLE.append_column("age", TABLE.column("age")), {}, DataError, "'age' occurs 2 times"),
        (TABLE.slice(0, 0), {}, DataError, "no rows"),
        (TABLE, {"model": KAnonymity(k=8)}, DataError, "Even one class of all 7 rows"),
        (TABLE.set_column(2, "age", pa.array(["7777"] * 7)), {}, DataError, "column 'age': its values are string"),
        (TABLE.set_column(2, "age", pa.array([7777] * 7)), {}, DataError, "column 'age': it holds values outside"),
        (TABLE.set_column(0, "job", pa.array(["7777"] * 7)), {}, DataError, "column 'job': 1 of its 1 distinct values"),
        (TABLE.append_column("list", pa.array([[1]] * 7)), {"keep": ("list",)}, DataError, "'list' holds lists"),
    ],
)
def test_bad_input_is_refused_by_name_and_never_by_value(table: pa.Table, options: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        released(table, **options)
    assert "7777" not in str(caught.value)


def test_a_value_outside_a_hierarchy_without_levels_between_is_refused_too() -> None:
    with pytest.raises(DataError, match="column 'job'"):
        anonymize(TABLE, {"job": TreeHierarchy(rows=(("clerk",), ("boss",)))}, KAnonymity(k=2), suppression_limit=0.5)


def test_no_quasi_identifier_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one quasi-identifier"):
        anonymize(TABLE, {}, KAnonymity(k=2), suppression_limit=0)


@pytest.mark.parametrize("k", [1, 0, -3, 2.0, True, "5"])
def test_k_must_be_a_whole_number_of_at_least_two(k: Any) -> None:
    with pytest.raises(ConfigError, match="k must be a whole number"):
        KAnonymity(k=k)


class Unverifiable(KAnonymity):
    """A model that the independent check does not know."""

    def to_json(self) -> Any:
        return {"model": "trust me"}


def test_what_the_independent_check_cannot_confirm_is_not_released() -> None:
    with pytest.raises(PrivacyError, match="not one this check knows"):
        released(model=Unverifiable(k=2))


def test_a_release_that_recoding_got_wrong_is_not_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: the recoding forgets to suppress."""
    from tacit.anonymize import release

    honest = release._recode
    monkeypatch.setattr(release, "_recode", lambda data, coded, found, keep: honest(data, coded, _keeping_all(found), keep))
    with pytest.raises(PrivacyError, match="1 of 4 classes have fewer than 2 rows"):
        released()


def _keeping_all(found: Any) -> Any:
    from dataclasses import replace

    return replace(found, keep=found.keep | True)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.integers(0, 100)), st.sampled_from(["clerk", "boss", "farmer", None])),
        min_size=2,
        max_size=40,
    ),
    st.integers(2, 5),
    st.sampled_from([0, 0.1, 0.5]),
)
def test_every_release_of_random_tables_passes_the_independent_check(rows: Any, k: Any, limit: float) -> None:
    table = pa.table(
        {"age": pa.array([age for age, _ in rows], pa.int64()), "job": pa.array([job for _, job in rows], pa.string())}
    )
    if k > len(rows):
        return
    result = anonymize(table, {"age": AGE, "job": JOB}, KAnonymity(k=k), suppression_limit=limit)
    assert result.smallest_class >= k
    assert result.table.num_rows == result.rows - result.suppressed
