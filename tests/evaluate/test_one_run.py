import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError, PrivacyError, ShapeError
from tacit.evaluate import one_run_audit
from tacit.evaluate.canary import ACTED_ON
from tacit.evaluate.one_run import OneRunAudit
from tacit.models.finding import Basis, Finding
from tacit.models.predictor import CanaryTrainFn
from tacit.privacy.guarantee import Guarantee

CLAIM = Guarantee(epsilon=3.0, delta=1e-5)
STRICT = Guarantee(epsilon=3.0, delta=1e-12)
NOISE = 2.17816162109375  # see test_canary.py
Make = Callable[..., CanaryTrainFn]


class SeededCoins:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def uniform_words(self, count: int) -> NDArray[np.uint64]:
        return self.rng.integers(0, 2**64, count, dtype=np.uint64)


class StuckCoins:
    def uniform_words(self, count: int) -> NDArray[np.uint64]:
        return np.full(count, 2**64 - 1, dtype=np.uint64)


def test_without_noise_every_guess_is_right_and_the_bound_is_its_ceiling(noisy_sums: Make) -> None:
    """Power, 20 runs. Absent canaries all score 0, 10 below the middle; one drawn in is guessed wrongly only if it is as
    far below, never drawn in 200 steps: probability 0.9^200 < 1e-9 for each."""
    for seed in range(20):
        audit = one_run_audit(noisy_sums(0.0, seed=seed), CLAIM, coins=SeededCoins(seed))
        assert audit.correct == audit.guesses == 200
        assert audit.shown == pytest.approx(4.1665, abs=1e-3)
        assert audit.shown > 3


def test_at_delta_1e5_the_one_run_audit_is_shown_and_never_acted_on(noisy_sums: Make) -> None:
    audit = one_run_audit(noisy_sums(0.0), CLAIM, coins=SeededCoins(0))
    assert not audit.can_contradict
    assert not audit.contradicts
    (only,) = audit.findings()
    assert (only.name, only.confidence) == ("one-run audit, shown", 0.95)
    assert "contradicts" not in only.details


def test_where_its_delta_term_allows_the_one_run_audit_contradicts(noisy_sums: Make) -> None:
    audit = one_run_audit(noisy_sums(0.0), STRICT, coins=SeededCoins(0), guesses=500)
    assert audit.can_contradict
    assert audit.contradicts
    acted, shown = audit.findings()
    assert (acted.confidence, shown.confidence) == (ACTED_ON, 0.95)
    assert acted.details["contradicts"] is True
    assert "contradicts" not in shown.details


def test_noise_that_fits_the_claim_raises_no_alarm(noisy_sums: Make) -> None:
    """The acted-on bound fails by chance with probability <= 1e-6; the shown one (5%) is seeded."""
    audit = one_run_audit(noisy_sums(NOISE, seed=3), STRICT, coins=SeededCoins(3), guesses=500)
    assert audit.can_contradict
    assert not audit.contradicts
    assert 0 < audit.shown < 3


def test_false_claims_stay_under_five_percent_when_the_model_learned_nothing(noisy_sums: Make) -> None:
    """Seeded, 400 whole audits at true epsilon 0; a fresh seed would fail once in 700."""

    class Blind:
        steps, probability = 20, 0.1

        def __init__(self) -> None:
            self.rng = np.random.default_rng(8)

        def __call__(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
            return self.rng.normal(size=present.shape)

    coins, blind, nothing = SeededCoins(9), Blind(), Guarantee(epsilon=0.0, delta=0.0)
    claims = np.mean([one_run_audit(blind, nothing, coins=coins, canaries=200).shown > 0 for _ in range(400)])
    assert claims <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_unfair_coins_are_refused(noisy_sums: Make) -> None:
    """The planted fault: with every canary in, all guesses "in" would be right whatever the noise."""
    with pytest.raises(PrivacyError, match="not fair"):
        one_run_audit(noisy_sums(NOISE), CLAIM, coins=StuckCoins())


def test_the_farthest_scores_are_guessed_in_above_the_middle_and_out_below() -> None:
    class Fixed:
        steps, probability = 10, 1.0  # the middle is 5

        def __call__(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
            scores = np.full(present.shape, 5.1)  # near the middle, would be guessed "in"
            scores[0, :4] = [9.0, 1.0, 10.0, 0.0]
            return scores

    for seed in range(20):
        present = (SeededCoins(seed).uniform_words(50) & np.uint64(1)).astype(bool)
        audit = one_run_audit(Fixed(), CLAIM, coins=SeededCoins(seed), canaries=50, guesses=4)
        assert audit.correct == np.count_nonzero(present[:4] == [True, False, True, False])


def test_findings_carry_everything_a_reader_needs(noisy_sums: Make) -> None:
    (finding,) = one_run_audit(noisy_sums(NOISE, seed=3), CLAIM, coins=SeededCoins(3)).findings(Basis.PUBLIC)
    assert (finding.kind, finding.unit, finding.n, finding.basis) == ("audit", "epsilon", 1000, Basis.PUBLIC)
    assert finding.ceiling == pytest.approx(4.1665, abs=1e-3)
    assert "fair coin" in finding.assumption
    assert (finding.details["proved"], finding.details["guesses"], finding.details["canaries"]) == (3.0, 200, 1000)
    share, low, high = finding.details["share_correct"]
    assert low < share < high
    assert Finding.from_json(json.loads(json.dumps(finding.to_json(), allow_nan=False))) == finding


@pytest.mark.parametrize(
    "change",
    [{"canaries": 500}, {"guesses": 400}, {"confidence": 1 - 1e-8}, {"shown_confidence": 0.9}, {"coins": SeededCoins(77)}],
    ids=lambda change: next(iter(change)),
)
def test_every_setting_changes_the_outcome(noisy_sums: Make, change: dict[str, Any]) -> None:
    def numbers(audit: OneRunAudit) -> tuple[float, ...]:
        return audit.acted, audit.shown, audit.ceiling, audit.guesses, audit.correct

    def run(**settings: Any) -> tuple[float, ...]:
        return numbers(one_run_audit(noisy_sums(1.0), STRICT, **{"coins": SeededCoins(1), **settings}))

    assert run(**change) != run()


def test_the_claim_changes_the_p_value_and_the_bound(noisy_sums: Make) -> None:
    audits = [
        one_run_audit(noisy_sums(1.0), claim, coins=SeededCoins(1))
        for claim in (STRICT, CLAIM, Guarantee(epsilon=1.0, delta=1e-12))
    ]
    assert audits[1].shown < audits[0].shown
    assert audits[2].p_value < audits[0].p_value


@pytest.mark.parametrize(
    "wrong",
    [{"canaries": 0}, {"guesses": 0}, {"guesses": 1001}, {"guesses": 2.5}, {"confidence": 0.95}, {"shown_confidence": 0.0}],
)
def test_settings_out_of_range_are_refused(noisy_sums: Make, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        one_run_audit(noisy_sums(0.0), CLAIM, **{"coins": SeededCoins(0), **wrong})


@pytest.mark.parametrize(("scores", "error"), [(np.zeros(1000), ShapeError), (np.full((1, 1000), np.inf), DataError)])
def test_scores_that_are_not_one_finite_number_a_canary_are_refused(scores: Any, error: type[Exception]) -> None:
    class Broken:
        steps, probability = 4, 0.5

        def __call__(self, present: Any) -> Any:
            return scores

    with pytest.raises(error):
        one_run_audit(Broken(), CLAIM, coins=SeededCoins(0))
