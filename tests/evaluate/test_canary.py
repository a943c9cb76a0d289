import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.evaluate import audit_scores, canary_audit
from tacit.evaluate.canary import ACTED_ON, CanaryAudit
from tacit.models.finding import Basis, Finding
from tacit.models.predictor import CanaryTrainFn
from tacit.privacy.guarantee import Guarantee

CLAIM = Guarantee(epsilon=3.0, delta=1e-5)
# dp-accounting 0.6 PLD: 200 Poisson-sampled Gaussians at rate 0.1 with this noise cost epsilon 2.99981 at delta 1e-5
NOISE = 2.17816162109375
Make = Callable[..., CanaryTrainFn]


def test_noise_that_fits_the_claim_raises_no_alarm(noisy_sums: Make) -> None:
    """Fails by chance with probability <= 1e-6: that is what the audit promises."""
    audit = canary_audit(noisy_sums(NOISE, seed=1), CLAIM)
    assert audit.can_contradict
    assert not audit.contradicts
    assert audit.acted <= audit.shown < 3
    assert audit.shown > 0.3  # the canary is seen: the audit is not blind


def test_missing_noise_is_found_every_time(noisy_sums: Make) -> None:
    """Power. Without noise every absent twin scores 0; fewer than 300 of 1,000 hits would be needed to miss it (< 1e-300)."""
    audits = [canary_audit(noisy_sums(0.0, seed=seed), CLAIM) for seed in range(20)]
    assert all(audit.contradicts for audit in audits)
    assert all(4 < audit.acted <= audit.ceiling for audit in audits)


def test_noise_scaled_down_five_times_is_found(noisy_sums: Make) -> None:
    """Seeded. Scores are 20 +- 7.5 with the canary and 0 +- 6.2 without: at threshold 10, rates 0.91 and 0.05 prove about 2.5."""
    assert canary_audit(noisy_sums(NOISE / 5, seed=2), CLAIM).shown > 2


def test_a_claim_above_the_ceiling_is_not_called_tested(noisy_sums: Make) -> None:
    generous = Guarantee(epsilon=8.0, delta=1e-5)
    audit = canary_audit(noisy_sums(0.0), generous)
    assert not audit.can_contradict
    assert not audit.contradicts
    assert "needs 43258 a side" in audit.findings()[0].method


def test_the_threshold_is_half_of_the_expected_draws_and_fixed_by_the_plan(noisy_sums: Make) -> None:
    assert canary_audit(noisy_sums(0.0), CLAIM, runs=10).threshold == 10.0
    assert canary_audit(noisy_sums(NOISE, seed=5), CLAIM, runs=10).threshold == 10.0
    assert canary_audit(noisy_sums(0.0, steps=50), CLAIM, runs=10).threshold == 2.5


def test_a_twin_is_guessed_to_hold_the_canary_when_its_score_is_higher() -> None:
    audit = audit_scores([1.0, 2.0, 3.0], [0.0, 1.5, -1.0], CLAIM, threshold=1.0)
    assert (audit.true_positives, audit.present, audit.false_positives, audit.absent) == (2, 3, 1, 3)
    swapped = audit_scores(np.zeros(1000), np.ones(1000), CLAIM, threshold=0.5)
    assert swapped.acted == 0.0  # the wrong sign proves nothing


def test_the_acted_bound_follows_the_counts_not_the_verdict_of_a_lower_confidence() -> None:
    scores = np.r_[np.ones(150), np.zeros(850)]
    audit = audit_scores(scores, np.zeros(1000), CLAIM, threshold=0.5)
    assert audit.shown > 3 > audit.acted
    assert not audit.contradicts


def test_the_audit_trains_as_many_twins_with_as_without_the_canary(noisy_sums: Make) -> None:
    seen = []

    class Watched:
        steps, probability = 4, 0.5

        def __call__(self, present: Any) -> Any:
            seen.append(present.copy())
            return np.zeros(present.shape)

    canary_audit(Watched(), CLAIM, runs=7)
    assert seen[0].shape == (14, 1)
    assert seen[0].sum() == 7


