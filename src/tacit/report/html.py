"""The report as one HTML page that needs nothing else: no script, no request, no font."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tacit.models.finding import Basis, Finding
from tacit.report.before_after import Comparison, comparisons, is_compared
from tacit.report.cards import cards
from tacit.report.details import shown_details, shown_name
from tacit.report.editions import Edition, claims_hold, edition_of
from tacit.report.headline import banners, meaning, totals
from tacit.report.items import checklist
from tacit.report.plot import Plot
from tacit.report.plots import plots
from tacit.report.scan_table import ScanTable, scan_table
from tacit.report.statement import DatasetLedger, ListedEntry, Statement, StepSection
from tacit.report.value_plots import spend_bar
from tacit.report.words import CHAPTERS, CLOSING, GLOSSARY, MADE_UP_ROWS, label
from tacit.report.writing import NOT_STATED, counted, evidence_of, flat, granted, lower, plain, spent, upper, value_of

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One finding as a reader sees it."""

    name: str
    value: str
    listed: list[str]
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
    columns: ScanTable | None
    compared: list[Comparison]
    rows: list[Row]
    plots: list[Plot]
    seconds: str
    settings: list[tuple[str, str]]


def page(original: Statement, edition: Edition) -> str:
    """Return an edition of the report as the text of one HTML file. Everything a study names is escaped."""
    return _template().render(**_context(original, edition_of(original, edition), edition)) + "\n"


@cache
def _template() -> "Template":
    """Return the page's template, compiled once."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("tacit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["drawing"] = Markup  # only for SVG that plots.py drew
    environment.globals.update(upper=upper, lower=lower, granted=granted, spent=spent, label=label, NOT_STATED=NOT_STATED)
    return environment.get_template("report.html.j2")


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
            (ledger, spend_bar(ledger, f"spend-{at}"), _entries(ledger), _listed(ledger.not_dp), _listed(ledger.read_only))
            for at, ledger in enumerate(shown.ledgers, start=1)
        ],
        "items": checklist(shown),
        "settings": flat(shown.settings),
        "versions": _versions(shown.steps),
        "glossary": GLOSSARY,
        "closing": CLOSING,
    }


def _chapters(statement: Statement, drawn: list[Plot]) -> list[Chapter]:
    return [
        _chapter(at, step, [plot for plot in drawn if plot.step == step.name]) for at, step in enumerate(statement.steps, start=1)
    ]


def _chapter(at: int, step: StepSection, drawn: list[Plot]) -> Chapter:
    title, about = CHAPTERS.get(step.name, (step.name.replace("-", " ").capitalize(), ""))
    if any(finding.kind == "audit" and finding.basis is Basis.PUBLIC for finding in step.findings):
        about = f"{about} {MADE_UP_ROWS}".strip()
    return Chapter(
        id=f"step-{at}",
        title=step.title or title,
        about=about,
        columns=scan_table([finding for finding in step.findings if finding.kind == "personal-data"]),
        compared=comparisons(step.findings),
        rows=[_row(finding) for finding in step.findings if finding.kind != "personal-data" and not is_compared(finding)],
        plots=drawn,
        seconds="" if step.seconds is None else plain(step.seconds, 3),
        settings=flat(step.settings),
    )


def _row(finding: Finding) -> Row:
    value = value_of(finding)
    parts = [part.strip() for part in value.split("; ")] if isinstance(finding.value, str) else []
    return Row(
        name=shown_name(finding),
        value=value,
        listed=parts if len(parts) > 1 else [],
        evidence=" · ".join(evidence_of(finding)),
        method="" if finding.value is None else finding.method,  # the evidence says why a number is missing
        assumption=finding.assumption,
        basis=finding.basis.value,
        details=shown_details(finding),
    )


def _entries(ledger: DatasetLedger) -> list[tuple[Any, list[tuple[str, str]]]]:
    return [(entry, flat(entry.event)) for entry in ledger.dp]


def _listed(entries: tuple[ListedEntry, ...]) -> list[tuple[str, list[list[tuple[str, str]]]]]:
    """Return each listed text once, with how often it came and the details of each time."""
    texts = [entry.what for entry in entries]
    details = {what: [flat(entry.details) for entry in entries if entry.what == what and entry.details] for what in texts}
    return list(zip(counted(texts), details.values(), strict=True))


def _versions(steps: tuple[StepSection, ...]) -> list[tuple[str, str]]:
    """Return the software that ran, each once; where steps ran with different versions, which step with which."""
    ran: dict[str, dict[str, list[str]]] = {}
    for step in steps:
        for software, version in step.versions.items():
            ran.setdefault(software, {}).setdefault(version, []).append(step.name)
    return [
        (
            software,
            next(iter(by)) if len(by) == 1 else "; ".join(f"{version} ({', '.join(names)})" for version, names in by.items()),
        )
        for software, by in ran.items()
    ]
