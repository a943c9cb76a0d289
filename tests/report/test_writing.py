"""How numbers are written: never a claim better than what was proved."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.models.finding import Basis, Finding
from tacit.report import Statement
from tacit.report.writing import confidence, evidence_of, flat, lower, share, total, upper, value_of

AMOUNTS = st.floats(min_value=1e-12, max_value=1e6)


@given(AMOUNTS)
def test_an_upper_bound_is_never_printed_smaller_nor_a_lower_bound_larger(value: float) -> None:
    """Planted fault: format with :.4g."""
    assert float(upper(value)) >= value >= float(lower(value))
    assert float(upper(value)) <= value * 1.001


@pytest.mark.parametrize(
    ("value", "text"), [(3.0, "3"), (2.9963, "2.997"), (1e-5, "1e-5"), (0.0, "0"), (12345.6, "12350"), (0.5, "0.5")]
)
def test_upper_bounds_read_plainly(value: float, text: str) -> None:
    assert upper(value) == text


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
    assert flat({"a": {"b": [1, 2]}, "c": None, "d": True}) == [("a.b", "1, 2"), ("c", "not stated"), ("d", "yes")]
