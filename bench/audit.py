"""Power and validity of the audits on simulated twins: 200 steps at rate 0.1, noise for epsilon 3 or none at all.

The simulation is exact: a canary's coordinate of a noisy sum holds nothing but its Poisson draws and the noise.
"""

import statistics
import time

import numpy as np
from numpy.typing import NDArray

from row import Row, main, row
from tacit.evaluate import canary_audit, loss_threshold_attack, one_run_audit
from tacit.privacy.guarantee import Guarantee

CLAIM = Guarantee(epsilon=3.0, delta=1e-5)
STEPS, PROBABILITY = 200, 0.1
NOISE = 2.17816162109375  # costs epsilon 2.99981 at delta 1e-5 (dp-accounting 0.6, PLD)


class Twins:
    steps, probability = STEPS, PROBABILITY

    def __init__(self, noise_multiplier: float, seed: int) -> None:
        self.noise_multiplier, self.rng = noise_multiplier, np.random.default_rng(seed)

    def __call__(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        total = np.zeros(present.shape)
        for _ in range(self.steps):
            total += (self.rng.random(present.shape, dtype=np.float32) < self.probability) & present
            if self.noise_multiplier:
                total += self.noise_multiplier * self.rng.standard_normal(present.shape)
        return total


class Coins:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def uniform_words(self, count: int) -> NDArray[np.uint64]:
        return self.rng.integers(0, 2**64, count, dtype=np.uint64)


def measure(quick: bool) -> list[Row]:
    """Return the audits' rows."""
    audits = 20 if quick else 100
    return [*_many_runs(audits), *_one_run(audits), *_membership(10 * audits)]


def _many_runs(audits: int) -> list[Row]:
    started = time.perf_counter()
    broken = [canary_audit(Twins(0.0, seed), CLAIM) for seed in range(audits)]
    sound = [canary_audit(Twins(NOISE, audits + seed), CLAIM) for seed in range(audits)]
    seconds = (time.perf_counter() - started) / (2 * audits)
    return [
        row(
            f"canary audits that find no noise, of {audits}",
            _share([a.contradicts for a in broken]),
            "share",
            goal=0.95,
            better="higher",
        ),
        row(
            "  epsilon proved at 1 - 1e-6, median",
            statistics.median(a.acted for a in broken),
            "epsilon",
            goal=4.0,
            better="higher",
        ),
        row(f"canary audits that accuse correct noise, of {audits}", _share([a.contradicts for a in sound]), "share", goal=0.0),
        row("  epsilon shown at 95 %, median", statistics.median(a.shown for a in sound), "epsilon"),
        row("  95 % bounds above epsilon 3", _share([a.shown > CLAIM.epsilon for a in sound]), "share", goal=0.05),
        row("  seconds an audit of 2 x 1,000 simulated twins", seconds, "s"),
    ]


def _one_run(audits: int) -> list[Row]:
    started = time.perf_counter()
    broken = [one_run_audit(Twins(0.0, seed), CLAIM, coins=Coins(seed)) for seed in range(audits)]
    sound = [one_run_audit(Twins(NOISE, audits + seed), CLAIM, coins=Coins(audits + seed)) for seed in range(audits)]
    bounds = [[audit.shown for audit in group] for group in (broken, sound)]
    seconds = (time.perf_counter() - started) / (2 * audits)
    return [
        row(
            f"one-run bounds above epsilon 3 without noise, of {audits}",
            _share([b > 3 for b in bounds[0]]),
            "share",
            goal=0.95,
            better="higher",
        ),
        row(
            f"one-run bounds above epsilon 3 with correct noise, of {audits}",
            _share([b > 3 for b in bounds[1]]),
            "share",
            goal=0.05,
        ),
        row("  epsilon shown at 95 % with correct noise, median", statistics.median(bounds[1]), "epsilon"),
        row("  seconds an audit of 1,000 canaries", seconds, "s"),
    ]


def _membership(attacks: int) -> list[Row]:
    rng = np.random.default_rng(0)
    blind = [loss_threshold_attack(rng.random(400), rng.random(400)) for _ in range(attacks)]
    leaky = [loss_threshold_attack(rng.exponential(0.6, 400), rng.exponential(1.0, 400)) for _ in range(attacks)]
    name = f"loss attacks (400 a side, of {attacks}) that"
    return [
        row(f"{name} claim an advantage where none is", _share([a.advantage_interval[0] > 0 for a in blind]), "share", goal=0.05),
        row(
            f"{name} find an AUC of 0.625", _share([a.auc_interval[0] > 0.5 for a in leaky]), "share", goal=0.95, better="higher"
        ),
    ]


def _share(values: list[bool]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main("audit", measure, ("numpy", "scipy"))
