"""Plots of the table's risk before and after anonymizing: how large its classes are, how many rows at which risk, what attacks find."""

from itertools import accumulate, pairwise
from typing import Any

from tacit.models.finding import Basis, Finding
from tacit.report.drawing import COLOURS, svg
from tacit.report.plot import Plot, last_step
from tacit.report.reading import findings, number, pairs, strictest, when_of
from tacit.report.statement import Statement
from tacit.report.writing import plain, share

_BINS: tuple[tuple[str, float], ...] = (("1", 1), ("2–4", 4), ("5–9", 9), ("10–19", 19), ("20–49", 49), ("50 +", float("inf")))
_COLOURS = (("before", "plain"), ("after", "private"))

Sizes = list[tuple[float, float]]
"""(rows of a class, number of such classes), smallest first."""


def class_sizes(statement: Statement) -> Plot | None:
    """Draw how many rows look like how many others, before and after anonymizing."""
    risks, basis = _measured(statement)
    shown = [(when, colour, _binned(sizes)) for when, colour, sizes in risks]
    if not shown:
        return None

    def draw(axes: Any) -> None:
        width = 0.8 / len(shown)
        for at, (label, colour, bars) in enumerate(shown):
            places = [bin + (at - (len(shown) - 1) / 2) * width for bin in range(len(_BINS))]
            axes.bar(places, bars, width=width * 0.94, color=COLOURS[colour], label=label)
            for place, bar in zip(places, bars, strict=True):
                if bar > 0:
                    text = f"{100 * bar:.0f}%" if bar >= 0.005 else "<1%"
                    axes.annotate(text, (place, bar), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=8)
        axes.set_xticks(range(len(_BINS)), [label for label, _ in _BINS])
        axes.tick_params(axis="x", length=0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("rows that look the same")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        axes.margins(y=0.12)

    parts = [f"{label}: {share(bars[0])} of rows alone in their class" for label, _, bars in shown]
    drawing = svg(draw, name="classes", title="Class sizes before and after", summary="; ".join(parts) + ".")
    caption = "Share of rows by how many rows have the same quasi-identifiers. A row that is alone (1) can be singled out."
    return Plot(step=last_step(statement, "reidentification-risk"), svg=drawing, caption=caption, basis=basis)


def risk_curves(statement: Statement) -> Plot | None:
    """Draw how many rows stand at which risk, before and after anonymizing, beside the highest that k allows."""
    shown, basis = _measured(statement)
    if not shown:
        return None
    step = last_step(statement, "reidentification-risk")
    k = next((number(one.settings.get("k")) for one in statement.steps if one.name == step), None)
    limit = 1 / k if k is not None and k >= 1 else None
    least = 0.8 / max(size for _, _, sizes in shown for size, _ in sizes)

    def draw(axes: Any) -> None:
        axes.grid(True)
        axes.set_xscale("log")
        if limit is not None:
            axes.axvline(limit, color=COLOURS["limit"], linewidth=1.4, linestyle=(0, (4, 2)), label=f"1 / k = {_percent(limit)}")
        for label, colour, sizes in shown:
            axes.step(*_curve(sizes, least), where="pre", color=COLOURS[colour], linewidth=2, label=label)
        axes.set_xlim(least, 1.15)
        axes.set_ylim(0, 1.04)
        axes.xaxis.set_ticks([tick for tick in (1e-5, 1e-4, 1e-3, 0.01, 0.1, 1) if tick >= least])
        axes.minorticks_off()
        axes.xaxis.set_major_formatter(lambda value, _: _percent(value))
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        axes.set_xlabel("risk of a row: 1 / rows that look the same")
        axes.set_ylabel("rows at this risk or more")
        axes.legend(loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=3)

    parts = [f"{label}: the highest risk of a row is {_percent(1 / sizes[0][0])}" for label, _, sizes in shown]
    drawing = svg(draw, name="risks", title="Risk of rows before and after", summary="; ".join(parts) + ".", size=(4.9, 2.9))
    caption = "Share of rows by their risk of being picked out by someone who knows their quasi-identifiers; logarithmic."
    caption += "" if limit is None else " No released row may stand right of the dashed line."
    return Plot(step=step, svg=drawing, caption=caption, basis=basis)


def _curve(sizes: Sizes, least: float) -> tuple[list[float], list[float]]:
    """Return the risks, ascending from `least` to 1, and the share of rows at each or above it."""
    rows = sum(size * count for size, count in sizes)
    above = list(accumulate(size * count / rows for size, count in sizes))
    risks = [1 / size for size, _ in sizes]
    return [least, *reversed(risks), 1.0], [1.0, *reversed(above), above[0] if risks[0] >= 1 else 0.0]


def _measured(statement: Statement) -> tuple[list[tuple[str, str, Sizes]], Basis]:
    """Return the class sizes of each table as (when, colour, sizes), before first, and the basis of what is drawn from them."""
    risks = [risk for _, risk in findings(statement, "reidentification-risk") if _sizes(risk.details.get("class_sizes"))]
    found = {when_of(risk): _sizes(risk.details.get("class_sizes")) for risk in risks}
    return [(when, colour, found[when]) for when, colour in _COLOURS if when in found], strictest(risks)


def _sizes(value: Any) -> Sizes:
    return sorted((size, count) for size, count in pairs(value) if size >= 1 and count > 0)


def _binned(sizes: Sizes) -> list[float]:
    """Return the share of rows in each bin of class sizes."""
    rows = sum(size * count for size, count in sizes)
    edges = [0.0, *(top for _, top in _BINS)]
    return [sum(size * count for size, count in sizes if low < size <= top) / rows for low, top in pairwise(edges)]


def _percent(value: float) -> str:
    return f"{plain(100 * value, 2)}%"


def attack_rates(statement: Statement) -> Plot | None:
    """Draw how often each attack on the table succeeded, before and after anonymizing, with intervals: beyond a control where one is."""
    tried = [found for _, found in findings(statement, "reidentification-attack") if when_of(found) in ("before", "after")]
    told = ": residual risk, " if any(": residual risk, " in found.name for found in tried) else ": success, "
    shown = [found for found in tried if told in found.name and number(found.value) is not None]
    names = list(dict.fromkeys(found.name.partition(":")[0] for found in shown))
    if not names:
        return None

    def draw(axes: Any) -> None:
        for when, colour in _COLOURS:
            of_table = {found.name.partition(":")[0]: found for found in shown if when_of(found) == when}
            for at, name in enumerate(reversed(names)):
                if name in of_table:
                    _draw_rate(axes, at + (0.14 if when == "before" else -0.14), of_table[name], COLOURS[colour])
            axes.plot([], [], color=COLOURS[colour], linewidth=2, marker="o", markersize=5, label=when)
        axes.set_yticks(range(len(names)), list(reversed(names)))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.5, len(names) - 0.4)
        axes.set_xlim(-0.02, 1.04)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        axes.legend(loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=2)

    parts = [f"{found.name} {share(value)}" for found in shown if (value := number(found.value)) is not None]
    size = (4.9, 1.0 + 0.5 * len(names))
    drawing = svg(draw, name="attacks", title="Attacks on the table before and after", summary="; ".join(parts) + ".", size=size)
    alone = "Share of attacks that succeeded, with intervals; what is learned about anyone is counted in."
    beyond = "Share of attacks that succeeded beyond those on people outside the table, with intervals; at 0 a row adds nothing."
    caption = beyond if "residual" in told else alone
    return Plot(step=last_step(statement, "reidentification-attack"), svg=drawing, caption=caption, basis=strictest(shown))


def _draw_rate(axes: Any, at: float, found: Finding, colour: str) -> None:
    """Draw a rate and its interval; what lies below zero is drawn at zero."""
    value = number(found.value) or 0.0
    low, high = (min(max(end, 0.0), 1.0) for end in found.interval or (value, value))
    axes.plot([low, high], [at, at], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot([max(value, 0.0)], [at], color=colour, marker="o", markersize=6)
