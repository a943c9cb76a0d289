"""Individual risk against its definition by sums and integrals at high precision, closed forms, and populations drawn."""

import math
from typing import Any

import mpmath
import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.risk import individual_risk
from tacit.errors import ConfigError, DataError


def one_class(rows: int, weight: float) -> float:
    """Return the risk of a class of so many rows of one weight, beside another class."""
    data = pa.table({"q": ["a"] * rows + [None], "w": [weight] * rows + [7.0]})
    risks = individual_risk(data, ["q"], weights="w")
    assert len(set(risks[:rows].tolist())) == 1
    return float(risks[0])


@pytest.mark.parametrize("rows", [1, 2, 3, 10, 20, 21, 170, 3000])
@pytest.mark.parametrize("weight", [1.0, 1.0 + 2**-30, 1.5, 4.0, 100.0, 1e4, 1e7])
def test_it_is_the_integral(rows: int, weight: float) -> None:
    """E[1/F] integrates u^f / t, u = p t / (1 - q t) being the generating function for f = 1; so p u^(f-1) / (p + q u) over u."""
    with mpmath.workdps(30):
        rate = mpmath.mpf(1) / mpmath.mpf(weight)
        narrow = [1 - mpmath.mpf(2) ** -k / rows for k in range(6)] if rows > 1 else [rate * 4**k for k in range(-2, 12)]
        ends = sorted({min(max(end, 0), 1) for end in [0, *narrow, 1]})
        exact = mpmath.quad(lambda u: u ** (rows - 1) * rate / (rate + (1 - rate) * u), ends)
        assert one_class(rows, weight) == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize(("rows", "weight"), [(1, 3.0), (2, 5.0), (5, 2.0), (40, 1.25)])
def test_it_is_the_mean_of_one_over_the_people(rows: int, weight: float) -> None:
    with mpmath.workdps(30):
        p, term, total = 1 / mpmath.mpf(weight), (1 / mpmath.mpf(weight)) ** rows, mpmath.mpf(0)
        for people in range(rows, rows + 1500):  # C(F-1, f-1) p^f q^(F-f)
            total += term / people
            term *= (1 - p) * people / (people - rows + 1)
        assert one_class(rows, weight) == pytest.approx(float(total), rel=1e-12)


def test_the_closed_forms_of_benedetti_and_franconi() -> None:
    p = 0.2
    assert one_class(1, 5.0) == pytest.approx(p / (1 - p) * math.log(1 / p), rel=1e-13)
    assert one_class(2, 5.0) == pytest.approx(p / (1 - p) ** 2 * (p * math.log(p) + 1 - p), rel=1e-13)


def test_a_census_has_the_prosecutors_risk_and_weights_of_a_class_add_up() -> None:
    data = pa.table({"q": ["a", "a", "a", "b", None, None], "r": [1] * 6, "w": [1] * 6})
    assert individual_risk(data, ["q", "r"], weights="w").tolist() == pytest.approx([1 / 3] * 3 + [1.0] + [0.5] * 2)
    mixed = pa.table({"q": ["a", "b", "a"], "w": pa.array([2, 4, 8])})
    assert individual_risk(mixed, ["q"], weights="w").tolist() == pytest.approx(
        [one_class(2, 5.0), one_class(1, 4.0), one_class(2, 5.0)]
    )


@pytest.mark.parametrize("weights", [[1.0, 0.5], [1.0, None], [1.0, math.inf], ["1", "2"], [1.0, -3.0]])
def test_weights_that_are_none_are_refused(weights: Any) -> None:
    with pytest.raises(DataError, match="'w' does not give each row a weight"):
        individual_risk(pa.table({"q": ["a", "b"], "w": weights}), ["q"], weights="w")


def test_bad_input_is_refused() -> None:
    data = pa.table({"q": pa.array([], pa.string()), "w": pa.array([], pa.float64())})
    with pytest.raises(DataError, match="at least one row"):
        individual_risk(data, ["q"], weights="w")
    with pytest.raises(ConfigError, match="at least one quasi-identifier"):
        individual_risk(data, [], weights="w")
    with pytest.raises(DataError, match="not in the table"):
        individual_risk(data, ["q"], weights="weight")


def test_it_is_near_the_share_of_right_links_in_drawn_populations() -> None:
    """The seed is fixed: it fails only when the code or numpy's generator changes."""
    people = 3 + np.random.default_rng(1).negative_binomial(3, 0.25, 200_000)  # F of classes with 3 rows drawn at the rate 1/4
    assert one_class(3, 4.0) == pytest.approx(float((1 / people).mean()), abs=5 * float((1 / people).std()) / math.sqrt(200_000))
