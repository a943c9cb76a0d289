"""Writes epsilon.json: exact epsilons of normal releases, integrated without anything of tacit or dp-accounting.

    python tests/golden/integrate_epsilon.py            # ten minutes; needs mpmath and SciPy

Zero-out-one neighbours in one dimension (that is the worst case): with P the law of the sum that holds the unit and Q the
law of the one that does not, one release of noise sigma that draws the unit with probability q has
    Q = N(0, sigma^2),  P = (1 - q) N(0, sigma^2) + q N(1, sigma^2),  r(x) = P(x) / Q(x) = 1 - q + q exp((2x - 1) / (2 sigma^2)).
Direction "remove" compares P with Q, "add" compares Q with P; epsilon is the larger of the two.
Three ways, in 30-digit arithmetic:

normal    q = 1: delta = Phi(1/(2s) - e s) - exp(e) Phi(-1/(2s) - e s), s = sigma / sqrt(steps). Balle & Wang 2018,
          arXiv:1805.06530, Theorem 8. Solved for e.
integral  one step: delta = integral of max(0, P - exp(e) Q), by Gauss-Legendre on either side of nothing but the point where
          P = exp(e) Q, and the same with P and Q swapped.
contour   any steps T: with M(z) = E[exp(z L)] of one release's privacy loss L,
          delta = 1/(2 pi i) * integral over Re z = c of M(z)^T exp(-e z) / (z (z + 1)) dz,  any c > 0
          (the inverse Laplace transform of (1 - exp(e - l))+; compare Alghamdi et al. 2022, arXiv:2208.09595, Theorem 3.3).
          "remove": M(z) = E_Q[r^(z+1)];  "add": M(z) = E_Q[r^(-z)]. Both integrals are trapezoid sums, which converge
          exponentially here; each is done twice, with other steps and another c, and `digits` says how far the two agree.
"""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpmath import mp, mpf
from scipy.optimize import minimize_scalar

mp.dps = 30

NORMAL = [  # sigma, steps, delta
    (0.3, 1, 1e-5),
    (1.0, 1, 1e-5),
    (1.0, 1, 1e-9),
    (4.0, 1, 1e-3),
    (20.0, 100, 1e-5),
    (44.0, 1000, 1e-6),
]
ONE_STEP = [(1.0, 0.3, 1e-5), (0.5, 0.01, 1e-6), (2.0, 0.9, 1e-5), (5.0, 0.5, 1e-2)]  # sigma, q, delta
COMPOSED = [  # sigma, q, steps, delta
    (2.0, 0.9, 10, 1e-5),
    (1.287, 0.05, 200, 1e-5),
    (1.287, 0.05, 200, 1e-9),
    (0.9, 0.05, 200, 1e-5),
    (1.0, 0.01, 1000, 1e-5),
    (1.0, 0.01, 10000, 1e-5),
    (1.0, 0.01, 10000, 1e-9),
    (1.0, 0.01, 10000, 2e-10),
    (0.7, 0.002, 10000, 1e-6),
    (5.0, 0.2, 10000, 1e-5),
    (20.0, 0.01, 10000, 1e-5),
    (2.0, 0.5, 50, 1e-3),
    (0.7, 0.02, 200, 1e-5),
]


def solve(delta_at: Callable[[mpf], mpf], delta: float, start: mpf) -> mpf:
    """Return e with delta_at(e) = delta, by the secant method on log delta."""
    return mp.findroot(lambda e: mp.log(delta_at(e) / mpf(delta)), (mpf(start), mpf(start) * mpf("1.01")), tol=mpf(10) ** -24)


def normal(sigma: float, steps: int, delta: float) -> dict[str, Any]:
    s = mpf(sigma) / mp.sqrt(steps)

    def delta_at(e: mpf) -> mpf:
        return mp.ncdf(1 / (2 * s) - e * s) - mp.exp(e) * mp.ncdf(-1 / (2 * s) - e * s)

    e = bisect(delta_at, delta, 90)
    return row("normal", sigma, 1.0, steps, delta, e, e, 20)


def one_step(sigma: float, q: float, delta: float) -> dict[str, Any]:
    s, p = mpf(sigma), mpf(q)

    def density(x: mpf, mean: int) -> mpf:
        return mp.npdf(x, mean, s)

    def crossing(ratio: mpf) -> mpf:  # where r(x) = ratio
        return mpf(1) / 2 + s * s * mp.log((ratio - 1 + p) / p)

    def remove(e: mpf) -> mpf:
        x = crossing(mp.exp(e))
        points = [x + i * s for i in range(0, 16, 2)]
        return mp.quad(lambda y: (1 - p) * density(y, 0) + p * density(y, 1) - mp.exp(e) * density(y, 0), points)

    def add(e: mpf) -> mpf:
        if mp.exp(-e) <= 1 - p:
            return mpf(0)  # the loss of "add" stays below -log(1 - q)
        x = crossing(mp.exp(-e))
        points = [x - i * s for i in range(14, -1, -2)]
        return mp.quad(lambda y: density(y, 0) - mp.exp(e) * ((1 - p) * density(y, 0) + p * density(y, 1)), points)

    return row("integral", sigma, q, 1, delta, bisect(remove, delta, 60), bisect(add, delta, 60), 16)


