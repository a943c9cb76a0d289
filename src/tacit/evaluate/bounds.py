"""Lower bounds on epsilon from guesses about which canaries were in the data; pure arithmetic.

Two estimators: guesses about many independent runs with one canary each (Clopper-Pearson), and guesses about many
canaries in one run (Steinke, Nasr & Jagielski 2023). Neither assumes a family of mechanisms.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.evaluate.inputs import confidence_level, whole_number
from tacit.evaluate.intervals import clopper_pearson_high, clopper_pearson_low
from tacit.privacy.guarantee import Guarantee

_STEP = 0.01
"""Spacing at which the one-run p-value is scanned; p changes smoothly over far longer distances."""


def epsilon_lower_bound(
    *, true_positives: int, present: int, false_positives: int, absent: int, delta: float, confidence: float
) -> float:
    """Return an epsilon that the mechanism has at least, with probability >= confidence; 0 when nothing is proved.

    true_positives  -- runs with the canary guessed "present", of `present` independent runs.
    false_positives -- runs without it guessed "present", of `absent` independent runs.
    Each guess is a rule fixed before the runs. Half of the error is spent on a lower bound of the true-positive rate,
    half on an upper bound of the false-positive rate (Clopper-Pearson). Given these two, (epsilon, delta)-DP asks both
    TPR <= e^eps FPR + delta and TNR <= e^eps FNR + delta (TNR = 1 - FPR, FNR = 1 - TPR), so reading both directions
    off the one pair of bounds costs no further error.
    Source: Jagielski, Ullman & Oprea 2020, arXiv:2006.07709 (Clopper-Pearson bounds on both rates).
    """
    side = 1 - (1 - confidence_level(confidence)) / 2
    tpr_low = clopper_pearson_low(true_positives, present, side)
    fpr_high = clopper_pearson_high(false_positives, absent, side)
    by_hits = (tpr_low - delta) / fpr_high
    by_rejections = (1 - fpr_high - delta) / (1 - tpr_low)
    return math.log(max(by_hits, by_rejections, 1.0))


def epsilon_ceiling(*, present: int, absent: int, delta: float, confidence: float) -> float:
    """Return the largest epsilon these runs could prove: every guess right."""
    return epsilon_lower_bound(
        true_positives=present, present=present, false_positives=0, absent=absent, delta=delta, confidence=confidence
    )


def runs_needed(guarantee: Guarantee, *, confidence: float) -> int:
    """Return the fewest runs a side whose ceiling lies above the claimed epsilon."""
    alpha = 1 - confidence_level(confidence)
    miss = (1 - guarantee.delta) / (1 + math.exp(min(guarantee.epsilon, 700.0)))
    return math.floor(math.log(alpha / 2) / math.log1p(-miss)) + 1


def one_run_p_value(*, canaries: int, guesses: int, correct: int, epsilon: float, delta: float) -> float:
    """Return the chance of at least `correct` right guesses in one run of any (epsilon, delta)-DP mechanism.

    canaries -- m, each in or out by an independent fair coin; guesses -- r <= m, fixed beforehand; correct -- v <= r.
    With q = e^eps / (1 + e^eps): min(1, P[Bin(r, q) >= v] + 2 m delta max_{1 <= i <= v} P[v > Bin(r, q) >= v - i] / i).
    Source: Steinke, Nasr & Jagielski 2023, arXiv:2305.08846, Appendix D.
    """
    from scipy.special import betainc

    _check_counts(canaries, guesses, correct)
    if correct == 0:
        return 1.0
    q = 1 / (1 + math.exp(-epsilon))
    tail = float(betainc(correct, guesses - correct + 1, q))
    slack = 2 * canaries * delta * _alpha(guesses, correct, q) if delta else 0.0
    return min(1.0, tail + slack)


def one_run_lower_bound(*, canaries: int, guesses: int, correct: int, delta: float, confidence: float) -> float:
    """Return the largest epsilon such that every epsilon up to it is rejected: p <= 1 - confidence; 0 when none is.

    The p-value need not grow with epsilon, so it is scanned upwards from 0 and the first crossing is taken.
    """
    _check_counts(canaries, guesses, correct)
    alpha = 1 - confidence_level(confidence)
    share_low = clopper_pearson_low(correct, guesses, confidence)
    highest = math.log(share_low / (1 - share_low)) if share_low > 0.5 else 0.0  # the bound at delta 0, never exceeded
    if not delta or not highest:
        return highest

    def rejected(epsilon: float) -> bool:
        return one_run_p_value(canaries=canaries, guesses=guesses, correct=correct, epsilon=epsilon, delta=delta) <= alpha

    low = 0.0
    for high in [*np.arange(0.0, highest, _STEP), highest]:
        if not rejected(high):
            return _last_rejected(rejected, low, float(high)) if high else 0.0
        low = float(high)
    return highest


def _last_rejected(rejected: Callable[[float], bool], low: float, high: float) -> float:
    """Return the crossing between a rejected and an accepted epsilon, from below."""
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if rejected(middle) else (low, middle)
    return low


def _alpha(guesses: int, correct: int, q: float) -> float:
    """Return max over i of P[v > Bin(r, q) >= v - i] / i."""
    from scipy.special import gammaln

    below: NDArray[np.float64] = np.arange(correct - 1, -1, -1, dtype=np.float64)
    log_mass = gammaln(guesses + 1) - gammaln(below + 1) - gammaln(guesses - below + 1)
    log_mass += below * math.log(q) + (guesses - below) * math.log1p(-q)
    return float((np.cumsum(np.exp(log_mass)) / np.arange(1, correct + 1)).max())


def _check_counts(canaries: int, guesses: int, correct: int) -> None:
    whole_number(canaries, "canaries")
    whole_number(guesses, "guesses")
    whole_number(correct, "correct", least=0)
    if not correct <= guesses <= canaries:
        raise ConfigError(
            f"correct guesses <= guesses <= canaries must hold, got {correct}, {guesses}, {canaries}: "
            "each canary is guessed once at most."
        )
