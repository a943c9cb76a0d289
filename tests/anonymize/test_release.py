import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy, automatic_hierarchies
from tacit.anonymize.local import CellSuppression
from tacit.anonymize.manifest import table_digest
from tacit.anonymize.privacy_models import (
    AverageRisk,
    BasicBetaLikeness,
    DeltaPresence,
    DistinctLDiversity,
    EntropyLDiversity,
    KAnonymity,
    KMap,
    LKCPrivacy,
    TCloseness,
)
from tacit.anonymize.recoding import released_table
from tacit.anonymize.release import anonymize
from tacit.anonymize.utility.loss import Loss
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

MIXED = pa.UnionArray.from_sparse(pa.array([0, 1] * 3 + [0], pa.int8()), [pa.array(["a"] * 7), pa.array([1] * 7)])


def released(table: pa.Table = TABLE, **options: Any) -> Any:
    settings: dict[str, Any] = {
        "quasi": {"age": AGE, "job": JOB},
        "require": [KAnonymity(2)],
        "suppression_limit": 0.2,
        "keep": ("ill",),
    }
    return anonymize(table, **settings | options)


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
    result = anonymize(pa.table({"age": [20.5, 20.5]}), quasi={"age": AGE}, require=[KAnonymity(2)])
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


@pytest.mark.parametrize("missing", [pa.nulls(7), pa.nulls(7, pa.int64()), pa.array([float("nan")] * 7)])
def test_a_column_without_a_single_value_is_refused(missing: Any) -> None:
    with pytest.raises(DataError, match="column 'age' is missing in every row"):
        released(TABLE.set_column(2, "age", missing))
    with pytest.raises(DataError, match="column 'ill' is missing in every row"):
        released(TABLE.set_column(3, "ill", missing), sensitive=["ill"], keep=())


def test_t7_the_record_hashes_every_hierarchy() -> None:
    def digests(job: Any) -> Any:
        result = released(quasi={"age": AGE, "job": job})
        return {name: form["sha256"] for name, form in result.manifest()["settings"]["hierarchies"].items()}

    renamed = TreeHierarchy.from_groups({"desk": ["clerk", "boss"], "field": ["farmer"]})
    assert digests(JOB) == digests(TreeHierarchy(rows=JOB.rows))
    assert digests(JOB)["age"] == digests(renamed)["age"]
    assert digests(JOB)["job"] != digests(renamed)["job"]


def test_the_record_is_never_called_differential_privacy() -> None:
    record = released().manifest()
    assert record["claim"] == "a syntactic property of this table; not differential privacy"
    assert "epsilon" not in str(record)


def test_the_manifest_travels_as_json_with_hash_models_losses_and_risks() -> None:
    result = released(minimize=Loss(aggregate="rank", weights={"job": 2}))
    manifest = json.loads(json.dumps(result.manifest()))
    assert manifest["sha256"] == table_digest(result.table)
    assert manifest["settings"]["models"] == [{"model": "k-anonymity", "k": 2}]
    assert manifest["settings"]["metric"]["weights"] == {"job": 2}
    assert manifest["score"] == list(result.score)
    assert manifest["risks"] == {"prosecutor, highest": 0.5, "prosecutor, average": 0.5}  # three classes of two rows
    # age: six rows in intervals of width 10 of 100, one suppressed: (6 * 0.1 + 1) / 7; job: one suppressed, six raw
    assert manifest["losses"] == pytest.approx({"age": 1.6 / 7, "job": 1 / 7}, abs=1e-9)
    assert manifest["search"] == "full-domain search, proved optimal"


def test_the_digest_of_a_table_sees_values_and_not_chunks() -> None:
    halves = pa.concat_tables([TABLE.slice(0, 3), TABLE.slice(3)])
    assert table_digest(halves) == table_digest(TABLE)
    assert table_digest(TABLE.slice(1)) != table_digest(TABLE)
    assert table_digest(TABLE.take([1, 0, 2, 3, 4, 5, 6])) != table_digest(TABLE)
    assert table_digest(TABLE.set_column(2, "age", TABLE["age"].cast(pa.float64()))) != table_digest(TABLE)


def test_findings_are_exact_and_stay_with_the_custodian() -> None:
    findings = {finding.name: finding for finding in released().findings}
    assert findings["rows released"].value == 6
    assert findings["smallest class"].value == 2
    assert findings["information lost"].value == released().score
    assert not any(finding.may_leave for finding in findings.values())


def test_quasi_identifiers_named_alone_get_hierarchies_that_the_record_shows() -> None:
    result = released(quasi=["age", "job"], suppression_limit=0.5)
    assert set(result.settings["hierarchies"]) == {"age", "job"}
    assert result.smallest_class >= 2


