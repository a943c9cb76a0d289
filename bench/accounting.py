"""What a price takes and how far above exact it lies: calibration, PLD prices, dp-accounting's default beside them.

python bench/accounting.py [--quick] [--json FILE]
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from row import Row, main, row
from tacit.privacy import GaussianEvent, PoissonSampled, Repeated, epsilon, noise_multiplier_for, steps_for

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "epsilon.json"


def seconds(work: Callable[[], object], times: int) -> float:
    """Return the median wall time of `times` runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def plan(noise: float, probability: float, steps: int) -> Repeated:
    return Repeated(event=PoissonSampled(probability=probability, event=GaussianEvent(noise_multiplier=noise)), count=steps)


def peer_epsilon(noise: float, probability: float, steps: int, delta: float) -> float:
    import dp_accounting
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant(dp_accounting.NeighboringRelation.REPLACE_SPECIAL)
    accountant.compose(dp_accounting.PoissonSampledDpEvent(probability, dp_accounting.GaussianDpEvent(noise)), steps)
    return float(accountant.get_epsilon(delta))


def excess(
    exact: list[dict[str, float]], price: Callable[[dict[str, float]], float], worst: Callable[[list[float]], float]
) -> float:
    return worst([price(one) / float(one["epsilon"]) - 1 for one in exact])


def measure(quick: bool) -> list[Row]:
    times = 3 if quick else 9
    epsilon(plan(2.0, 0.5, 2), 1e-5)  # the import of dp-accounting
    target: dict[str, Any] = {"epsilon": 3.0, "delta": 1e-5, "probability": 0.05}
    rows = [
        row(
            "noise for epsilon 3, 200 steps, q 0.05",
            seconds(lambda: noise_multiplier_for(**target, steps=200), times),
            "s",
            goal=3.0,
        ),
        row("steps for epsilon 3, noise 1.287, q 0.05", seconds(lambda: steps_for(**target, noise_multiplier=1.287), times), "s"),
        row("PLD price of 10,000 steps, q 0.01", seconds(lambda: epsilon(plan(1.0, 0.01, 10_000), 1e-5), times), "s"),
        row("RDP price of the same", seconds(lambda: epsilon(plan(1.0, 0.01, 10_000), 1e-5, "rdp"), times), "s"),
        row(
            "PLD price of the same",
            seconds(lambda: peer_epsilon(1.0, 0.01, 10_000, 1e-5), times),
            "s",
            peer="dp-accounting default",
        ),
    ]
    exact = [one for one in json.loads(GOLDEN.read_text(encoding="utf-8"))["rows"] if one["method"] == "contour"]

    def ours(one: dict[str, float]) -> float:
        return epsilon(plan(one["noise_multiplier"], one["probability"], int(one["steps"])), one["delta"])

    def theirs(one: dict[str, float]) -> float:
        return peer_epsilon(one["noise_multiplier"], one["probability"], int(one["steps"]), one["delta"])

    rows += [
        row(
            f"least excess over exact epsilon, {len(exact)} plans",
            excess(exact, ours, min),
            "relative",
            goal=0.0,
            better="higher",
        ),
        row(f"largest excess over exact epsilon, {len(exact)} plans", excess(exact, ours, max), "relative", goal=2e-3),
        row("least excess over exact epsilon", excess(exact, theirs, min), "relative", peer="dp-accounting default"),
        row("largest excess over exact epsilon", excess(exact, theirs, max), "relative", peer="dp-accounting default"),
    ]
    return rows


if __name__ == "__main__":
    main("accounting", measure, packages=("numpy", "scipy", "dp-accounting"))
