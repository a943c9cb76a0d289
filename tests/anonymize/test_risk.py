import pyarrow as pa
import pytest

from tacit.anonymize.risk import measure_risk
from tacit.errors import ConfigError, DataError
from tacit.models.finding import Basis

TABLE = pa.table({"a": [1, 1, 1, 1, 1, 2, 2, 2, None, None], "b": ["x"] * 10})


def test_prosecutor_risk_by_hand() -> None:
    risk = measure_risk(TABLE, ["a", "b"], threshold=0.34)  # classes of 5, 3 and 2 rows
    assert (risk.rows, risk.classes, risk.highest, risk.average, risk.above, risk.unique) == (10, 3, 0.5, 0.3, 0.2, 0)


@pytest.mark.parametrize(("threshold", "above"), [(1 / 3, 0.2), (0.2, 0.5), (1 / 6, 1.0), (1.0, 0.0)])
def test_a_class_of_exactly_k_rows_is_not_above_one_over_k(threshold: float, above: float) -> None:
    assert measure_risk(TABLE, ["a"], threshold=threshold).above == above


def test_rows_alone_in_their_class_are_unique() -> None:
    assert measure_risk(pa.table({"a": [1, 2, 3, 3]}), ["a"], threshold=0.5).unique == 2


def test_t1_missing_and_nan_are_one_category() -> None:
    table = pa.table({"a": pa.array([1.0, float("nan"), None], pa.float64())})
    assert measure_risk(table, ["a"], threshold=0.5).classes == 2


def test_findings_are_exact_and_stay_with_the_custodian() -> None:
    findings = measure_risk(TABLE, ["a"], threshold=0.2).findings("before")
    assert {finding.name: finding.value for finding in findings} == {
        "highest risk, before": 0.5,
        "average risk, before": 0.3,
        "rows above risk 0.2, before": 0.5,
        "unique rows, before": 0,
    }
    assert all(finding.basis is Basis.EXACT and not finding.may_leave for finding in findings)


def test_bad_input_is_refused() -> None:
    for threshold in (0, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="threshold"):
            measure_risk(TABLE, ["a"], threshold=threshold)
    with pytest.raises(ConfigError, match="at least one"):
        measure_risk(TABLE, [], threshold=0.2)
    with pytest.raises(DataError, match="'c' is not in the table"):
        measure_risk(TABLE, ["c"], threshold=0.2)
    with pytest.raises(DataError, match="no rows"):
        measure_risk(TABLE.slice(0, 0), ["a"], threshold=0.2)


@pytest.mark.data
def test_raw_adult_has_the_average_risk_that_arx_shows(adult: pa.Table) -> None:
    # ARX 3.9.2 on its own example with all nine columns as quasi-identifiers: 0.6466
    risk = measure_risk(adult, adult.column_names, threshold=0.2)
    assert risk.average == pytest.approx(0.6466, abs=5e-5)
    assert risk.highest == 1
