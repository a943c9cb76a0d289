"""Plots of what attackers and auditors achieved: ROC curves, the epsilon line, the twins' scores."""

from textwrap import wrap
from typing import Any

from tacit.models.finding import Basis, Finding
from tacit.report.drawing import COLOURS, svg
from tacit.report.plot import Plot, last_step
from tacit.report.reading import PRIVATE, Audit, audits, findings, model_of, numbers, pairs, proved_epsilon, strictest
from tacit.report.statement import Statement
from tacit.report.writing import confidence, lower, plain, upper

_MOST_POINTS = 200


def roc_curves(statement: Statement) -> Plot | None:
    """Draw the membership attack on both models, log-log, below the limit of any attack on the private one."""
    attacks = [(model_of(step, found), found.details) for step, found in findings(statement, "membership-attack")]
    curves = {model: curve for model, details in reversed(attacks) if (curve := pairs(details.get("roc")))}
    basis = strictest(found for _, found in findings(statement, "membership-attack"))
    limit = next((limit for _, details in attacks if (limit := pairs(details.get("limit")))), [])
    if not curves:
        return None
    seen = [x for curve in curves.values() for x, y in curve if x > 0 and y > 0]
    least = max(1e-4, min(seen, default=1e-3))

    def draw(axes: Any) -> None:
        axes.grid(True)
        axes.set_xscale("log")
        axes.set_yscale("log")
        if limit:
            style = {"color": COLOURS["limit"], "linewidth": 1.4, "linestyle": (0, (4, 2))}
            axes.plot(*_thinned(limit, least), label="limit of any attack on private", **style)
        for model, curve in sorted(curves.items()):
            colour, label = ("private", "private model") if model == PRIVATE else ("plain", "without privacy")
            axes.plot(*_thinned(curve, least), color=COLOURS[colour], linewidth=2, label=label)
        axes.plot([least, 1], [least, 1], color=COLOURS["muted"], linewidth=1, linestyle=":", label="guessing")
        for axis, limits, end in ((axes.xaxis, axes.set_xlim, 1), (axes.yaxis, axes.set_ylim, 1.05)):
            limits(least, end)
            axis.set_ticks([tick for tick in (1e-4, 1e-3, 0.01, 0.1, 1) if tick >= least])
            axis.set_major_formatter(lambda value, _: f"{plain(100 * value)}%")
        axes.minorticks_off()
        axes.set_xlabel("people outside, wrongly accused")
        axes.set_ylabel("people inside, found")
        axes.legend(loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=2, fontsize=8.5)

    caption = (
        "Membership attack, both axes logarithmic. Above the dotted line it beats guessing; "
        "no attack on the private model can pass the dashed one."
    )
    drawing = svg(draw, name="roc", title="Membership attack on both models", summary=caption, size=(4.9, 3.9))
    return Plot(step=last_step(statement, "membership-attack"), svg=drawing, caption=caption, basis=basis)


