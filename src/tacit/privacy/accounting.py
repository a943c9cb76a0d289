"""What events cost together: epsilon for a delta and delta for an epsilon, never below the exact value.

Google's dp-accounting does the composing; this is the only file that imports it, inside functions, for it takes a second.

Neighbours differ by zeroing one unit (`Neighbours.ZERO_OUT`, REPLACE_SPECIAL in dp-accounting). For sums of clipped
vectors this is the same curve as add-or-remove-one: a zeroed unit adds 0 to the sum whether it is drawn or not, so the
released sum is distributed exactly as if the unit were not there. Both directions count: the unit zeroed ("remove") and
the unit put in its place ("add"); dp-accounting keeps both and answers with the worse.

Why the numbers are upper bounds:
- "pld" replaces the privacy loss by one on a grid whose curve lies above it (connect the dots: Doroshenko et al. 2022,
  arXiv:2207.04380, Theorem 3.1); a wider grid can only cost more. Mass beyond the grid counts as infinite loss.
- dp-accounting's float64 convolutions err on either side (seen: epsilon 0.5 % too small after 10,000 steps at delta
  1e-12), so every release takes FLOAT_ALLOWANCE from delta; where that would be a tenth of delta, the price is refused.
- "rdp" uses the Renyi divergence of Mironov et al. 2019 (arXiv:1908.10530) and the conversion of Canonne et al. 2020
  (arXiv:2004.00010, Proposition 12), both upper bounds; RDP_ALLOWANCE per release covers the float errors of the first.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

from tacit.errors import ConfigError
from tacit.privacy.events import (
    Composed,
    EpsilonDelta,
    Event,
    GaussianEvent,
    LocalRandomized,
    MatrixEvent,
    PoissonSampled,
    Repeated,
)
from tacit.privacy.participation import matrix_releases

__all__ = ["Curve", "Method", "check_delta", "curve", "delta", "epsilon"]

Method = Literal["pld", "rdp"]

FLOAT_ALLOWANCE = 1e-15
"""Delta taken per composed release for float64 errors: each release moves the curve by at most a few units of 1.1e-16
(two normal tails, one convolution by FFT); the largest error seen against 30-digit integration is 4e-17 per release."""

RDP_ALLOWANCE = 1e-14
"""Renyi divergence added per composed release, at every order, for the float64 errors of its sums (about 1e-15)."""

LEAST_NOISE, MOST_NOISE, LEAST_PROBABILITY, MOST_RELEASES = 1e-3, 1e9, 1e-9, 10**6
"""Outside these, float64 has no room for the arithmetic, and no plan worth the name private lies there."""

WIDEST_GAP = 1e-3
GAPS_PER_DEVIATION = 30
MOST_POINTS = 300_000
MOST_COMPOSED_POINTS = 2_000_000
MOST_EXCESS_MASS = 1e-2


class Curve(Protocol):
    """The privacy curve of an event: the (epsilon, delta) pairs that hold for it."""

    def epsilon(self, delta: float) -> float:
        """Return the epsilon that holds at delta; infinity when none does. 0 < delta < 1."""
        ...

    def delta(self, epsilon: float) -> float:
        """Return the delta that holds at epsilon. epsilon >= 0."""
        ...

    @property
    def smallest_delta(self) -> float:
        """Below this delta the method's own errors are too large a share, and epsilon is infinite."""
        ...


def epsilon(event: Event, delta: float, method: Method = "pld") -> float:
    """Return the epsilon at which the event is (epsilon, delta)-private; >= 0, never below the exact value.

    delta  -- 0 < delta < 1.
    method -- "pld" (within 1e-4 of exact for ordinary training plans) or "rdp" (8 to 80 % looser, any delta).
    Seconds: 0.05 to 0.3 for training plans of 100 to 10,000 steps; up to 3 for sampling probabilities under 1e-3.
    Raises ConfigError for a delta out of range, an unknown method or event, and when no finite epsilon holds.
    """
    if isinstance(event, LocalRandomized):
        return event.epsilon  # pure: it holds at every delta, 0 included
    check_delta(delta)
    if isinstance(event, EpsilonDelta):
        return _stated_epsilon(event, delta)
    found = curve(event, method)
    value = found.epsilon(delta)
    if math.isfinite(value):
        return value
    if delta < found.smallest_delta:
        raise ConfigError(
            f"delta {delta:g} is too small for so many releases: float64 errors could reach a tenth of it, so a price "
            f'would be no bound. Use a delta of at least {found.smallest_delta:.2g}, or method="rdp".'
        )
    raise ConfigError(f"no finite epsilon holds at delta {delta:g}: the noise is too small. Add noise, or use method='pld'.")


