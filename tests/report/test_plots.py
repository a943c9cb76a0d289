"""The plots: drawn from findings when they hold the figures, left out when not, never an error."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tacit.models.finding import Basis, Finding
from tacit.report import Statement, StepSection
from tacit.report.drawing import svg
from tacit.report.plots import plots
from tacit.report.risk_plots import _curve
from tacit.report.value_plots import spend_bar

MALFORMED: list[Any] = [
    None,
    "x",
    3,
    [],
    [[1]],
    [["a", "b"]],
    [[None, 1.0]],
    {"edges": 1},
    {"edges": [0, 1], "present": "x"},
]


def test_the_whole_journey_has_six_plots_each_in_its_chapter(statement: Statement) -> None:
    assert [plot.step for plot in plots(statement)] == ["anonymize", "anonymize", "twin", "attack", "audit", "audit"]
    assert [plot.basis for plot in plots(statement)] == [Basis.EXACT] * 4 + [Basis.PUBLIC] * 2


def test_a_study_without_findings_has_none(statement: Statement) -> None:
    assert plots(replace(statement, steps=())) == []


@pytest.mark.parametrize("broken", MALFORMED)
def test_malformed_details_leave_a_plot_out(statement: Statement, broken: Any) -> None:
    details = dict.fromkeys(
        ("roc", "limit", "class_sizes", "histogram", "proved", "ceiling", "model", "when", "threshold"), broken
    )
    kinds = ("membership-attack", "reidentification-risk", "audit", "accuracy", "majority")
    found = tuple(
        Finding(kind=kind, name=f"{kind} before", value=None if value == 1 else "text", basis=Basis.EXACT, details=details)
        for kind in kinds
        for value in (1, 2)
    )
    assert plots(replace(statement, steps=(StepSection(name="odd", findings=found),))) == []


def test_numbers_in_the_plots_are_those_of_the_findings(statement: Statement) -> None:
    classes, risks, accuracy, _, epsilons, _ = (plot.svg for plot in plots(statement))
    for text in ("73.0%", "73.5%", "most common label 67.8%"):
        assert text in accuracy
    assert "proved: at most 2.997" in epsilons
    for text in ("canary audit, acted on", "at 99.9999%: at least 0.871", "at 95%: at least 1.47", "one-run audit, shown"):
        assert f">{text}</text>" in epsilons
    assert ">30%<" in classes  # 1,873 unique rows of 6,173
    assert "before: the highest risk of a row is 100%; after: the highest risk of a row is 20%." in risks
    assert "1 / k = 20%" in risks


def test_the_risk_curves_end_where_counting_by_hand_says() -> None:
    """Of 10 rows: 2 alone (risk 1), 3 in a class of 3 (1/3), 5 in one of 5 (1/5). Planted fault: count classes, not rows."""
    risks, shares = _curve([(1, 2), (3, 1), (5, 1)], 0.1)
    assert risks == pytest.approx([0.1, 0.2, 1 / 3, 1.0, 1.0])
    assert shares == pytest.approx([1.0, 1.0, 0.5, 0.2, 0.2])
    risks, shares = _curve([(4, 1), (6, 1)], 0.1)
    assert risks == pytest.approx([0.1, 1 / 6, 0.25, 1.0])
    assert shares == pytest.approx([1.0, 1.0, 0.4, 0.0]), "no row stands above the highest risk"


def test_without_a_declared_k_no_limit_is_drawn(statement: Statement) -> None:
    step = replace(next(one for one in statement.steps if one.name == "anonymize"), settings={})
    drawn = {plot.caption: plot.svg for plot in plots(replace(statement, steps=(step,)))}
    assert not any("1 / k" in text or "dashed" in caption for caption, text in drawn.items())
    assert len(drawn) == 2


def test_no_audits_label_meets_the_line_of_the_proof(statement: Statement) -> None:
    """They stand left of the axis, where no line is. Planted fault: write them over the bars."""
    drawing = plots(statement)[4].svg
    edge = float(re.findall(r'<clipPath id="[^"]+">\s*<rect x="([\d.]+)"', drawing)[0])
    placed = re.findall(r'transform="translate\(([\d.]+) [\d.]+\)">([^<]*(?:audit|at least)[^<]*)</text>', drawing)
    assert len(placed) == 6
    for start, text in placed:
        assert float(start) + 0.45 * 8.5 * len(text) < edge, text  # 0.45 em a letter, less than any of the page's fonts takes


def test_a_contradicting_audit_is_drawn_in_another_colour(statement: Statement, make_audit: Any) -> None:
    broken = plots(replace(statement, steps=(make_audit(4.05, contradicts=True),)))
    assert "var(--bad)" in broken[0].svg
    assert "var(--bad)" not in plots(statement)[4].svg


def test_a_drawing_is_the_same_bytes_each_time_and_asks_for_nothing(statement: Statement) -> None:
    first, second = (plots(statement) for _ in range(2))
    assert first == second
    for plot in first:
        assert not re.search(r"https?:|xmlns|<metadata|<\?xml|#0[0-9a-f]{5}\b", plot.svg)
        assert "var(--" in plot.svg


def test_titles_and_labels_are_escaped_and_never_read_as_formulae() -> None:
    hostile = "<script>$\\frac{"
    drawing = svg(lambda axes: axes.set_xlabel(hostile), name="x", title=hostile, summary=hostile)
    assert "<script" not in drawing
    assert drawing.count("&lt;script&gt;$\\frac{") >= 3


def test_a_readers_own_matplotlib_style_changes_nothing() -> None:
    import matplotlib

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1])

    plain = svg(draw, name="x", title="t", summary="s")
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 20, "lines.linewidth": 9}):
        assert svg(draw, name="x", title="t", summary="s") == plain
        assert matplotlib.rcParams["font.size"] == 20


def test_the_ledgers_bar_shows_granted_spent_and_left(statement: Statement) -> None:
    bar = spend_bar(statement.ledgers[0], "spend-1")
    assert "Granted 3, spent 2.997, left 0.00369." in bar
    empty = replace(statement.ledgers[0], granted_epsilon=0.0, spent_epsilon=0.0, dp=())
    assert spend_bar(empty, "spend-1") == ""