def test_findings_carry_everything_a_reader_needs(noisy_sums: Make) -> None:
    acted, shown = canary_audit(noisy_sums(0.0), CLAIM).findings(Basis.PUBLIC)
    assert acted.confidence == ACTED_ON
    assert shown.confidence == 0.95
    for finding in (acted, shown):
        assert (finding.kind, finding.unit, finding.n, finding.basis) == ("audit", "epsilon", 1000, Basis.PUBLIC)
        assert finding.ceiling is not None
        assert isinstance(finding.value, float)
        assert finding.value <= finding.ceiling
        assert "independent" in finding.assumption
        assert finding.details["proved"] == 3.0
        assert Finding.from_json(json.loads(json.dumps(finding.to_json(), allow_nan=False))) == finding
    assert acted.details["contradicts"] is True
    assert "contradicts" not in shown.details
    assert "not acted on" in shown.method
    assert sum(acted.details["histogram"]["present"]) == 1000
    assert canary_audit(noisy_sums(0.0), CLAIM, runs=5).findings()[0].basis is Basis.EXACT


@pytest.mark.parametrize(
    "change",
    [{"runs": 600}, {"confidence": 1 - 1e-8}, {"shown_confidence": 0.9}, {"threshold": 25.0}],
    ids=lambda change: next(iter(change)),
)
def test_every_setting_changes_the_outcome(noisy_sums: Make, change: dict[str, Any]) -> None:
    def numbers(audit: CanaryAudit) -> tuple[float, ...]:
        return audit.acted, audit.shown, audit.ceiling, audit.threshold

    assert numbers(canary_audit(noisy_sums(1.0), CLAIM, **change)) != numbers(canary_audit(noisy_sums(1.0), CLAIM))


def test_the_claim_decides_the_verdict_and_its_delta_the_bound(noisy_sums: Make) -> None:
    assert not canary_audit(noisy_sums(0.0), Guarantee(epsilon=4.2257, delta=1e-5)).contradicts
    with_delta = canary_audit(noisy_sums(0.0), Guarantee(epsilon=3.0, delta=0.5))
    assert with_delta.acted < canary_audit(noisy_sums(0.0), CLAIM).acted


@pytest.mark.parametrize("confidence", [0.95, 1 - 1e-5, 1.0, math.nan])
def test_an_audit_cannot_be_acted_on_below_one_in_a_million(noisy_sums: Make, confidence: float) -> None:
    with pytest.raises(ConfigError, match="confidence"):
        canary_audit(noisy_sums(0.0), CLAIM, runs=10, confidence=confidence)


@pytest.mark.parametrize(
    "wrong",
    [{"runs": 0}, {"runs": 2.5}, {"runs": True}, {"shown_confidence": 1.0}, {"threshold": math.nan}, {"threshold": math.inf}],
)
def test_settings_out_of_range_are_refused(noisy_sums: Make, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        canary_audit(noisy_sums(0.0), CLAIM, **{"runs": 10, **wrong})


def test_scores_that_are_not_one_finite_number_a_twin_are_refused() -> None:
    class Broken:
        steps, probability = 4, 0.5

        def __init__(self, scores: Any) -> None:
            self.scores = scores

        def __call__(self, present: Any) -> Any:
            return self.scores

    with pytest.raises(ShapeError, match=r"shape \(20, 1\)"):
        canary_audit(Broken(np.zeros(20)), CLAIM, runs=10)
    with pytest.raises(DataError, match="finite"):
        canary_audit(Broken(np.full((20, 1), np.nan)), CLAIM, runs=10)
    with pytest.raises(DataError, match="at least 1"):
        audit_scores([], [1.0], CLAIM, threshold=0.0)


def test_impossible_counts_are_refused(noisy_sums: Make) -> None:
    audit = canary_audit(noisy_sums(0.0), CLAIM, runs=10)
    with pytest.raises(ConfigError, match="between 0 and 10"):
        replace(audit, true_positives=11)
    with pytest.raises(ConfigError, match="whole number"):
        replace(audit, absent=0)