def delta(event: Event, epsilon: float, method: Method = "pld") -> float:
    """Return the delta at which the event is (epsilon, delta)-private; in [0, 1], never below the exact value.

    epsilon -- >= 0 and finite.
    method  -- "pld" or "rdp".
    Raises ConfigError for an epsilon out of range and an unknown method or event.
    """
    if not (isinstance(epsilon, int | float) and 0 <= epsilon < math.inf):
        raise ConfigError(f"epsilon must be a finite number >= 0, got {epsilon!r}: it bounds a likelihood ratio. Try 1.0.")
    if isinstance(event, LocalRandomized | EpsilonDelta):
        # The worst is randomized response that tells all with probability delta (Kairouz et al. 2015, arXiv:1311.0776, Theorem 3.2)
        least = event.delta if isinstance(event, EpsilonDelta) else 0.0
        return least + (1 - least) * max(0.0, -math.expm1(epsilon - event.epsilon)) / (1 + math.exp(-event.epsilon))
    return curve(event, method).delta(epsilon)


def _stated_epsilon(event: EpsilonDelta, delta: float) -> float:
    """Return the event's epsilon, which holds at its own delta and above."""
    if delta >= event.delta:
        return event.epsilon
    raise ConfigError(
        f"no finite epsilon holds at delta {delta:g}: the release is private at delta {event.delta:g} and known at no smaller one. "
        "Ask for that delta, or make the release with a smaller one."
    )


def check_delta(delta: float) -> None:
    """Raise ConfigError unless 0 < delta < 1."""
    if not (isinstance(delta, int | float) and 0 < delta < 1):
        raise ConfigError(
            f"delta must be > 0 and < 1, got {delta!r}: normal noise has no finite epsilon at delta 0. "
            "Choose it well under 1/n, for example 1e-5."
        )


def curve(event: Event, method: Method = "pld") -> Curve:
    """Return the privacy curve of an event, to ask for several values at the price of one composition.

    Raises ConfigError for an unknown method or event.
    """
    parts = _parts(event)
    match method:
        case "pld":
            return _Pld(distribution=_pld_accountant(tuple(parts)), releases=sum(part.count for part in parts))
        case "rdp":
            return _Rdp(*_rdp_vector(parts))
        case _:
            raise ConfigError(f'unknown accounting method {method!r}: only proved ones are offered. Use "pld" or "rdp".')


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """A normal release with Poisson sampling, `count` times. probability 1 stands for no sampling."""

    noise_multiplier: float
    probability: float
    count: int

    @property
    def span(self) -> float:
        """Width of one release's privacy losses out to ten standard deviations of noise, roughly."""
        far = 10 / self.noise_multiplier + 0.5 / self.noise_multiplier**2
        if self.probability == 1:
            return 2 * far
        if far > 600:
            return far
        return math.log1p(self.probability * math.expm1(far)) - math.log1p(-self.probability)

    @property
    def deviation(self) -> float:
        """Standard deviation of one release's privacy loss, roughly: the likelihood ratio's, where that is small."""
        ratio = math.sqrt(math.expm1(min(self.noise_multiplier**-2, 700.0)))
        return min(self.probability * ratio, self.span / 4)


def _parts(event: Event) -> list[_Part]:
    """Return an equivalent list of distinct parts. Unsampled normal releases add up to one of the noise
    (sum of 1/noise^2)^-1/2 (Dong et al. 2019, arXiv:1905.02383, Corollary 3.3)."""
    counts: dict[tuple[float, float], int] = {}
    for noise, probability, count in _flat(event, 1):
        counts[noise, probability] = counts.get((noise, probability), 0) + count
    for (noise, probability), count in counts.items():
        _check_room(noise, probability, count)
    parts = [_Part(noise_multiplier=n, probability=p, count=count) for (n, p), count in counts.items() if p < 1]
    unsampled = [count / noise**2 for (noise, probability), count in counts.items() if probability == 1]
    if unsampled:
        together = math.fsum(unsampled) ** -0.5
        _check_room(together, 1.0, 1)
        parts.append(_Part(noise_multiplier=together, probability=1.0, count=1))
    return parts


def _check_room(noise: float, probability: float, count: int) -> None:
    if LEAST_NOISE <= noise <= MOST_NOISE and probability >= LEAST_PROBABILITY and count <= MOST_RELEASES:
        return
    raise ConfigError(
        f"cannot price {count} releases with noise multiplier {noise:g} and sampling probability {probability:g}: float64 has no "
        f"room for a bound there. Stay within noise {LEAST_NOISE:g} to {MOST_NOISE:g} (unsampled releases count as one of less "
        f"noise), probability >= {LEAST_PROBABILITY:g} and {MOST_RELEASES} releases."
    )


