"""Membership inference by loss: a row the model fits unusually well was probably in its training data.

Convention: lower loss = member. Source: Yeom et al. 2018, arXiv:1709.01604; reported as Carlini et al. 2022,
arXiv:2112.03570, ask: true-positive rates at low false-positive rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import ConfigError
from tacit.evaluate.inputs import class_codes, confidence_level, finite_vector, probability_matrix
from tacit.evaluate.intervals import auc_with_interval, clopper_pearson, newcombe_difference
from tacit.evaluate.limits import advantage_limit, attack_limit, auc_limit, limit_curve
from tacit.evaluate.population import SameDistribution
from tacit.models.finding import Basis, Finding
from tacit.models.wilson import Interval
from tacit.privacy.guarantee import Guarantee

_CURVE_POINTS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class RateAtLevel:
    """The true-positive rate at one false-positive level.

    level -- aimed at. measurable -- False when there are fewer than 3 / level non-members to measure it on.
    true_positive_rate, false_positive_rate -- measured on the half the threshold was not chosen on, with intervals.
    """

    level: float
    measurable: bool
    true_positive_rate: float
    true_positive_interval: Interval
    false_positive_rate: float
    false_positive_interval: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class LossAttack:
    """What a loss-threshold attack achieved.

    members, nonmembers -- rows in all; thresholds were chosen on one half of each and measured on the other.
    measured            -- rows (members, nonmembers) of the measuring half.
    auc, auc_interval   -- P(a member's loss < a non-member's), on all rows: no threshold is chosen for it.
    advantage, advantage_interval -- true- minus false-positive rate, measured.
    rates               -- one per false-positive level.
    roc                 -- [false-positive rate, true-positive rate] points on all rows, descriptive.
    guarantee           -- of the model attacked; None when it has none.
    population          -- the check that both groups come from one distribution; None when it was not made.
    """

    members: int
    nonmembers: int
    measured: tuple[int, int]
    auc: float
    auc_interval: Interval
    advantage: float
    advantage_interval: Interval
    rates: tuple[RateAtLevel, ...]
    roc: tuple[tuple[float, float], ...]
    confidence: float
    guarantee: Guarantee | None
    population: SameDistribution | None

    @property
    def void(self) -> bool:
        """Whether members and non-members differ without the model, so that the attack says nothing about it."""
        return self.population is not None and not self.population.same

    def findings(self, basis: Basis = Basis.EXACT, *, model: str) -> list[Finding]:
        """Return AUC (with the ROC curve in details), advantage and one finding per level.

        model -- which model was attacked, named in every finding: "private" or "non-private".
        A void attack's values are None, and `method` says why.
        """
        g = self.guarantee
        area: dict[str, object] = {"roc": [list(point) for point in self.roc]}
        gap: dict[str, object] = {}
        if g is not None:
            area |= {"limit": limit_curve(g, _levels(1.0, self.nonmembers)), "auc_limit": auc_limit(g)}
            gap |= {"limit": advantage_limit(g)}
        split = "threshold chosen on one half, measured on the other"
        found = [
            self._finding(
                basis,
                model,
                "AUC",
                self.auc,
                self.auc_interval,
                "area under the ROC curve; DeLong 1988 variance (capped) in a Wilson interval",
                self.members + self.nonmembers,
                area,
            ),
            self._finding(
                basis,
                model,
                "advantage",
                self.advantage,
                self.advantage_interval,
                f"{split}; Newcombe 1998 interval",
                sum(self.measured),
                gap,
            ),
        ]
        return found + [self._rate_finding(basis, model, rate, split) for rate in self.rates]

    def _rate_finding(self, basis: Basis, model: str, rate: RateAtLevel, split: str) -> Finding:
        details: dict[str, object] = {"level": rate.level, "false_positive_rate": rate.false_positive_rate}
        details |= {"false_positive_interval": list(rate.false_positive_interval), "nonmembers": self.measured[1]}
        if self.guarantee is not None:
            # at the upper end of the false-positive interval, so that a correct model is not shown above its limit
            details |= {"limit": attack_limit(self.guarantee, rate.false_positive_interval[1])}
        name = f"true-positive rate at {rate.level:g} false positives"
        value, interval = (rate.true_positive_rate, rate.true_positive_interval) if rate.measurable else (None, None)
        method = f"{split}; Clopper-Pearson intervals on both rates"
        if not rate.measurable:
            method = f"not measured: this level needs at least 3 / {rate.level:g} non-members in the measuring half"
            details = {"level": rate.level, "nonmembers": self.measured[1]}
        return self._finding(basis, model, name, value, interval, method, self.measured[0], details)

    def _finding(
        self,
        basis: Basis,
        model: str,
        name: str,
        value: float | None,
        interval: Interval | None,
        method: str,
        n: int,
        details: dict[str, object],
    ) -> Finding:
        if self.void:
            value, interval, details = None, None, {}
            method = "void: members and non-members can be told apart without the model"
        checked = "checked on features" if self.population is not None else "not checked"
        return Finding(
            kind="membership-attack",
            name=f"loss attack on the {model} model: {name}",
            value=value,
            unit="" if name == "AUC" else "share",
            basis=basis,
            method=method,
            interval=interval,
            confidence=None if interval is None else self.confidence,
            n=n,
            ceiling=1.0,
            assumption=f"members and non-members drawn from one distribution ({checked}); each interval holds by itself",
            details={"model": model, **details},
        )


def cross_entropy(probabilities: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Return each row's loss -ln p(label), shape (n,), in nats; p is held above 1e-300 so that every loss is finite.

    probabilities -- shape (n, k), rows adding up to 1. labels -- class numbers, shape (n,). Errors as in `utility`.
    """
    matrix = probability_matrix(probabilities, "probabilities")
    codes = class_codes(labels, rows=len(matrix), classes=matrix.shape[1])
    return -np.log(np.maximum(matrix[np.arange(len(matrix)), codes], 1e-300))


