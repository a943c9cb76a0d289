"""The exponential mechanism: one of several candidates, a better one likelier; the release, its price and the proof.

The choice. Candidate i has score q_i, a function of the data that a neighbour moves by at most `sensitivity`, and is chosen
with probability proportional to e^(epsilon q_i / (2 sensitivity)) (McSherry & Talwar 2007, doi:10.1109/FOCS.2007.66, Theorem 6).

Bounded range. Between neighbours the log-ratio of a candidate's probabilities is epsilon (q_i - q'_i) / (2 sensitivity) plus a
number that is the same for all candidates, so over all candidates it lies in one interval [t - epsilon, t] (Durfee & Rogers
2019, arXiv:1905.04273, Lemma 3.4).

The price, as a Gaussian release. Claim: a mechanism of range epsilon is mu-GDP (Dong, Roth & Su 2019, arXiv:1905.02383) for

    mu = 2 Phi^-1(1 / (1 + e^(-epsilon / 2))).

1. Among all pairs of laws whose log-ratio lies in [t - epsilon, t] the easiest to tell apart takes the two ends only, with
   probabilities p and 1 - p under one law, q and 1 - q under the other, p / q = e^t and (1 - p) / (1 - q) = e^(t - epsilon) (Dong,
   Durfee & Rogers 2020, arXiv:1909.13830, Lemma 4.2: generalized randomized response). Hence logit p - logit q = epsilon.
2. Its trade-off curve is two straight lines that meet at (q, 1 - p). The Gaussian curve G_mu is convex and meets it at (0, 1) and
   (1, 0), so it lies below both lines exactly when it lies below the corner: Phi(Phi^-1(1 - q) - mu) <= 1 - p, that is
   mu >= Phi^-1(p) - Phi^-1(q).
3. As a function of l = logit p, Phi^-1(p) has the derivative p (1 - p) / phi(Phi^-1(p)), whose own log-derivative in x = Phi^-1(p) is
   phi/Phi - phi/(1 - Phi) + x: 0 at 0 and, for x > 0, negative. So it is largest at p = 1/2 and falls to both sides alike, and over
   an interval of length epsilon its integral is largest for the one centred at 0: p = 1 / (1 + e^(-epsilon/2)) = 1 - q. This is mu.

mu-GDP composes adaptively with Gaussian releases exactly (Corollary 3.3 there), which zero-concentrated DP, epsilon^2 / 8 (Cesar &
Rogers 2021, arXiv:2004.07223, Lemma 3.2), does only up to its conversion to (epsilon, delta).

Arithmetic. Scores become whole numbers, 2^10 to a sensitivity; weights are whole numbers, at least 2^99, rounded up; the draw is
from exactly these weights. A neighbour moves a whole score by at most 2^10 + 1: rounding down adds less than 1 to 2^10 + 1/2, the
half being for float errors of both scores. What the rounding of weights can add to the range, 2^-97, is taken from epsilon
beforehand, with room to spare.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from numbers import Real
from statistics import NormalDist

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.source import Source
from tacit.privacy.events import GaussianEvent

LEAST_EPSILON, LARGEST_EPSILON = 2.0**-20, 40.0
"""Below, rounding would be a share of epsilon; above, a choice hides nothing worth hiding."""

PARTS = 1 << 10
"""Steps of a whole score in one sensitivity."""

REACH = PARTS + 1
"""How far a neighbour can move a whole score."""

_MARGIN = 1 - 2.0**-30
_EXACT = Context(prec=80)
_WEIGHT_BITS, _LARGEST_EXPONENT = 192, 64.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Exponential:
    """Chooses one of several candidates, a better one likelier.

    epsilon -- length of the interval that the log-ratio of any choice's probabilities lies in, zero-out neighbours; 2^-20 .. 40.
    """

    epsilon: float

    def __post_init__(self) -> None:
        number = not isinstance(self.epsilon, bool) and isinstance(self.epsilon, Real)
        if not (number and LEAST_EPSILON <= self.epsilon <= LARGEST_EPSILON):
            raise ConfigError(
                f"the epsilon of a choice must lie between {LEAST_EPSILON:.2g} and {LARGEST_EPSILON:g}, got {self.epsilon!r}: below, the "
                "choice would be all chance; above, none. Use fewer choices, or choose between 0.01 and 1."
            )
        object.__setattr__(self, "epsilon", float(self.epsilon))

    @classmethod
    def costing(cls, event: GaussianEvent) -> "Exponential":
        """Return the mechanism of the largest epsilon that costs no more than a Gaussian release."""
        half = 1 / (event.noise_multiplier * 2 * math.sqrt(2))
        epsilon = 2 * (math.log(math.erfc(-half)) - math.log(math.erfc(half))) if half < 20 else math.inf
        return cls(epsilon=min(epsilon * _MARGIN**2, LARGEST_EPSILON))

    def choose(self, scores: Sequence[float], *, sensitivity: float, source: Source) -> int:
        """Return the place of the chosen candidate.

        scores      -- m >= 1 finite numbers; float errors of computing one must stay under 2^-12 of the sensitivity.
        sensitivity -- how far zeroing one unit moves any one score; finite and > 0.
        Raises PrivacyError for a score that is not finite, ConfigError for no candidate or a sensitivity out of range.
        """
        if not (sensitivity > 0 and math.isfinite(sensitivity)) or not len(scores):
            raise ConfigError(
                f"a choice needs candidates and a finite sensitivity > 0, got {len(scores)} candidates and {sensitivity}. "
                "The sensitivity is how far one unit moves any score."
            )
        weights = self._weights(scores, sensitivity)
        drawn = _below(sum(weights), source)
        for place, weight in enumerate(weights):
            drawn -= weight
            if drawn < 0:
                return place
        raise AssertionError("a number below the sum of the weights lies in one of them")

    def event(self) -> GaussianEvent:
        """Return what the accountant is told: a Gaussian release that costs at least as much, by the claim above."""
        mu = -2 * NormalDist().inv_cdf(1 / (1 + math.exp(self.epsilon / 2)))
        return GaussianEvent(noise_multiplier=_MARGIN / mu)

    def _weights(self, scores: Sequence[float], sensitivity: float) -> list[int]:
        """Return each candidate's weight, a whole number; candidates of no chance in 10^27 share the least."""
        if not all(math.isfinite(score) and abs(score) < 2.0**40 * sensitivity for score in scores):
            raise PrivacyError("a score is not finite or too large for whole numbers, so nothing was chosen. Check the scores.")
        whole = [math.floor(score / sensitivity * PARTS) for score in scores]
        rate = self.epsilon / (2 * REACH) * _MARGIN
        gaps = [min(max(whole) - one, math.floor(_LARGEST_EXPONENT / rate)) for one in whole]
        weights = {gap: _weight(gap, Decimal(rate)) for gap in set(gaps)}
        return [weights[gap] for gap in gaps]


def _weight(gap: int, rate: Decimal) -> int:
    scaled = _EXACT.multiply(_EXACT.exp(_EXACT.multiply(-rate, gap)), Decimal(1 << _WEIGHT_BITS))
    return int(scaled.to_integral_value(rounding=ROUND_CEILING))


def _below(end: int, source: Source) -> int:
    """Return a whole number uniform on 0 .. end - 1, exactly, from words of 64 bits."""
    words = -(-end.bit_length() // 64) + 1
    most = (1 << (64 * words)) // end * end
    while True:
        drawn = int.from_bytes(source.uniform_words(words).tobytes(), "little")
        if drawn < most:
            return drawn % end
