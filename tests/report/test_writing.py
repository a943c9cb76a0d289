"""How numbers are written: never a claim better than what was proved."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.models.finding import Basis, Finding
from tacit.report import Statement
from tacit.report.writing import confidence, counted, evidence_of, flat, granted, lower, share, spent, total, upper, value_of

AMOUNTS = st.floats(min_value=1e-12, max_value=1e6)


@given(AMOUNTS)
def test_an_upper_bound_is_never_printed_smaller_nor_a_lower_bound_larger(value: float) -> None:
    """Planted fault: format with :.4g."""
    assert float(upper(value)) >= value >= float(lower(value))
    assert float(upper(value)) <= value * 1.001


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (2.9963, "2.997"),
        (2.999357, "2.9994"),  # not the 3 that was granted
        (0.49996, "0.49996"),
        (9.9996e-6, "9.9996e-6"),
        (1e-5, "1e-5"),
        (0.0, "0"),
        (12345.6, "12350"),
        (0.5, "0.5"),
    ],
)
def test_upper_bounds_read_plainly(value: float, text: str) -> None:
    assert upper(value) == text


@pytest.mark.parametrize(
    ("granted_epsilon", "spent_epsilon", "texts"),
    [
        (3.0, 2.999357347, ("3", "2.9994")),
        (2.718, 2.7179, ("2.718", "2.7179")),
        (0.499868277, 0.499868277, ("0.499868277", "0.499868277")),
        (0.499868277, 0.49986, ("0.499868277", "0.49986")),
        (1.0, 0.0, ("1", "0")),
    ],
)
def test_what_was_spent_never_reads_as_the_grant_unless_it_is(
    statement: Statement, granted_epsilon: float, spent_epsilon: float, texts: tuple[str, str]
) -> None:
    """Planted fault: four digits for both."""
    ledger = replace(statement.ledgers[0], granted_epsilon=granted_epsilon, spent_epsilon=spent_epsilon)
    assert (granted(ledger), spent(ledger)) == texts


def test_what_comes_twice_is_counted() -> None:
    assert counted(["a", "b", "a"]) == ["a (2 times)", "b"]


@pytest.mark.parametrize(
    ("details", "verdict"),
    [
        (
            {"contradicts": False, "runs": 1000},
            ["not contradicted: only gross faults show at this number of runs (halved noise does not)"],
        ),
        ({"contradicts": False, "runs": 50_000}, ["not contradicted: only gross faults show at this number of runs"]),
        ({"contradicts": False, "can_contradict": False}, ["too few runs to contradict this claim"]),
        ({"contradicts": True}, ["contradicts the claim"]),
        ({}, []),
    ],
)
def test_an_audits_verdict_says_what_it_cannot_see(details: dict[str, object], verdict: list[str]) -> None:
    assert evidence_of(Finding(kind="audit", name="a", value=0.8, basis=Basis.PUBLIC, unit="epsilon", details=details)) == verdict


def test_shares_and_confidences_are_percentages() -> None:
    assert share(0.72984) == "73.0%"
    assert share(0.00012) == "0.012%"
    assert confidence(0.95) == "95%"
    assert confidence(1 - 1e-6) == "99.9999%"


def test_an_audited_epsilon_is_rounded_down_and_a_proved_one_up() -> None:
    audit = Finding(kind="audit", name="a", value=0.8719, basis=Basis.PUBLIC, unit="epsilon")
    assert value_of(audit) == "0.871"
    assert value_of(replace(audit, kind="guarantee", value=2.99631)) == "2.997"


def test_evidence_names_interval_sample_and_ceiling() -> None:
    found = Finding(
        kind="accuracy",
        name="a",
        value=0.73,
        unit="share",
        basis=Basis.EXACT,
        interval=(0.7, 0.76),
        confidence=0.95,
        n=1273,
    )
    assert evidence_of(found) == ["95% interval 70.0% to 76.0%", "n = 1,273"]
    void = Finding(kind="auc", name="a", value=None, basis=Basis.EXACT, method="too few rows", n=3)
    assert evidence_of(void) == ["too few rows", "n = 3"]
    audit = Finding(kind="audit", name="a", value=0.8, unit="epsilon", basis=Basis.PUBLIC, confidence=0.95, n=10, ceiling=4.2)
    assert evidence_of(audit) == ["at confidence 95%", "n = 10", "could have shown up to 4.2"]


@pytest.mark.parametrize(("value", "text"), [(None, "not computed"), (True, "yes"), ("label", "label"), (231, "231 rows")])
def test_values_of_every_sort_can_be_written(value: object, text: str) -> None:
    assert value_of(Finding(kind="k", name="n", value=value, basis=Basis.PUBLIC, unit="rows")) == text  # type: ignore[arg-type]


def test_the_total_lists_what_has_no_epsilon(statement: Statement) -> None:
    ledger = statement.ledgers[0]
    one = replace(ledger, not_dp=ledger.not_dp[:1])
    none = replace(ledger, not_dp=())
    assert total(one).endswith("over the dp entries, and this release that has no epsilon: the k-anonymized table (k = 5)")
    assert total(none).endswith("over the dp entries, and no release without an epsilon")


def test_nested_settings_become_rows() -> None:
    nested: dict[str, object] = {
        "a": {"b": [1, 2]},
        "c": None,
        "d": True,
        "hidden": [],
        "some_key": 1e-5,
        "levels": {"yrs_married": 2},
    }
    assert flat(nested) == [
        ("a: b", "1, 2"),
        ("d", "yes"),
        ("hidden layers", "none (logistic regression)"),
        ("some key", "1e-5"),
        ("level of blurring: yrs_married", "2"),  # a column keeps its name
    ]
