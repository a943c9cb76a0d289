"""How many people of a population are unique in it, estimated from the class sizes of a sample.

f_i is the number of classes of i rows, u of all classes, n the rows, N the size of the population and pi = n / N.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError

UniquesEstimator = Literal["dankar", "pitman", "zayatz", "snb"]

_NEARLY_POISSON = 25.0
"""1 - b = exp(-25): from here on the slide negative binomial is a Poisson distribution, to eleven digits."""


@dataclass(frozen=True, slots=True)
class SampledSizes:
    """The class sizes of a sample and the size of its population.

    sizes  -- shape (d,): the distinct class sizes i, ascending, each >= 1.
    counts -- shape (d,): f_i, classes of each size, each >= 1.
    population_size -- N >= n.
    """

    sizes: NDArray[np.int64]
    counts: NDArray[np.int64]
    population_size: int

    @classmethod
    def of(cls, class_sizes: NDArray[np.int64], population_size: int) -> "SampledSizes":
        """Return the sizes of classes, shape (c,), counted; DataError when there is no row, or more than in the population."""
        rows = int(class_sizes.sum())
        if not 0 < rows <= population_size:
            raise DataError(
                f"the sample has {rows} rows and its population {population_size} people: an estimate needs at least one row and "
                "no more rows than people. Correct population_size."
            )
        sizes, counts = np.unique(class_sizes, return_counts=True)
        return cls(sizes=sizes.astype(np.int64), counts=counts.astype(np.int64), population_size=population_size)

    @property
    def rows(self) -> int:
        return int(self.sizes @ self.counts)

    @property
    def classes(self) -> int:
        return int(self.counts.sum())

    @property
    def fraction(self) -> float:
        return self.rows / self.population_size

    def of_size(self, size: int) -> int:
        """Return f_i for i = size."""
        return int(self.counts[self.sizes == size].sum())


def population_uniques(class_sizes: NDArray[np.int64], population_size: int, *, estimator: UniquesEstimator = "dankar") -> float:
    """Return the estimated number of people that are unique in the population; NaN when the estimator finds no solution.

    class_sizes     -- shape (c,): rows of each class of the sample, each >= 1.
    population_size -- N, at least the rows.
    estimator       -- "dankar": Pitman's for pi <= 0.1, or Zayatz's without a solution; above, the smaller of Zayatz's and SNB's,
                       or Zayatz's without a solution (Dankar et al. 2012, BMC Medical Informatics and Decision Making 12:66).
    A sample in which no row is alone gives 0. Raises DataError when there are no rows, or more than people.
    """
    if estimator not in get_args(UniquesEstimator):
        raise ConfigError(
            f"the estimator of uniques must be one of {', '.join(get_args(UniquesEstimator))}, got {estimator!r}: each takes the "
            'population to be another. Use "dankar" to have it chosen.'
        )
    sample = SampledSizes.of(class_sizes, population_size)
    if sample.of_size(1) == 0:
        return 0.0
    if estimator == "pitman":
        return pitman_uniques(sample)
    if estimator == "snb":
        return snb_uniques(sample)
    cautious = zayatz_uniques(sample)
    if estimator == "zayatz":
        return cautious
    other = pitman_uniques(sample) if sample.fraction <= 0.1 else min(snb_uniques(sample), cautious, key=_nan_last)
    return cautious if math.isnan(other) else other


def zayatz_uniques(sample: SampledSizes) -> float:
    """Return f1 c / pi, c being the chance that a row alone in the sample is alone in the population.

    c = f1 h(1) / sum f_i h(i), h(i) the hypergeometric chance that a sample of n from N draws one of i given people: the
    sample's own class sizes stand for the population's. Source: Zayatz 1991 (US Census Bureau, Statistical Research Report).
    h(i) / h(1) = i (N - n) ... (N - n - i + 2) / ((N - 1) ... (N - i + 1)), which needs no factorials.
    """
    people, rows = sample.population_size, sample.rows
    steps = np.arange(int(sample.sizes[-1]) - 1, dtype=np.float64)
    others = np.maximum(people - rows - steps, 0.0) / (people - 1 - steps)
    with np.errstate(divide="ignore"):
        logs = np.concatenate(([0.0], np.cumsum(np.log(others))))
    ratios = sample.sizes * np.exp(logs[sample.sizes - 1])
    alone = sample.of_size(1)
    return alone * alone / float(sample.counts @ ratios) / sample.fraction


def shlosser_classes(sample: SampledSizes) -> float:
    """Return the estimated number of classes that are not empty in the population, K >= u.

    Source: Shlosser 1981 in the modified form of Haas & Stokes 1998 (JASA 93), for Bernoulli samples of fraction pi:
    u + f1 [sum i pi^2 (1 - pi^2)^(i-1) f_i / sum (1-pi)^i ((1+pi)^i - 1) f_i] [sum (1-pi)^i f_i / sum i pi (1-pi)^(i-1) f_i]^2.
    """
    if sample.fraction == 1:
        return float(sample.classes)
    i, f, pi = sample.sizes.astype(np.float64), sample.counts, sample.fraction
    seen_twice = f @ (i * pi**2 * (1 - pi**2) ** (i - 1))
    unseen = f @ ((1 - pi**2) ** i - (1 - pi) ** i)  # (1-pi)^i ((1+pi)^i - 1), which does not overflow in this form
    none, one = f @ (1 - pi) ** i, f @ (i * pi * (1 - pi) ** (i - 1))
    return float(sample.classes + sample.of_size(1) * seen_twice / unseen * (none / one) ** 2)


def snb_uniques(sample: SampledSizes) -> float:
    """Return K b^a: class sizes in the population are 1 + a negative binomial of shape a and success probability b.

    a and b make the expected f1 and f2 of a Bernoulli sample those that were seen; K is Shlosser's. NaN when no a, b do.
    Source: Chen & Keller-McNulty 1998 (Journal of Official Statistics 14(1)), the slide negative binomial.
    """
    if sample.fraction == 1:
        return float(sample.of_size(1))
    classes = shlosser_classes(sample)
    shape, log_success = snb_shape(classes, sample.fraction, sample.of_size(1), sample.of_size(2))
    return math.nan if math.isnan(shape) else classes * math.exp(shape * log_success)


def snb_shape(classes: float, fraction: float, alone: float, pairs: float) -> tuple[float, float]:
    """Return (a, log b) of the slide negative binomial with these expected f1 and f2; NaN twice when there are none.

    classes -- K; fraction -- pi, below 1; alone -- f1 > 0; pairs -- f2.
    With d = (1 - pi)(1 - b): f1 = K pi (b/(1-d))^a (1 + a d/(1-d)), and f2 / f1 = a pi (1-b) (2 - (1-a) d) / (2 (1-d) (1-d+a d)).
    For given b the second is a quadratic equation with one positive root a. With that a, the right side of the first rises
    with b, from 0 to that of a Poisson distribution (b to 1, a (1-b) fixed): one solution when f1 lies below the limit,
    none otherwise. b may be as small as it likes: of a class larger than most of the sample only log b tells.
    """
    if pairs <= 0:
        return math.nan, math.nan

    def shape(rare: float) -> float:
        d = (1 - fraction) * rare
        square, line = fraction * rare * d, fraction * rare * (2 - d) - 2 * pairs / alone * (1 - d) * d
        constant = 2 * pairs / alone * (1 - d) ** 2
        root = math.sqrt(line * line + 4 * square * constant)
        return 2 * constant / (line + root) if line > 0 else (root - line) / (2 * square)

    def excess(place: float) -> float:
        log_success = -math.exp(place)
        rare = -math.expm1(log_success)
        a, d = shape(rare), (1 - fraction) * rare
        return math.log(classes * fraction / alone) + a * (log_success - math.log1p(-d)) + math.log1p(a * d / (1 - d))

    low, high = -_NEARLY_POISSON, 0.0
    if not excess(low) > 0:
        return math.nan, math.nan
    while excess(high) > 0:
        high += 8.0
    log_success = -math.exp(_bisect(excess, low, high))
    return shape(-math.expm1(log_success)), log_success


def pitman_uniques(sample: SampledSizes) -> float:
    """Return Gamma(theta + 1) / Gamma(theta + alpha) N^alpha; NaN when the likelihood has no maximum with 0 < alpha < 1.

    The population is drawn by Pitman's sampling formula with the theta and alpha of greatest likelihood.
    Source: Hoshino 2001 (Journal of Official Statistics 17(4)), equations for the maximum likelihood estimates.
    """
    theta, alpha = pitman_parameters(sample)
    if math.isnan(theta):
        return math.nan
    log_uniques = math.lgamma(theta + 1) - math.lgamma(theta + alpha) + alpha * math.log(sample.population_size)
    return min(math.exp(log_uniques), float(sample.population_size))


def pitman_parameters(sample: SampledSizes) -> tuple[float, float]:
    """Return (theta, alpha), theta > -alpha and 0 < alpha < 1, of greatest likelihood; NaN twice when there are none.

    They solve, sums over i: sum_{i<u} 1/(theta + i alpha) = sum_{i<n} 1/(theta + i), and
    sum_{i<u} i/(theta + i alpha) = sum_{j>=2} f_j sum_{i<j} 1/(i - alpha). For given alpha the first has a root in theta, so the
    second becomes an equation in alpha alone. The sums are differences of the digamma function.
    """
    from scipy.special import digamma

    u, n = sample.classes, sample.rows
    if u < 2 or u == n:
        return math.nan, math.nan
    larger = sample.sizes >= 2

    def over_classes(shift: float, alpha: float) -> float:
        """Return the sum of 1 / (theta + i alpha) over i < u; shift is theta + alpha."""
        return float(digamma(u - 1 + shift / alpha) - digamma(shift / alpha)) / alpha

    def shift_of(alpha: float) -> float:
        def slope(log: float) -> float:
            theta = math.exp(log) - alpha
            return over_classes(math.exp(log), alpha) - float(digamma(n + theta) - digamma(theta + 1))

        return math.exp(_bisect(slope, math.log(alpha) - 30.0, math.log(n) + 40.0))

    def score(alpha: float) -> float:
        shift = shift_of(alpha)
        inside = sample.counts[larger] @ (digamma(sample.sizes[larger] - alpha) - digamma(1 - alpha))
        return (u - 1 - (shift - alpha) * over_classes(shift, alpha)) / alpha - float(inside)

    low, high = 1e-4, 1 - 1e-9
    if not score(low) > 0 > score(high):
        return math.nan, math.nan
    alpha = _bisect(score, low, high)
    return shift_of(alpha) - alpha, alpha


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with different signs at low and high changes its sign, to the last bit or two."""
    rising = function(high) > function(low)
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high and not high < middle < low:
            break
        if (function(middle) > 0) == rising:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _nan_last(value: float) -> float:
    return math.inf if math.isnan(value) else value
