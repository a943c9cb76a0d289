"""A plan as text: everything that is fixed before the first batch."""

import math
from typing import TYPE_CHECKING

from tacit.privacy.events import MatrixEvent
from tacit.privacy.strategies import Banded, Buffered, Strategy, Tree

if TYPE_CHECKING:
    from tacit.train.plan import Plan

_WIDTH = 80
_LABEL = 22


def described(plan: "Plan") -> str:
    """Return the plan, one quantity a line, in lines of at most 80 characters."""
    event = plan.block.event
    turn = event.probability if isinstance(event, MatrixEvent) else plan.probability
    block, unit = plan.block, "user" if plan.rows_per_user is not None else "row"
    lines = [
        ("units", f"n = {plan.n:,} {unit}s" + (f", at most {plan.rows_per_user} rows of each" if unit == "user" else "")),
        ("batch", f"{plan.batch_size:,} {unit}s expected; the update divides by it"),
        ("sampling", _sampling(plan, turn)),
        ("steps", f"{block.steps:,}, about {plan.steps * plan.batch_size / plan.n:.3g} epochs"),
        ("spare steps", f"{block.spare_steps:,} for replays; a checkpoint every {block.checkpoint_every:,}"),
        ("clipping", f"{plan.summary()['clipping']}, clip norm {plan.clip_norm:g}"),
        ("mechanism", _mechanism(plan.strategy)),
        ("noise multiplier", f"{plan.noise_multiplier:.4g} (deviation of a raw draw / clip norm)"),
        ("noise in the gradient", f"{gradient_noise(plan):.3g} per coordinate of the mean, each step"),
        ("noise in the model", f"{model_noise(plan):.3g} per coordinate of all steps' sum, as of the mean"),
        ("memory of the noise", _memory(plan)),
        ("price", f"epsilon {plan.guarantee.epsilon:.4g} at delta {plan.guarantee.delta:g}, spare steps included"),
        ("protects", f"one {plan.guarantee.unit}, {plan.guarantee.neighbours.value} neighbours, n public"),
    ]
    return "\n".join(_line(label, text) for label, text in lines)


def gradient_noise(plan: "Plan") -> float:
    """Return the deviation, root mean square over the steps, of the noise in a coordinate of the mean gradient."""
    from tacit.privacy.factorization import step_deviation

    return plan.noise_multiplier * plan.clip_norm / plan.batch_size * step_deviation(plan.strategy, steps=plan.steps)


def model_noise(plan: "Plan") -> float:
    """Return the root mean square, over the steps, of the deviation of the noise in the sum of all mean gradients so far."""
    from tacit.privacy.factorization import prefix_deviation

    return plan.noise_multiplier * plan.clip_norm / plan.batch_size * prefix_deviation(plan.strategy, steps=plan.steps)


def _sampling(plan: "Plan", turn: float | None) -> str:
    event = plan.block.event
    if not isinstance(event, MatrixEvent):
        return f"poisson, probability {plan.probability:.4g}"
    if turn is not None:
        return f"cyclic-poisson, {event.period} groups in turn, probability {turn:.4g} each"
    return f"{plan.sampling}, each once in {event.period:,} steps, no amplification"


def _mechanism(strategy: Strategy) -> str:
    match strategy:
        case Banded(coefficients=(_,)):
            return "dp-sgd, independent normal noise"
        case Banded():
            return f"banded matrix factorization, {strategy.bands} bands"
        case Buffered():
            return f"buffered linear Toeplitz, {len(strategy.scales)} buffers"
        case Tree():
            return f"tree aggregation, a new tree every {1 << strategy.height:,} steps"


def _memory(plan: "Plan") -> str:
    if plan.mechanism_name == "dp-sgd":
        return "none"
    size = plan.strategy.vectors * plan.parameters * 8
    shown = f"{size / 2**20:.3g} MiB" if size >= 2**20 else f"{math.ceil(size / 1024)} KiB"
    return f"{shown} ({plan.strategy.vectors} vectors of {plan.parameters:,} values)"


def _line(label: str, text: str) -> str:
    line = f"{label:<{_LABEL}}{text}"
    return line if len(line) <= _WIDTH else f"{label}\n" + f"{' ' * 4}{text}"[:_WIDTH]
