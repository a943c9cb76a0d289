import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anonymize.perturb.tables import FEW, dkw, largest_cdf_gap, people, values
from tacit.anonymize.perturb import add_noise
from tacit.errors import ConfigError, DataError
from tacit.noise import OsSource

SOURCE = OsSource.from_os()
TABLE = people(40_000)


def noise_of(name: str, **settings: Any) -> Any:
    made = add_noise(TABLE, ["age", "income"], source=SOURCE, attacker=FEW, **settings)
    return values(made.table, name) - values(TABLE, name)


@pytest.mark.parametrize("correlated", [False, True])
def test_each_value_gets_normal_noise_of_the_stated_share_of_the_columns_spread(correlated: bool) -> None:
    """Fails by chance with probability <= 2e-9 (DKW-Massart on two columns of 40,000)."""
    made = add_noise(TABLE, ["age", "income"], scale=0.3, correlated=correlated, source=SOURCE, attacker=FEW)
    bound = dkw(40_000, 1e-9)  # 0.0164
    for name in ("age", "income"):
        added, scale = values(made.table, name) - values(TABLE, name), 0.3 * float(np.std(values(TABLE, name)))
        assert largest_cdf_gap(added, scale) <= bound
        assert largest_cdf_gap(added, scale * 1.20) > bound  # a 20% error is seen


def test_independent_noise_is_independent_and_correlated_noise_has_the_columns_correlation() -> None:
    """Fails by chance with probability <= 1e-9: correlations of 40,000 normal pairs, 6.3 s.d. (s.d. <= 1 / sqrt(n)) on each side."""
    between = float(np.corrcoef(values(TABLE, "age"), values(TABLE, "income"))[0, 1])
    assert between > 0.7
    for correlated, expected in ((False, 0.0), (True, between)):
        made = add_noise(TABLE, ["age", "income"], scale=0.5, correlated=correlated, source=SOURCE, attacker=FEW)
        added = [values(made.table, name) - values(TABLE, name) for name in ("age", "income")]
        assert abs(float(np.corrcoef(*added)[0, 1]) - expected) <= 0.0315


def test_correlations_shrink_by_one_over_one_plus_the_square_of_the_scale_or_stay() -> None:
    """Fails by chance with probability <= 1e-9 (sample correlations, 6.3 s.d.)."""
    between = float(np.corrcoef(values(TABLE, "age"), values(TABLE, "income"))[0, 1])
    for correlated, expected in ((False, between / 1.25), (True, between)):
        effect = add_noise(TABLE, ["age", "income"], scale=0.5, correlated=correlated, source=SOURCE, attacker=FEW).effect
        assert effect.correlations_before[0][1] == pytest.approx(between)
        assert abs(effect.correlations_after[0][1] - expected) <= 0.0315


def test_correlated_noise_on_a_column_and_its_copy_is_the_same_for_both() -> None:
    table = pa.table({"a": [1.0, 2.0, 4.0, 7.0], "b": [1.0, 2.0, 4.0, 7.0]})
    made = add_noise(table, ["a", "b"], scale=0.5, correlated=True, source=SOURCE).table
    assert made.column("a").to_pylist() == pytest.approx(made.column("b").to_pylist(), abs=1e-6)


def test_missing_values_other_columns_and_the_order_of_rows_stay() -> None:
    made = add_noise(TABLE, ["score"], scale=0.3, source=SOURCE, attacker=FEW).table
    assert made.column_names == TABLE.column_names
    assert made.select(["age", "income", "town"]).equals(TABLE.select(["age", "income", "town"]))
    assert made.column("score").is_valid().equals(TABLE.column("score").is_valid())
    assert made.schema.field("score").type == pa.float64()


def test_the_record_says_what_noise_did_to_the_risk() -> None:
    """Of 400 rows with fractions all are found before; noise of half the spread leaves few: Hoeffding on 400 targets."""
    made = add_noise(people(400), ["income"], scale=0.5, source=SOURCE)
    assert made.effect.linked_before == 1.0
    assert made.effect.linked_after <= 0.05
    assert made.effect.linked_error == 0.0
    assert made.to_json()["claim"] == "perturbed values; not differential privacy"
    assert made.guarantee is None


@pytest.mark.parametrize("scale", [0, -1, math.inf, math.nan, True, "0.3"])
def test_a_scale_that_hides_nothing_is_refused(scale: Any) -> None:
    with pytest.raises(ConfigError, match="scale"):
        add_noise(TABLE, ["age"], scale=scale, source=SOURCE)


def test_columns_that_share_no_complete_rows_have_no_covariance() -> None:
    table = pa.table({"a": [1.0, 2.0, None, None], "b": [None, None, 1.0, 2.0]})
    with pytest.raises(DataError, match="no covariance"):
        add_noise(table, ["a", "b"], scale=0.3, correlated=True, source=SOURCE)
