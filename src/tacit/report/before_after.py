"""What was measured of a table and of its release, as one table: a row a figure, a column each."""

from collections.abc import Sequence
from dataclasses import dataclass

from tacit.models.finding import Finding
from tacit.report.details import shown_name
from tacit.report.reading import strictest, when_of
from tacit.report.writing import confidence, evidence_of, value_of

_TITLES = {
    "reidentification-risk": "Risk by the sizes of classes",
    "reidentification-attack": "Attacks that were tried",
    "anonymization-utility": "What was lost",
}
_WHEN = ("before", "after")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A figure and what stands behind it; "–" where a table has none."""

    value: str = "–"
    evidence: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure before and after, how it was found, and what must hold for it."""

    name: str
    cells: tuple[Cell, Cell]
    method: str
    assumption: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Figures of one kind, the basis of all of them, and the confidence of their intervals with the tries behind them."""

    title: str
    about: str
    figures: list[Figure]
    basis: str


def is_compared(finding: Finding) -> bool:
    """Return whether a finding is one of a table before or after its release, and so stands in a comparison."""
    return finding.kind in _TITLES and finding.name.endswith(tuple(f", {when}" for when in _WHEN))


def comparisons(found: Sequence[Finding]) -> list[Comparison]:
    """Return a table for each kind of figure that these findings hold of a table before and after."""
    tables = []
    for kind, title in _TITLES.items():
        of_kind = [finding for finding in found if finding.kind == kind and is_compared(finding)]
        if of_kind:
            names = dict.fromkeys(_name(finding) for finding in of_kind)
            figures = [_figure(name, [finding for finding in of_kind if _name(finding) == name]) for name in names]
            tables.append(Comparison(title=title, about=_about(of_kind), figures=figures, basis=strictest(of_kind).value))
    return tables


def _about(found: list[Finding]) -> str:
    sure = sorted({finding.confidence for finding in found if finding.confidence is not None})
    tries = sorted({finding.n for finding in found if finding.interval is not None and finding.n is not None})
    if not sure:
        return ""
    range_of_tries = " to ".join(f"{n:,}" for n in dict.fromkeys((tries[0], tries[-1]))) if tries else "an unknown number of"
    return f"{' and '.join(confidence(one) for one in sure)} intervals from {range_of_tries} tries"


def _name(finding: Finding) -> str:
    return shown_name(finding).rpartition(", ")[0]


def _figure(name: str, pair: list[Finding]) -> Figure:
    by_when = {when_of(finding): finding for finding in reversed(pair)}
    before, after = (_cell(by_when.get(when)) for when in _WHEN)
    known = [finding for finding in pair if finding.value is not None]
    told = known[0] if known else pair[0]
    return Figure(
        name=name,
        cells=(before, after),
        method=told.method if known else "",  # the cell says why a number is missing
        assumption=told.assumption,
    )


def _cell(finding: Finding | None) -> Cell:
    if finding is None:
        return Cell()
    if finding.value is None:
        return Cell(value="not known", evidence=finding.method)
    if finding.interval is None or finding.confidence is None:
        return Cell(value=value_of(finding))
    return Cell(value=value_of(finding), evidence=evidence_of(finding)[0].removeprefix(f"{confidence(finding.confidence)} "))
