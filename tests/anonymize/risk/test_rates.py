import math
from typing import Any

import pytest

from tacit.anonymize.risk import Attack
from tacit.errors import ConfigError
from tacit.models.finding import Basis
from tacit.models.wilson import wilson


def attack(successes: int, attacks: int, control: int, tries: int, confidence: float = 0.95) -> Attack:
    return Attack(
        attack="inference",
        assumption="knows all but the secret",
        successes=successes,
        attacks=attacks,
        control_successes=control,
        control_attacks=tries,
        confidence=confidence,
    )


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, 857, table I, method 3 (score without continuity correction), at 95%
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_the_published_ones(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes / n, n, 0.95) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "n", "confidence"), [(3, 10, 0.9), (500, 1000, 0.95), (1, 7, 1 - 1e-6)])
def test_wilson_ends_solve_their_equation(successes: int, n: int, confidence: float) -> None:
    from scipy.stats import norm

    z = norm.ppf(0.5 + confidence / 2)
    for end in wilson(successes / n, n, confidence):
        assert abs(successes / n - end) == pytest.approx(z * math.sqrt(end * (1 - end) / n), rel=1e-9)


def test_wilson_covers_as_often_as_it_says_exactly_enumerated() -> None:
    """Mean coverage over 1,000 true shares, by summing binomial probabilities: 0.95 to within 0.005 at n = 50."""
    from scipy.stats import binom

    ends = [wilson(k / 50, 50, 0.95) for k in range(51)]
    truths = [(i + 0.5) / 1000 for i in range(1000)]
    cover = [sum(binom.pmf(k, 50, p) for k, (low, high) in enumerate(ends) if low <= p <= high) for p in truths[::20]]
    assert sum(cover) / len(cover) == pytest.approx(0.95, abs=0.005)


def test_the_residual_risk_by_hand() -> None:
    assert attack(60, 100, 20, 100).residual == pytest.approx(0.5)  # (0.6 - 0.2) / 0.8
    assert attack(20, 100, 20, 100).residual == 0
    assert attack(10, 100, 20, 100).residual == pytest.approx(-0.125)
    assert attack(10, 10, 10, 10).residual is None


def test_the_residual_interval_holds_every_pair_of_rates_in_the_wilson_intervals() -> None:
    found = attack(60, 100, 20, 100)
    ours, theirs = wilson(0.6, 100, 0.975), wilson(0.2, 100, 0.975)
    corners = [(one - other) / (1 - other) for one in ours for other in theirs]
    assert found.residual_interval == pytest.approx((min(corners), max(corners)))
    low, high = attack(10, 10, 10, 10).residual_interval
    assert (low, high) == (-math.inf, 1.0)


def test_findings_are_exact_and_a_missing_residual_is_told() -> None:
    for found in (attack(60, 100, 20, 100), attack(10, 10, 10, 10)):
        findings = found.findings("after")
        assert [finding.value for finding in findings] == [found.rate, found.control_rate, found.residual]
        assert all(finding.basis is Basis.EXACT and not finding.may_leave for finding in findings)
        assert found.to_json()["residual"] == found.residual


@pytest.mark.parametrize("counts", [(1, 0, 0, 1), (2, 1, 0, 1), (-1, 1, 0, 1), (0, 1, 2, 1)])
def test_counts_that_cannot_be_are_refused(counts: Any) -> None:
    with pytest.raises(ConfigError, match="at least one try"):
        attack(*counts)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_a_confidence_outside_zero_and_one_is_refused(confidence: float) -> None:
    with pytest.raises(ConfigError, match="confidence"):
        attack(1, 2, 0, 2, confidence)