def composed(sigma: float, q: float, steps: int, delta: float) -> dict[str, Any]:
    both, digits = [], 99.0
    for direction in ("remove", "add"):
        rough = contour(sigma, q, steps, direction, delta, tilt=1.0, fine=1.0, start=None)
        again = contour(sigma, q, steps, direction, delta, tilt=1.2, fine=1.4, start=rough)
        digits = min(digits, float(-mp.log10(abs(rough / again - 1) + mpf(10) ** -25)))
        both.append(again)
    return row("contour", sigma, q, steps, delta, both[0], both[1], math.floor(digits))


def contour(
    sigma: float, q: float, steps: int, direction: str, delta: float, *, tilt: float, fine: float, start: mpf | None
) -> mpf:
    """Return the epsilon of one direction. tilt moves the contour, fine divides both step lengths."""
    c, e = saddle(sigma, q, steps, direction, delta)
    c *= tilt
    nodes = release_nodes(sigma, q, c, fine)

    def log_moment(z: Any) -> Any:
        power = z + 1 if direction == "remove" else -z
        return mp.log(mp.fsum(weight * mp.exp(power * loss) for weight, loss in nodes))

    step = mpf(min(c / 12, width(sigma, q, steps, direction, c) / 8)) / mpf(fine)
    values: list[tuple[Any, Any]] = []
    while True:
        z = mp.mpc(c, step * len(values))
        moment = steps * log_moment(z)
        values.append((z, mp.exp(moment) / (z * (z + 1))))
        if len(values) > 5 and abs(values[-1][1]) < mpf(10) ** -22 * abs(values[0][1]):
            break

    def delta_at(x: mpf) -> mpf:
        terms = [(value * mp.exp(-x * z)).real for z, value in values]
        return step / mp.pi * (mp.fsum(terms) - terms[0] / 2)

    return solve(delta_at, delta, e if start is None else start)


def release_nodes(sigma: float, q: float, c: float, fine: float) -> list[tuple[mpf, mpf]]:
    """Return (weight of Q, log r) at the trapezoid nodes; the integrand's poles lie pi sigma^2 off the real axis."""
    s, p = mpf(sigma), mpf(q)
    gap = mpf(min(sigma / 7, sigma * sigma / 5)) / mpf(fine)
    first, last = -14 * sigma, c + 2 + 14 * sigma
    count = int((last - first) / float(gap)) + 1
    points = [first + gap * i for i in range(count)]
    return [(gap * mp.npdf(x, 0, s), mp.log(1 - p + p * mp.exp((2 * x - 1) / (2 * s * s)))) for x in points]


def float_log_moment(sigma: float, q: float, direction: str, c: float) -> float:
    with mp.workdps(16):
        power = c + 1 if direction == "remove" else -c
        nodes = release_nodes(sigma, q, c, 1.0)
        return float(mp.log(mp.fsum(weight * mp.exp(power * loss) for weight, loss in nodes)))


def width(sigma: float, q: float, steps: int, direction: str, c: float) -> float:
    """Return the width of the integrand along the contour: (second derivative of its logarithm)^-1/2."""
    h = 0.02 * c
    left, mid, right = (steps * float_log_moment(sigma, q, direction, x) - math.log(x) - math.log1p(x) for x in (c - h, c, c + h))
    return 1 / math.sqrt((left - 2 * mid + right) / (h * h))


def saddle(sigma: float, q: float, steps: int, direction: str, delta: float) -> tuple[float, float]:
    """Return (c, e) near the saddle point of the contour integral for this delta, good to a few per cent."""

    def bound(c: float) -> float:  # Chernoff: the e at which the integrand's peak is delta
        return (steps * float_log_moment(sigma, q, direction, c) - math.log(delta) - math.log(c) - math.log1p(c)) / c

    found = minimize_scalar(lambda u: bound(math.exp(u)), bounds=(-2.0, 6.5), method="bounded", options={"xatol": 0.02})
    c = math.exp(found.x)
    return c, 0.9 * bound(c)


def bisect(delta_at: Callable[[mpf], mpf], delta: float, halvings: int) -> mpf:
    low, high = mpf(0), mpf(1)
    while delta_at(high) > delta:
        high *= 2
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_at(middle) > delta else (low, middle)
    return high


def row(method: str, sigma: float, q: float, steps: int, delta: float, remove: mpf, add: mpf, digits: int) -> dict[str, Any]:
    found = {
        "method": method,
        "noise_multiplier": sigma,
        "probability": q,
        "steps": steps,
        "delta": delta,
        "remove": mp.nstr(remove, 16),
        "add": mp.nstr(add, 16),
        "epsilon": mp.nstr(max(remove, add), 16),
        "digits": digits,
    }
    print(found, file=sys.stderr, flush=True)
    return found


def main() -> None:
    cases: list[tuple[Callable[..., dict[str, Any]], tuple[float, ...]]] = [(normal, case) for case in NORMAL]
    cases += [(one_step, case) for case in ONE_STEP] + [(composed, case) for case in COMPOSED]
    source = "tests/golden/integrate_epsilon.py, mpmath at 30 digits; `digits` is how far two runs of different steps agree"
    rows = [integrate(*case) for integrate, case in cases]
    path = Path(__file__).with_name("epsilon.json")
    path.write_text(json.dumps({"source": source, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
