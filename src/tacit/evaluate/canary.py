"""The audit that can contradict a claim: many twins with and without one gradient canary (SOUNDNESS 18)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import ConfigError, ShapeError
from tacit.evaluate.bounds import epsilon_ceiling, epsilon_lower_bound, runs_needed
from tacit.evaluate.inputs import confidence_level, finite_vector, whole_number
from tacit.models.finding import Basis, Finding
from tacit.models.predictor import CanaryTrainFn
from tacit.privacy.guarantee import Guarantee

ACTED_ON = 1 - 1e-6
"""Least family-wise confidence at which an audit may contradict a claim (SOUNDNESS 18)."""

THREAT_MODEL = "an observer of every noisy sum, with one gradient canary of full clip norm in a coordinate no record uses"
_BINS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class CanaryAudit:
    """What twins with and without one canary prove about a guarantee.

    guarantee        -- the claim audited.
    threshold        -- a twin is guessed to hold the canary when its score is greater; fixed before the twins ran.
    present, absent  -- twins with and without the canary; >= 1.
    true_positives, false_positives -- of each, how many were guessed to hold it.
    confidence       -- of the bound that is acted on; at least 1 - 1e-6.
    shown_confidence -- of the bound that is shown only.
    histogram        -- (bin edges, counts present, counts absent) of the scores, for a plot.
    Raises ConfigError when a count or a confidence is out of range.
    """

    guarantee: Guarantee
    threshold: float
    present: int
    absent: int
    true_positives: int
    false_positives: int
    confidence: float
    shown_confidence: float
    histogram: tuple[tuple[float, ...], tuple[int, ...], tuple[int, ...]]

    def __post_init__(self) -> None:
        check_confidences(self.confidence, self.shown_confidence)
        for name, hits, runs in (("present", self.true_positives, self.present), ("absent", self.false_positives, self.absent)):
            whole_number(runs, f"twins with the canary {name}")
            if not 0 <= hits <= runs:
                raise ConfigError(f"guesses must lie between 0 and {runs} twins with the canary {name}, got {hits}.")

    @property
    def shown(self) -> float:
        """Lower bound on epsilon at the shown confidence; never acted on."""
        return self._bound(self.shown_confidence)

    @property
    def acted(self) -> float:
        """Lower bound on epsilon at the confidence that is acted on."""
        return self._bound(self.confidence)

    @property
    def ceiling(self) -> float:
        """Largest bound this many twins could prove at the confidence that is acted on."""
        return self._ceiling(self.confidence)

    @property
    def can_contradict(self) -> bool:
        """Whether there are enough twins for a contradiction; if not, passing this audit means nothing."""
        return self.ceiling > self.guarantee.epsilon

    @property
    def contradicts(self) -> bool:
        """Whether the claim is contradicted; of a true claim, with probability <= 1 - confidence."""
        return self.acted > self.guarantee.epsilon

    def findings(self, basis: Basis = Basis.EXACT) -> list[Finding]:
        """Return the bound that is acted on, then the one that is shown, each with its ceiling.

        basis -- what the twins were trained on: private rows are EXACT, synthetic ones PUBLIC.
        """
        edges, present, absent = (list(part) for part in self.histogram)
        verdict: dict[str, object] = {
            "contradicts": self.contradicts,
            "can_contradict": self.can_contradict,
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "absent": self.absent,
            "threshold": self.threshold,
            "histogram": {"edges": edges, "present": present, "absent": absent},
        }
        power = ""
        if not self.can_contradict:
            needed = runs_needed(self.guarantee, confidence=self.confidence)
            power = f"; too few runs to contradict the claim, which needs {needed} a side"
        return [
            self._finding("canary audit, acted on", self.acted, self.confidence, basis, power, verdict),
            self._finding("canary audit, shown", self.shown, self.shown_confidence, basis, "; not acted on", {}),
        ]

    def _finding(
        self, name: str, value: float, confidence: float, basis: Basis, remark: str, details: dict[str, object]
    ) -> Finding:
        return Finding(
            kind="audit",
            name=name,
            value=value,
            unit="epsilon",
            basis=basis,
            method="one-sided lower bound, Clopper-Pearson on both rates, threshold fixed beforehand (arXiv:2006.07709)" + remark,
            confidence=confidence,
            n=self.present,
            ceiling=self._ceiling(confidence),
            assumption=f"twins independent of one another, run by the claim's own sampler, mechanism and source; {THREAT_MODEL}",
            details={
                "proved": self.guarantee.epsilon,
                "delta": self.guarantee.delta,
                "runs": self.present,
                "canaries": 1,
                "threat_model": THREAT_MODEL,
                **details,
            },
        )

    def _bound(self, confidence: float) -> float:
        return epsilon_lower_bound(
            true_positives=self.true_positives,
            present=self.present,
            false_positives=self.false_positives,
            absent=self.absent,
            delta=self.guarantee.delta,
            confidence=confidence,
        )

    def _ceiling(self, confidence: float) -> float:
        return epsilon_ceiling(present=self.present, absent=self.absent, delta=self.guarantee.delta, confidence=confidence)


def canary_audit(
    train_fn: CanaryTrainFn,
    guarantee: Guarantee,
    *,
    runs: int = 1000,
    confidence: float = ACTED_ON,
    shown_confidence: float = 0.95,
    threshold: float | None = None,
) -> CanaryAudit:
    """Train `runs` twins with one canary and `runs` without, and return what they prove.

    threshold -- score above which a twin is guessed to hold the canary, in clip norms; fixed before any twin runs.
        None takes half of steps * probability, the middle between what the canary adds on average and nothing: it
        follows from the plan alone, so no score can have moved it. Without noise a twin without the canary scores 0
        and is never guessed wrongly; one with it is missed only when drawn half as often as expected.
    confidence -- at least 1 - 1e-6. When several audits of one claim are acted on, divide 1e-6 among them.
    At delta 1e-5, 1,000 runs a side without noise prove epsilon 4.22 at 1 - 1e-6.
    Raises ConfigError for settings out of range, ShapeError or DataError when train_fn returns anything but finite
    scores of shape (2 * runs, 1).
    """
    whole_number(runs, "runs")
    check_confidences(confidence, shown_confidence)
    cut = half_expected(train_fn) if threshold is None else float(threshold)
    present = np.zeros((2 * runs, 1), dtype=np.bool_)
    present[:runs] = True
    scores = twin_scores(train_fn, present)[:, 0]
    return audit_scores(
        scores[:runs], scores[runs:], guarantee, threshold=cut, confidence=confidence, shown_confidence=shown_confidence
    )


def audit_scores(
    present: ArrayLike,
    absent: ArrayLike,
    guarantee: Guarantee,
    *,
    threshold: float,
    confidence: float = ACTED_ON,
    shown_confidence: float = 0.95,
) -> CanaryAudit:
    """Return what scores of independent twins with (`present`, shape (n,)) and without (`absent`) the canary prove.

    threshold must have been fixed without these scores. Raises as `canary_audit` does.
    """
    with_canary, without = finite_vector(present, "scores with the canary"), finite_vector(absent, "scores without the canary")
    if not math.isfinite(threshold):
        raise ConfigError(f"the audit's threshold must be finite, got {threshold}. Half of steps * probability is the default.")
    edges = np.histogram_bin_edges(np.concatenate([with_canary, without]), bins=_BINS)
    return CanaryAudit(
        guarantee=guarantee,
        threshold=threshold,
        present=len(with_canary),
        absent=len(without),
        true_positives=int(np.count_nonzero(with_canary > threshold)),
        false_positives=int(np.count_nonzero(without > threshold)),
        confidence=confidence,
        shown_confidence=shown_confidence,
        histogram=(
            tuple(edges.tolist()),
            tuple(np.histogram(with_canary, edges)[0].tolist()),
            tuple(np.histogram(without, edges)[0].tolist()),
        ),
    )


def half_expected(train_fn: CanaryTrainFn) -> float:
    """Return half the expected number of times a canary is drawn: the middle between present and absent."""
    return train_fn.steps * train_fn.probability / 2


def twin_scores(train_fn: CanaryTrainFn, present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return train_fn(present) as float64, shape of `present`. Raises ShapeError or DataError otherwise."""
    scores = np.asarray(train_fn(present), dtype=np.float64)
    if scores.shape != present.shape:
        raise ShapeError(f"the audit twins must return one score per canary, shape {present.shape}, got {scores.shape}.")
    return finite_vector(scores.ravel(), "the audit twins' scores").reshape(present.shape)


def check_confidences(confidence: float, shown_confidence: float) -> None:
    """Raise ConfigError unless the acted-on confidence is at least 1 - 1e-6 and the shown one lies in (0, 1)."""
    confidence_level(shown_confidence, "shown_confidence")
    confidence_level(confidence)
    if confidence < ACTED_ON:
        raise ConfigError(
            f"an audit contradicts a claim only at confidence 1 - 1e-6 or more, got {confidence}: at less, correct code would be "
            "accused too often. For a bound that is only shown set shown_confidence."
        )