def loss_threshold_attack(
    losses_members: ArrayLike,
    losses_nonmembers: ArrayLike,
    *,
    confidence: float = 0.95,
    fpr_levels: Sequence[float] = (0.001, 0.01, 0.1),
    guarantee: Guarantee | None = None,
    population: SameDistribution | None = None,
) -> LossAttack:
    """Guess that rows with a low loss were trained on, and return how often that is right.

    losses_members, losses_nonmembers -- per row, shapes (n,) and (m,), at least 2 each; lower loss = member.
    Every other row, from the first, chooses the thresholds; the others measure them: rows in any order fixed before
    training will do. At a level, the threshold lets through at most that share of the choosing non-members; at the
    advantage it is where true- minus false-positive rate was largest. No interpolation.
    guarantee  -- of the attacked model, to show the limit of any attack beside the attack.
    population -- from `same_distribution`; when it tells the groups apart the findings are void.
    Raises DataError for NaN, infinite or too few losses, ConfigError for a confidence or level outside (0, 1).
    """
    confidence_level(confidence)
    inside = finite_vector(losses_members, "members' losses", least=2)
    outside = finite_vector(losses_nonmembers, "non-members' losses", least=2)
    levels = tuple(float(level) for level in fpr_levels)
    if not levels or len(set(levels)) != len(levels) or not all(0 < level < 1 for level in levels):
        raise ConfigError(
            f"false-positive levels must be different numbers between 0 and 1, at least one, got {list(fpr_levels)}."
        )
    choose, measure = (inside[0::2], outside[0::2]), (inside[1::2], outside[1::2])
    hits, false = _counts(measure, _best_advantage(*choose))
    n, m = len(measure[0]), len(measure[1])
    area, interval = auc_with_interval(-inside, -outside, confidence)
    return LossAttack(
        members=len(inside),
        nonmembers=len(outside),
        measured=(n, m),
        auc=area,
        auc_interval=interval,
        advantage=hits / n - false / m,
        advantage_interval=newcombe_difference(hits, n, false, m, confidence),
        rates=tuple(_rate(choose[1], measure, level, confidence) for level in levels),
        roc=_roc(inside, outside),
        confidence=confidence,
        guarantee=guarantee,
        population=population,
    )


def _counts(groups: tuple[NDArray[np.float64], NDArray[np.float64]], threshold: float) -> tuple[int, int]:
    """Return how many members and non-members lie under the threshold, which means "member"."""
    return int(np.count_nonzero(groups[0] < threshold)), int(np.count_nonzero(groups[1] < threshold))


def _best_advantage(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    candidates = np.unique(np.concatenate([inside, outside, [np.inf]]))
    found = np.searchsorted(np.sort(inside), candidates, "left") / len(inside)
    false = np.searchsorted(np.sort(outside), candidates, "left") / len(outside)
    return float(candidates[np.argmax(found - false)])


def _rate(
    choosing: NDArray[np.float64], measure: tuple[NDArray[np.float64], NDArray[np.float64]], level: float, confidence: float
) -> RateAtLevel:
    threshold = np.sort(choosing)[int(level * len(choosing))]  # at most level * n of the choosing non-members lie under it
    hits, false = _counts(measure, float(threshold))
    n, m = len(measure[0]), len(measure[1])
    return RateAtLevel(
        level=level,
        measurable=m * level >= 3,
        true_positive_rate=hits / n,
        true_positive_interval=clopper_pearson(hits, n, confidence),
        false_positive_rate=false / m,
        false_positive_interval=clopper_pearson(false, m, confidence),
    )


def _levels(largest: float, n: int) -> NDArray[np.float64]:
    """Return false-positive rates for a curve: even steps, and even steps of the logarithm down to 1 / n."""
    low = np.geomspace(1 / n, largest, _CURVE_POINTS // 2)
    return np.unique(np.concatenate([[0.0], low, np.linspace(0, largest, _CURVE_POINTS // 2)]))


def _roc(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    ordered, found = np.sort(outside), np.sort(inside)
    false = np.unique((_levels(1.0, len(ordered)) * len(ordered)).astype(np.int64))
    thresholds = np.append(ordered, np.inf)[false]
    shares = np.searchsorted(ordered, thresholds, "left") / len(ordered), np.searchsorted(found, thresholds, "left") / len(found)
    return tuple(zip(shares[0].tolist(), shares[1].tolist(), strict=True))