def test_a_stopped_search_states_its_gap_in_words() -> None:
    table = pa.table({name: ["a", "b", "c", "d"] * 20 for name in "pqrstuvw"})
    tree = TreeHierarchy.from_groups({"x": ["a", "b"], "y": ["c", "d"]})
    result = anonymize(table, quasi=dict.fromkeys("pqrstuvw", tree), require=[KAnonymity(40)], time_limit=1e-9)
    assert not result.optimal
    assert result.search == f"full-domain search, best found; at most {result.gap:.4g} above the optimum"


@pytest.mark.parametrize("recoding", ["full-domain", "local", "mondrian", CellSuppression(limit=0.3)], ids=str)
@pytest.mark.parametrize(
    "models",
    [
        [KAnonymity(3), DistinctLDiversity("ill", 2)],
        [EntropyLDiversity("ill", 1.8), KAnonymity(2)],
        [TCloseness("ill", 0.3)],
        [AverageRisk(0.2)],
        [LKCPrivacy("ill", 2, 3, 0.8)],
        [BasicBetaLikeness("ill", 0.8), KAnonymity(2)],
    ],
    ids=str,
)
def test_the_independent_check_confirms_every_model_under_every_recoding(models: Any, recoding: Any) -> None:
    rng = np.random.default_rng(3)
    table = pa.table(
        {"age": rng.integers(0, 100, 80), "job": rng.choice(["clerk", "boss", "farmer"], 80), "ill": rng.choice(["x", "y"], 80)}
    )
    result = released(table, require=models, keep=(), sensitive=["ill"], suppression_limit=0.3, recoding=recoding)
    assert result.verification.ok
    assert len(result.verification.checks) >= len(models) + 2


def test_subset_and_population_reach_models_and_check() -> None:
    population = pa.concat_tables([TABLE, TABLE])
    chosen = [True, True, False, True, True, True, False]
    assert released(require=[KMap(4)], population=population, suppression_limit=0).levels != released().levels
    mapped = released(require=[KMap(2)], subset=chosen, suppression_limit=0)
    assert mapped.rows == mapped.table.num_rows == 5
    assert not {2, 6} & set(mapped.origins.tolist())
    present = released(require=[DeltaPresence(0.0, 0.8)], subset=chosen, suppression_limit=0)
    assert present.verification.ok
    assert present.levels != mapped.levels


@pytest.mark.parametrize(
    "model",
    [
        TCloseness("s", 0.2, order=["x", "y", "z"]),
        TCloseness("s", 0.2, order=["x", "y"]),
        TCloseness("s", 0.1, tree=[["x", "l"], ["y", "l"]]),
    ],
    ids=["order", "order without it", "tree without it"],
)
def test_closeness_counts_the_values_of_the_research_subset_as_the_check_does(model: Any) -> None:
    """z is only in rows that may not be released. Of the others 0.25 move one place of one, by tree half of its height, at level 0."""
    data = pa.table({"q": ["a"] * 8 + ["b"] * 8, "s": list("xxxyzzzzxyyyzzzz")})
    result = anonymize(data, quasi=["q"], require=[model], subset=([True] * 4 + [False] * 4) * 2)
    assert result.verification.ok
    assert (result.levels, result.rows) == ({"q": 1}, 8)


def test_automatic_hierarchies_hold_the_values_of_the_population_too() -> None:
    data = pa.table({"age": [31, 34, 38, 44], "zip": ["12345", "12346", "12355", "12399"]})
    people = pa.table({"age": [31, 34, 38, 44, 90, 3], "zip": ["12345", "12346", "12355", "12399", "99999", "00000"]})
    result = anonymize(data, quasi=["age", "zip"], require=[KMap(2)], population=people)
    assert result.verification.ok
    alone = automatic_hierarchies(data, ["age"])
    with pytest.raises(
        DataError, match="'age': it holds values outside its hierarchy, which was built from other rows"
    ) as caught:
        anonymize(data, quasi=alone, require=[KMap(2)], population=people)
    assert not any(sign.isdigit() for sign in str(caught.value))


