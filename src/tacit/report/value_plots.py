"""Plots of what the models are worth and what they cost: accuracy, the ledger's bar."""

from typing import Any

from tacit.report.drawing import COLOURS, svg
from tacit.report.plot import Plot, last_step
from tacit.report.reading import PLAIN, PRIVATE, first, number, numbers, of_model, strictest
from tacit.report.statement import DatasetLedger, Statement
from tacit.report.writing import granted, lower, share, spent


def accuracy_bars(statement: Statement) -> Plot | None:
    """Draw the accuracy of both models with intervals, against always answering the most common label."""
    named = (("private", "private", PRIVATE), ("without privacy", "plain", PLAIN))
    bars = [(label, colour, found) for label, colour, model in named if (found := of_model(statement, "accuracy", model))]
    values = [(label, colour, value, found) for label, colour, found in bars if (value := number(found.value)) is not None]
    majority = first(statement, "majority")
    floor = number(majority.value) if majority else None
    if not values:
        return None

    def draw(axes: Any) -> None:
        for at, (_, colour, value, found) in enumerate(reversed(values)):
            axes.barh([at], [value], height=0.5, color=COLOURS[colour])
            low, high = numbers(found.interval) if len(numbers(found.interval)) == 2 else (value, value)
            if low < high:
                axes.plot([low, high], [at, at], color=COLOURS["surface"], linewidth=4.5)
                axes.plot([low, high], [at, at], color=COLOURS["ink"], linewidth=1.6, marker="|", markersize=8)
            axes.annotate(share(value), (max(high, value), at), xytext=(6, 0), textcoords="offset points", va="center")
        if floor is not None:
            axes.axvline(floor, color=COLOURS["limit"], linewidth=1.4, linestyle=(0, (4, 2)))
            place = {"xytext": (-4, 0), "textcoords": "offset points", "ha": "right", "va": "bottom"}
            axes.annotate(f"most common label {share(floor)}", (floor, len(values) - 0.6), **place)
        axes.set_yticks(range(len(values)), [label for label, *_ in reversed(values)])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.5, len(values) - 0.1)
        axes.set_xlim(0, 1.12)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])

    shown = [found for *_, found in values] + ([majority] if majority else [])
    parts = [f"{label} {share(value)}" for label, _, value, _ in values]
    parts += [f"most common label {share(floor)}"] if floor is not None else []
    drawing = svg(draw, name="accuracy", title="Accuracy", summary="; ".join(parts) + ".", size=(4.9, 1.15 + 0.4 * len(values)))
    caption = "Share of unseen rows answered rightly. Thin lines: intervals. Dashed: always answering the most common label."
    return Plot(step=last_step(statement, "accuracy"), svg=drawing, caption=caption, basis=strictest(shown))


def spend_bar(ledger: DatasetLedger, name: str) -> str:
    """Draw the granted epsilon: what each dp entry took, and what is left; "" when nothing was granted or spent."""
    whole = max(ledger.granted_epsilon, ledger.spent_epsilon)
    if not whole > 0:
        return ""

    def draw(axes: Any) -> None:
        at = 0.0
        axes.barh([0], [whole], color="none", edgecolor=COLOURS["muted"], height=0.6, linewidth=0.8)
        for entry in ledger.dp:
            axes.barh(
                [0], [entry.epsilon], left=at, height=0.6, color=COLOURS["private"], edgecolor=COLOURS["grid"], linewidth=0.8
            )
            at += entry.epsilon
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlim(0, whole * 1.02)
        axes.set_xlabel("epsilon")

    summary = f"Granted {granted(ledger)}, spent {spent(ledger)}, left {lower(ledger.left_epsilon)}."
    return svg(draw, name=name, title=f"Epsilon spent of {ledger.dataset}", summary=summary, size=(4.9, 0.95))