def _flat(event: Event, times: int) -> Iterator[tuple[float, float, int]]:
    """Yield (noise multiplier, probability, count) of every release in the event, done `times` times."""
    match event:
        case GaussianEvent(noise_multiplier=noise):
            yield noise, 1.0, times
        case PoissonSampled(probability=probability, event=inner):
            yield inner.noise_multiplier, probability, times
        case MatrixEvent():
            noise, probability, count = matrix_releases(event)
            yield noise, probability, times * count
        case Repeated(event=inner, count=count):
            yield from _flat(inner, times * count)
        case Composed(events=events):
            for one in events:
                yield from _flat(one, times)
        case _:
            raise ConfigError(
                f"{type(event).__name__} is not an event with a proved price: a number for it would be a guess. "
                "Use GaussianEvent, PoissonSampled, MatrixEvent, Repeated or Composed."
            )


def _grid_gap(parts: list[_Part]) -> float:
    """Return the grid gap of the privacy losses, in epsilon units.

    At most 1e-3 and a thirtieth of a release's deviation: the bound's excess is about 0.1 (gap / deviation)^2 of epsilon.
    Coarser, hence dearer but still a bound, where one release or the whole would take too many points, or where the
    rounding of second differences (1e-16 / gap at some ten deviations' worth of points, cut off at 0 from below) would
    add up to more than a hundredth of all mass.
    """
    fine = min(WIDEST_GAP, min(part.deviation for part in parts) / GAPS_PER_DEVIATION)
    total = math.sqrt(math.fsum(part.count * part.deviation**2 for part in parts))
    rounding = math.sqrt(math.fsum(part.count * part.deviation for part in parts) * 1e-15 / MOST_EXCESS_MASS)
    return max(fine, max(part.span for part in parts) / MOST_POINTS, 16 * total / MOST_COMPOSED_POINTS, rounding)


def _compose(accountant: Any, parts: list[_Part]) -> Any:
    import dp_accounting
    import numpy as np

    with np.errstate(all="ignore"):  # tails underflow to 0 and overflow to infinity on purpose
        for part in parts:
            event = dp_accounting.GaussianDpEvent(part.noise_multiplier)
            if part.probability < 1:
                event = dp_accounting.PoissonSampledDpEvent(part.probability, event)
            accountant.compose(event, part.count)
    return accountant


@lru_cache(maxsize=32)
def _pld_accountant(parts: tuple[_Part, ...]) -> Any:
    """Return the composed distribution; kept, so that what a plan was priced by is not composed again for its ledger."""
    from dp_accounting import NeighboringRelation
    from dp_accounting.pld import PLDAccountant

    return _compose(PLDAccountant(NeighboringRelation.REPLACE_SPECIAL, _grid_gap(list(parts))), list(parts))


def _rdp_vector(parts: list[_Part]) -> tuple[Any, Any]:
    """Return (orders, Renyi divergences with their float allowance), both shape (k,)."""
    import numpy as np
    from dp_accounting import NeighboringRelation
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(neighboring_relation=NeighboringRelation.REPLACE_SPECIAL)
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)  # a warning for every order left out, which only makes the bound looser
    try:
        _compose(accountant, parts)
    finally:
        log.setLevel(level)
    # dp-accounting takes a divergence that rounding made negative for "no loss at all"; nothing released is free
    return accountant.orders, np.maximum(accountant.rdp, 0) + RDP_ALLOWANCE * sum(part.count for part in parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pld:
    distribution: Any
    releases: int

    @property
    def allowance(self) -> float:
        return FLOAT_ALLOWANCE * self.releases

    @property
    def smallest_delta(self) -> float:
        return 10 * self.allowance

    def epsilon(self, delta: float) -> float:
        if delta < self.smallest_delta:
            return math.inf
        return max(0.0, float(self.distribution.get_epsilon(delta - self.allowance)))

    def delta(self, epsilon: float) -> float:
        return min(1.0, max(0.0, float(self.distribution.get_delta(epsilon))) + self.allowance)


@dataclass(frozen=True, slots=True)
class _Rdp:
    orders: Any
    divergences: Any

    @property
    def smallest_delta(self) -> float:
        return 0.0

    def epsilon(self, delta: float) -> float:
        from dp_accounting.rdp import rdp_privacy_accountant

        return max(0.0, float(rdp_privacy_accountant.compute_epsilon(self.orders, self.divergences, delta)[0]))

    def delta(self, epsilon: float) -> float:
        from dp_accounting.rdp import rdp_privacy_accountant

        return min(1.0, max(0.0, float(rdp_privacy_accountant.compute_delta(self.orders, self.divergences, epsilon)[0])))