def test_every_setting_changes_the_release() -> None:
    assert released(require=[KAnonymity(3)]).table != released().table
    assert released(suppression_limit=0).suppressed != released().suppressed
    assert released(keep=()).table.column_names == ["job", "age"]
    assert released(minimize=Loss(aggregate="geometric mean")).score != released().score
    assert released(recoding="mondrian").table != released().table
    assert released(subset=[True] * 6 + [False]).suppressed == 0
    assert released(sensitive=["name"]).table.column_names == ["job", "name", "age", "ill"]
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
        (TABLE, {"suppression_limit": None}, ConfigError, "suppression_limit must be .* got None"),
        (TABLE, {"suppression_limit": [0.1]}, ConfigError, r"suppression_limit must be .* got \[0.1\]"),
        (TABLE, {"time_limit": [1]}, ConfigError, r"time_limit must be > 0 seconds, got \[1\]"),
        (TABLE, {"quasi": ["age", "age"]}, ConfigError, r"\['age'\] are named twice"),
        (
            TABLE.append_column("few", pa.array(["7777"] * 6 + ["b"])),
            {"sensitive": ["few"], "subset": [True] * 6 + [False]},
            DataError,
            "'few' has one value in all rows of the research subset",
        ),
        (TABLE, {"keep": ("age",)}, ConfigError, r"\['age'\] are named twice"),
        (TABLE, {"keep": ("ill", "ill")}, ConfigError, r"\['ill'\] are named twice"),
        (TABLE, {"keep": ("nope",)}, DataError, "'nope' is not in the table"),
        (TABLE.drop(["job"]), {}, DataError, "'job' is not in the table"),
        (TABLE.append_column("age", TABLE.column("age")), {}, DataError, "'age' occurs 2 times"),
        (TABLE.slice(0, 0), {}, DataError, "no rows"),
        (
            TABLE,
            {"require": [KAnonymity(8)]},
            DataError,
            r"nearest setting that works is 7-anonymity.*Even one class of all 7 rows",
        ),
        (TABLE, {"require": []}, ConfigError, "at least one privacy model"),
        (TABLE, {"require": KAnonymity(2)}, ConfigError, r"require is a list"),
        (TABLE, {"quasi": "age"}, ConfigError, "lists of column names"),
        (TABLE, {"sensitive": ["age"]}, ConfigError, r"\['age'\] are named as quasi-identifiers and as sensitive"),
        (TABLE, {"sensitive": ["ill"]}, ConfigError, r"\['ill'\] are named twice"),
        (
            TABLE,
            {"require": [DistinctLDiversity("job", 2)]},
            ConfigError,
            r"\['job'\] are named as quasi-identifiers and as sens",
        ),
        (TABLE, {"require": [DistinctLDiversity("nope", 2)]}, DataError, "'nope' is not in the table"),
        (
            TABLE.append_column("one", pa.array(["7777"] * 7)),
            {"sensitive": ["one"]},
            DataError,
            "'one' has one value in all rows",
        ),
        (TABLE, {"suppression_limit": -0.1}, ConfigError, "suppression_limit"),
        (TABLE, {"minimize": Loss(weights={"agee": 1})}, ConfigError, r"weights to \['agee'\]"),
        (TABLE, {"recoding": "global"}, ConfigError, "full-domain, local, mondrian"),
        (TABLE, {"subset": [True]}, ConfigError, r"one truth value per row, shape \(7,\), got shape \(1,\)"),
        (TABLE, {"subset": [1] * 7}, ConfigError, "one truth value per row"),
        (TABLE, {"subset": [False] * 7}, ConfigError, "subset has no rows"),
        (TABLE, {"population": TABLE}, ConfigError, "none of 2-anonymity looks at it.*KMap"),
        (TABLE, {"population": [1], "require": [KMap(2)]}, ConfigError, "population must be an Arrow table, got list"),
        (
            TABLE,
            {"population": TABLE.drop(["job"]), "require": [KMap(2)]},
            DataError,
            "population table: column 'job' is not in the table",
        ),
        (
            TABLE,
            {"population": TABLE.set_column(2, "age", pa.array(["x"] * 7)), "require": [KMap(2)]},
            DataError,
            "'age' of the population table",
        ),
        ([1, 2], {}, ConfigError, "must be an Arrow table, got list"),
        (TABLE, {"quasi": {"age": [10, 20]}}, ConfigError, r"\['age'\] are given something that is no hierarchy"),
        (TABLE, {"require": ["5-anonymity"]}, ConfigError, r"\['str'\], which are no privacy models"),
        (TABLE, {"minimize": "loss"}, ConfigError, r"a metric with score\(recoded\), got str"),
        (TABLE, {"recoding": 5}, ConfigError, "got 5"),
        (TABLE, {"suppression_limit": "0.1"}, ConfigError, "suppression_limit"),
        (TABLE, {"suppression_limit": True}, ConfigError, "suppression_limit"),
        (TABLE, {"time_limit": float("nan")}, ConfigError, "time_limit must be > 0"),
        (TABLE, {"time_limit": "5"}, ConfigError, "time_limit must be > 0 seconds, got '5'"),
        (TABLE.set_column(0, "job", MIXED), {}, DataError, "'job' holds values of several types"),
        (TABLE.append_column("list", pa.array([[1]] * 7)), {"quasi": ["list"]}, DataError, "'list'.* holds? lists"),
        (TABLE.set_column(2, "age", pa.array(["7777"] * 7)), {}, DataError, "column 'age': its values are string"),
        (TABLE.set_column(2, "age", pa.array([7777] * 7)), {}, DataError, "column 'age': it holds values outside"),
        (TABLE.set_column(0, "job", pa.array(["7777"] * 7)), {}, DataError, "column 'job': 1 of its 1 distinct values"),
        (TABLE.append_column("list", pa.array([[1]] * 7)), {"keep": ("list",)}, DataError, "'list' holds lists"),
    ],
)
def test_bad_input_is_refused_by_name_and_never_by_value(table: Any, options: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        released(table, **options)
    assert "7777" not in str(caught.value)


def test_a_value_outside_a_hierarchy_without_levels_between_is_refused_too() -> None:
    with pytest.raises(DataError, match="column 'job'"):
        released(quasi={"job": TreeHierarchy(rows=(("clerk",), ("boss",)))}, suppression_limit=0.5)


def test_no_quasi_identifier_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one quasi-identifier"):
        released(quasi={})


class Splitting:
    """A hierarchy whose second level separates what the first has joined."""

    levels, leaf_share = 4, 0.25

    def check(self, values: pa.Array) -> None: ...

    def generalize(self, values: pa.Array, level: int) -> Any:
        labels = ["x"] * len(values) if level == 1 else [f"y{i % 2}" for i in range(len(values))]
        return labels, np.full(len(values), 0.5)

    def to_json(self) -> Any:
        return {}


def test_a_hierarchy_that_is_not_monotone_is_refused() -> None:
    with pytest.raises(ConfigError, match="column 'job': its hierarchy is not monotone: level 2 separates"):
        released(quasi={"job": Splitting()})


@pytest.mark.parametrize("k", [1, 0, -3, 2.0, True, "5"])
def test_k_must_be_a_whole_number_of_at_least_two(k: Any) -> None:
    with pytest.raises(ConfigError, match="k must be a whole number"):
        KAnonymity(k)


class Unverifiable(KAnonymity):
    """A model that the independent check does not know."""

    def to_json(self) -> Any:
        return {"model": "trust me"}


def test_what_the_independent_check_cannot_confirm_is_not_released() -> None:
    with pytest.raises(PrivacyError, match="not one this check knows"):
        released(require=[Unverifiable(2)])


def test_a_release_that_recoding_got_wrong_is_not_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: the recoding forgets to suppress."""
    from tacit.anonymize import release

    monkeypatch.setattr(release, "released_table", _keeping_all)
    with pytest.raises(PrivacyError, match="1 of 4 classes have fewer than 2 rows"):
        released()


def _keeping_all(data: Any, coded: Any, tuples: Any, recoding: Any, **more: Any) -> Any:
    return released_table(data, coded, tuples, replace(recoding, kept=recoding.kept | True), **more)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.integers(0, 100)), st.sampled_from(["clerk", "boss", "farmer", None])),
        min_size=2,
        max_size=40,
    ),
    st.integers(2, 5),
    st.sampled_from([0, 0.1, 0.5]),
    st.sampled_from(["full-domain", "local", "mondrian", CellSuppression(limit=0.3)]),
)
def test_every_release_of_random_tables_passes_the_independent_check(rows: Any, k: Any, limit: float, recoding: Any) -> None:
    table = pa.table(
        {"age": pa.array([age for age, _ in rows], pa.int64()), "job": pa.array([job for _, job in rows], pa.string())}
    )
    if k > len(rows):
        return
    if not any(age is not None for age, _ in rows) or not any(job is not None for _, job in rows):
        return
    result = anonymize(table, quasi={"age": AGE, "job": JOB}, require=[KAnonymity(k)], suppression_limit=limit, recoding=recoding)
    assert result.smallest_class >= k
    assert result.table.num_rows == result.rows - result.suppressed


@pytest.mark.parametrize("more", [{"subset": [True] * 40 + [False] * 40}, {"population": "itself"}], ids=["subset", "population"])
def test_mondrian_writes_no_ends_of_people_who_are_not_released(more: dict[str, Any]) -> None:
    """An interval from the smallest to the largest value of a class would hold those of people outside the subset."""
    table = pa.table({"age": np.arange(80) % 60, "ill": ["x", "y"] * 40})
    more = {"population": table} if "population" in more else more
    with pytest.raises(ConfigError, match="not in the release"):
        anonymize(table, quasi=["age"], require=[KAnonymity(3)], recoding="mondrian", **more)
