"""The one-run audit: many canaries in one twin, shown beside the audit that is acted on (SOUNDNESS 18)."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError
from tacit.evaluate.bounds import one_run_lower_bound, one_run_p_value
from tacit.evaluate.canary import ACTED_ON, check_confidences, half_expected, twin_scores
from tacit.evaluate.inputs import whole_number
from tacit.evaluate.intervals import clopper_pearson
from tacit.models.finding import Basis, Finding
from tacit.models.predictor import CanaryTrainFn
from tacit.privacy.guarantee import Guarantee

THREAT_MODEL = "an observer of every noisy sum, with many gradient canaries of full clip norm, each in a coordinate of its own"
_COIN_ALARM = 1e-9


class Coins(Protocol):
    """Where the canaries' coins come from; every `tacit.noise` source is one."""

    def uniform_words(self, count: int) -> NDArray[np.uint64]:
        """Return fresh independent uniform 64-bit words, shape (count,)."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class OneRunAudit:
    """What guesses about many canaries in one run prove about a guarantee.

    guarantee        -- the claim audited.
    canaries         -- m >= 1, each in the data by an independent fair coin.
    guesses, correct -- r <= m guesses, their number fixed beforehand, and how many were right.
    confidence       -- of the bound that is acted on where that is possible; at least 1 - 1e-6.
    shown_confidence -- of the bound that is shown only.
    Raises ConfigError when a count or a confidence is out of range.
    """

    guarantee: Guarantee
    canaries: int
    guesses: int
    correct: int
    confidence: float
    shown_confidence: float

    def __post_init__(self) -> None:
        check_confidences(self.confidence, self.shown_confidence)
        _ = self.p_value  # refuses impossible counts

    @property
    def p_value(self) -> float:
        """Chance of as many right guesses if the claim holds; at most."""
        return one_run_p_value(
            canaries=self.canaries,
            guesses=self.guesses,
            correct=self.correct,
            epsilon=self.guarantee.epsilon,
            delta=self.guarantee.delta,
        )

    @property
    def shown(self) -> float:
        """Lower bound on epsilon at the shown confidence; never acted on."""
        return self._bound(self.correct, self.shown_confidence)

    @property
    def acted(self) -> float:
        """Lower bound on epsilon at the confidence an action needs."""
        return self._bound(self.correct, self.confidence)

    @property
    def ceiling(self) -> float:
        """Bound at the confidence an action needs if every guess were right."""
        return self._bound(self.guesses, self.confidence)

    @property
    def can_contradict(self) -> bool:
        """Whether the p-value's own 2 m delta alpha term leaves room for a contradiction at this confidence.

        At delta 1e-5 and 1,000 canaries it does not: the term alone exceeds 1e-6, whatever the guesses.
        """
        return self.ceiling > self.guarantee.epsilon

    @property
    def contradicts(self) -> bool:
        """Whether the claim is contradicted; False whenever `can_contradict` is."""
        return self.can_contradict and self.acted > self.guarantee.epsilon

    def findings(self, basis: Basis = Basis.EXACT) -> list[Finding]:
        """Return the shown bound, and the one that is acted on only where it can be.

        basis -- what the twin was trained on: private rows are EXACT, synthetic ones PUBLIC.
        """
        findings = [self._finding("one-run audit, shown", self.shown, self.shown_confidence, basis, {})]
        if self.can_contradict:
            verdict: dict[str, object] = {"contradicts": self.contradicts}
            findings.insert(0, self._finding("one-run audit, acted on", self.acted, self.confidence, basis, verdict))
        return findings

    def _finding(self, name: str, value: float, confidence: float, basis: Basis, details: dict[str, object]) -> Finding:
        share = clopper_pearson(self.correct, self.guesses, self.shown_confidence)
        return Finding(
            kind="audit",
            name=name,
            value=value,
            unit="epsilon",
            basis=basis,
            method="one-sided lower bound from one run (arXiv:2305.08846, Appendix D), guess rule and number fixed beforehand",
            confidence=confidence,
            n=self.canaries,
            ceiling=self._bound(self.guesses, confidence),
            assumption=f"each canary in or out by an independent fair coin; {THREAT_MODEL}",
            details={
                "proved": self.guarantee.epsilon,
                "delta": self.guarantee.delta,
                "canaries": self.canaries,
                "runs": 1,
                "guesses": self.guesses,
                "correct": self.correct,
                "share_correct": [self.correct / self.guesses, *share],
                "p_value": self.p_value,
                "can_contradict": self.can_contradict,
                "threat_model": THREAT_MODEL,
                **details,
            },
        )

    def _bound(self, correct: int, confidence: float) -> float:
        return one_run_lower_bound(
            canaries=self.canaries, guesses=self.guesses, correct=correct, delta=self.guarantee.delta, confidence=confidence
        )


def one_run_audit(
    train_fn: CanaryTrainFn,
    guarantee: Guarantee,
    *,
    coins: Coins,
    canaries: int = 1000,
    guesses: int | None = None,
    confidence: float = ACTED_ON,
    shown_confidence: float = 0.95,
) -> OneRunAudit:
    """Train one twin with each of `canaries` in or out by a fair coin, guess, and return what the guesses prove.

    coins   -- a source of uniform words, one fresh bit of which decides each canary before sampling.
    guesses -- how many canaries are guessed, fixed before the run; None takes a fifth of them. The rule is fixed too:
        the scores farthest from half of steps * probability, "in" above and "out" below, the lower index first in a
        tie. Fewer guesses are surer under noise but prove less without it: at epsilon 3 a fifth proves twice what
        guessing all does, and its ceiling (4.16 at delta 1e-5, 95 %) still lies above the claim.
    confidence -- see `OneRunAudit.can_contradict`; divide 1e-6 among the audits of one claim that are acted on.
    Raises ConfigError for settings out of range, ShapeError or DataError for scores that are not finite of shape
    (1, canaries), PrivacyError when the coins are plainly unfair (a fair source is refused once in 10^9).
    """
    whole_number(canaries, "canaries")
    number = max(1, canaries // 5) if guesses is None else whole_number(guesses, "guesses")
    if number > canaries:
        raise ConfigError(f"at most one guess per canary: got {number} guesses for {canaries} canaries.")
    check_confidences(confidence, shown_confidence)
    present = _flip(coins, canaries)
    distance = twin_scores(train_fn, present[None, :])[0] - half_expected(train_fn)
    guessed = np.argsort(-np.abs(distance), kind="stable")[:number]
    return OneRunAudit(
        guarantee=guarantee,
        canaries=canaries,
        guesses=number,
        correct=int(np.count_nonzero((distance[guessed] > 0) == present[guessed])),
        confidence=confidence,
        shown_confidence=shown_confidence,
    )


def _flip(coins: Coins, count: int) -> NDArray[np.bool_]:
    """Return fair coins, shape (count,). The proof stands on them, so a source stuck at one side is refused."""
    heads: NDArray[np.bool_] = (np.asarray(coins.uniform_words(count), dtype=np.uint64) & np.uint64(1)).astype(np.bool_)
    far = math.sqrt(count * math.log(2 / _COIN_ALARM) / 2)  # Hoeffding 1963
    if abs(int(heads.sum()) - count / 2) > far:
        raise PrivacyError(
            f"the canaries' coins are not fair: {int(heads.sum())} heads in {count}. The one-run bound would be wrong, "
            "so the audit stops. Hand in a source from tacit.noise.OsSource.from_os()."
        )
    return heads