def _thinned(curve: list[tuple[float, float]], least: float) -> tuple[list[float], list[float]]:
    """Return a curve's points within a log plot that starts at `least`, few enough for a small file."""
    kept = [(max(x, least), max(y, least * 1e-3)) for x, y in sorted(curve)]
    stride = max(1, -(-len(kept) // _MOST_POINTS))
    kept = [*kept[:-1:stride], kept[-1]]
    return [x for x, _ in kept], [y for _, y in kept]


def epsilon_line(statement: Statement) -> Plot | None:
    """Draw proved and audited epsilon on one line: the proof bounds it from above, each audit from below."""
    found, proved = audits(statement), proved_epsilon(statement)
    if proved is None or not found:
        return None
    end = 1.12 * max([proved, *(audit.lower for audit in found), *(audit.ceiling or 0 for audit in found)])

    def draw(axes: Any) -> None:
        axes.plot([proved, proved], [-0.5, len(found) - 0.4], color=COLOURS["limit"], linewidth=1.8)
        align = "center" if 0.2 * end < proved < 0.75 * end else "right" if proved >= 0.75 * end else "left"
        axes.annotate(
            f"proved: at most {upper(proved)}", (proved, len(found) - 0.35), ha=align, va="bottom", color=COLOURS["limit"]
        )
        for at, audit in enumerate(reversed(found)):
            _draw_audit(axes, at, audit)
        axes.set_yticks(range(len(found)), [_told(audit) for audit in reversed(found)], fontsize=8.5)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.5, len(found) + 0.1)
        axes.set_xlim(0, end)
        axes.set_xlabel("epsilon")

    parts = [f"{audit.finding.name}: at least {lower(audit.lower)}" for audit in found]
    summary = f"Proved: at most {upper(proved)}. " + ". ".join(parts) + "."
    size = (4.9, 0.95 + 0.45 * len(found))
    drawing = svg(draw, name="epsilons", title="Proved and audited epsilon", summary=summary, size=size)
    basis = strictest(audit.finding for audit in found)
    caption = (
        f"The proof bounds epsilon from above, each audit{_on_rows(basis)} from below. "
        "Pale bars end at the most that audit could have shown."
    )
    return Plot(step=last_step(statement, "audit"), svg=drawing, caption=caption, basis=basis)


def _draw_audit(axes: Any, at: int, audit: Audit) -> None:
    colour = COLOURS["bad"] if audit.contradicts else COLOURS["private"]
    if audit.ceiling is not None:
        axes.plot([0, audit.ceiling], [at, at], color=COLOURS["grid"], linewidth=5, solid_capstyle="butt")
        axes.plot([audit.ceiling], [at], color=COLOURS["muted"], marker="|", markersize=12)
    axes.plot([0, audit.lower], [at, at], color=colour, linewidth=5, solid_capstyle="butt")
    axes.plot([audit.lower], [at], color=colour, marker="o", markersize=7)


def _on_rows(basis: Basis) -> str:
    """Say that twins saw no private row, where that is so."""
    return " on made-up rows" if basis is Basis.PUBLIC else ""


def _told(audit: Audit) -> str:
    """Return an audit's name and figure in short lines, for the margin: over the bars they would meet the proof's line."""
    sure = f"at {confidence(audit.confidence)}: " if audit.confidence else ""
    return "\n".join([*wrap(audit.finding.name, width=26, max_lines=2, placeholder=" …"), f"{sure}at least {lower(audit.lower)}"])


def audit_histogram(statement: Statement) -> Plot | None:
    """Draw the scores of the twins with and without the planted record, and the threshold fixed beforehand."""
    for _, finding in findings(statement, "audit"):
        histogram = finding.details.get("histogram")
        if not isinstance(histogram, dict):
            continue
        edges, present, absent = (numbers(histogram.get(key)) for key in ("edges", "present", "absent"))
        if len(edges) == len(present) + 1 == len(absent) + 1 and len(present) > 0:
            return _histogram(statement, finding, edges, present, absent)
    return None


def _histogram(statement: Statement, finding: Finding, edges: list[float], present: list[float], absent: list[float]) -> Plot:
    def draw(axes: Any) -> None:
        for counts, colour, label in ((absent, "plain", "without the record"), (present, "private", "with it")):
            axes.stairs(counts, edges, fill=True, color=COLOURS[colour], alpha=0.25)
            axes.stairs(counts, edges, color=COLOURS[colour], linewidth=1.6, label=label)
        for cut in numbers([finding.details.get("threshold")]):
            axes.axvline(cut, color=COLOURS["limit"], linewidth=1.4, linestyle=(0, (4, 2)), label="threshold")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("what an observer of every noisy sum saw, in clip norms")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8.5)

    caption = (
        f"Twins trained{_on_rows(finding.basis)} with and without one planted record. "
        "The more the two hills overlap, the less an observer can tell."
    )
    drawing = svg(draw, name="twins", title="Scores of the audit's twins", summary=caption, size=(4.9, 2.4))
    return Plot(step=last_step(statement, "audit"), svg=drawing, caption=caption, basis=finding.basis)
