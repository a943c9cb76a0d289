"""Risk, attacks and utility of a table before and after, as tables of the custodian's report, and as a plot."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tacit.models.finding import Basis, Finding
from tacit.report.before_after import Cell, comparisons, is_compared
from tacit.report.editions import Edition
from tacit.report.html import _template, page
from tacit.report.risk_plots import attack_rates
from tacit.report.statement import Statement, StepSection


def found(kind: str, name: str, value: Any, **more: Any) -> Finding:
    return Finding(kind=kind, name=name, value=value, basis=Basis.EXACT, unit="share", **more)


def rate(name: str, value: float | None, low: float, high: float) -> Finding:
    kind = "reidentification-attack"
    return found(kind, name, value, interval=(low, high), confidence=0.95, n=400, method="tried", assumption="sees the release")


ATTACKS = (
    rate("linkability: success, before", 0.5, 0.45, 0.55),
    rate("linkability: success, after", 0.1, 0.08, 0.13),
    rate("inference of ill: success, after", 0.3, 0.2, 0.4),
)
UTILITY = (
    found("anonymization-utility", "loss, before", 0.0),
    found("anonymization-utility", "loss, after", 0.25),
    found("anonymization-utility", "accuracy, after", None, method="scikit-learn is not installed"),
    found("anonymization-utility", "column that loses most", "age"),
)


def statement_with(statement: Statement, *findings: Finding) -> Statement:
    step = StepSection(name="anonymize", findings=findings)
    return replace(statement, steps=(step,))


def test_each_figure_is_a_row_with_its_value_before_and_after() -> None:
    attacks, utility = comparisons([*ATTACKS, *UTILITY])
    assert (attacks.title, attacks.basis, attacks.about) == ("Attacks that were tried", "exact", "95% intervals from 400 tries")
    assert [figure.name for figure in attacks.figures] == ["Linkability: success", "Inference of ill: success"]
    assert attacks.figures[0].cells == (
        Cell(value="50.0%", evidence="interval 45.0% to 55.0%"),
        Cell(value="10.0%", evidence="interval 8.0% to 13.0%"),
    )
    assert attacks.figures[1].cells[0] == Cell(value="–")
    assert (attacks.figures[0].method, attacks.figures[0].assumption) == ("tried", "sees the release")
    assert [figure.cells[1] for figure in utility.figures] == [
        Cell(value="25.0%"),
        Cell(value="not known", evidence="scikit-learn is not installed"),
    ]


def test_what_is_not_of_one_of_the_two_tables_stays_a_finding_of_its_own() -> None:
    assert [is_compared(finding) for finding in UTILITY] == [True, True, True, False]
    assert comparisons([UTILITY[-1]]) == []
    assert not is_compared(found("accuracy", "accuracy, after", 0.5))


def test_the_page_shows_them_to_the_custodian_alone(statement: Statement) -> None:
    shown = statement_with(statement, *ATTACKS, *UTILITY)
    custodian, release = (page(shown, edition) for edition in (Edition.CUSTODIAN, Edition.RELEASE))
    for text in ("Attacks that were tried", "What was lost", "Linkability: success", "Attacks on the table before and after"):
        assert text in custodian, text
        assert text not in release, text
    assert re.search(
        r"Linkability: success</th><td>50\.0% <span class=\"quiet\">interval 45\.0% to 55\.0%</span></td><td>10", custodian
    )
    assert custodian.count("Loss, ") == 0, "a figure of the table is no finding beside it"


def test_the_plot_draws_what_goes_beyond_the_control_where_there_is_one(statement: Statement) -> None:
    alone = attack_rates(statement_with(statement, *ATTACKS))
    assert alone is not None
    assert "linkability: success, before 50.0%" in alone.svg
    assert "learned about anyone" in alone.caption
    residual = rate("linkability: residual risk, after", -0.1, float("-inf"), 0.2)
    beyond = attack_rates(statement_with(statement, *ATTACKS, residual))
    assert beyond is not None
    assert "linkability: success" not in beyond.svg
    assert "residual risk, after -10.0%" in beyond.svg
    assert beyond.basis is Basis.EXACT
    assert attack_rates(statement_with(statement, *UTILITY)) is None


def test_the_template_is_compiled_once_for_all_pages(statement: Statement, monkeypatch: pytest.MonkeyPatch) -> None:
    import jinja2

    _template.cache_clear()
    compiled: list[str | None] = []
    real = jinja2.Environment.compile

    def counted(self: Any, source: Any, name: str | None = None, *rest: Any, **more: Any) -> Any:
        compiled.append(name)
        return real(self, source, name, *rest, **more)

    monkeypatch.setattr(jinja2.Environment, "compile", counted)
    for edition in (Edition.CUSTODIAN, Edition.RELEASE, Edition.CUSTODIAN):
        page(statement, edition)
    assert len(compiled) == len(set(compiled)) > 0
