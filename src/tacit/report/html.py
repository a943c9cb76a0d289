"""The report as one HTML page that needs nothing else: no script, no request, no font."""

from dataclasses import dataclass
from typing import Any

from tacit.models.finding import Finding
from tacit.report.cards import cards
from tacit.report.editions import Edition, claims_hold, edition_of
from tacit.report.headline import banners, meaning, totals
from tacit.report.items import checklist
from tacit.report.plot import Plot
from tacit.report.plots import plots
from tacit.report.reading import PLOTTED, number
from tacit.report.statement import DatasetLedger, Statement, StepSection
from tacit.report.value_plots import spend_bar
from tacit.report.words import CHAPTERS, CLOSING, GLOSSARY
from tacit.report.writing import NOT_STATED, evidence_of, flat, lower, plain, total, upper, value_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One finding as a reader sees it."""

    name: str
    value: str
    evidence: str
    method: str
    assumption: str
    basis: str
    details: list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chapter:
    """One step as a reader sees it."""

    id: str
    title: str
    about: str
    rows: list[Row]
    plots: list[Plot]
    seconds: str
    settings: list[tuple[str, str]]
    versions: list[tuple[str, str]]


def page(original: Statement, edition: Edition) -> str:
    """Return an edition of the report as the text of one HTML file. Everything a study names is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    shown = edition_of(original, edition)
    environment = Environment(
        loader=PackageLoader("tacit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["drawing"] = Markup  # only for SVG that plots.py drew
    environment.globals.update(upper=upper, lower=lower, total=total, NOT_STATED=NOT_STATED)
    template = environment.get_template("report.html.j2")
    return template.render(**_context(original, shown, edition)) + "\n"


def _context(original: Statement, shown: Statement, edition: Edition) -> dict[str, Any]:
    return {
        "edition": edition.value,
        "statement": shown,
        "banners": banners(original, edition),
        "created": shown.created[:16].replace("T", " "),
        "meaning": meaning(original),
        "totals": totals(shown),
        "cards": cards(shown, edition, stands=claims_hold(original)),
        "chapters": _chapters(shown, plots(shown)),
        "ledgers": [
            (ledger, spend_bar(ledger, f"spend-{at}"), _entries(ledger)) for at, ledger in enumerate(shown.ledgers, start=1)
        ],
        "items": checklist(shown),
        "settings": flat(shown.settings),
        "glossary": GLOSSARY,
        "closing": CLOSING,
    }


def _chapters(statement: Statement, drawn: list[Plot]) -> list[Chapter]:
    return [
        _chapter(at, step, [plot for plot in drawn if plot.step == step.name]) for at, step in enumerate(statement.steps, start=1)
    ]


def _chapter(at: int, step: StepSection, drawn: list[Plot]) -> Chapter:
    title, about = CHAPTERS.get(step.name, (step.name.replace("-", " ").capitalize(), ""))
    return Chapter(
        id=f"step-{at}",
        title=step.title or title,
        about=about,
        rows=[_row(finding) for finding in step.findings],
        plots=drawn,
        seconds="" if step.seconds is None else plain(step.seconds, 3),
        settings=flat(step.settings),
        versions=flat(step.versions),
    )


def _row(finding: Finding) -> Row:
    told = {key: value for key, value in finding.details.items() if key not in PLOTTED or number(value) is not None}
    if finding.ceiling is not None:
        told = {"most this method could show": finding.ceiling, **told}
    return Row(
        name=finding.name,
        value=value_of(finding),
        evidence=" · ".join(evidence_of(finding)),
        method=finding.method,
        assumption=finding.assumption,
        basis=finding.basis.value,
        details=flat(told),
    )


def _entries(ledger: DatasetLedger) -> list[tuple[Any, list[tuple[str, str]]]]:
    return [(entry, flat(entry.event)) for entry in ledger.dp]
