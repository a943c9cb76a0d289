"""The first screen: a plain sentence, the figures people ask for, and warnings that are true."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tacit.models.finding import Basis, Finding
from tacit.report import Edition, Statement, StepSection
from tacit.report.cards import Card, cards
from tacit.report.editions import for_release
from tacit.report.headline import attack_limit, banners, meaning
from tacit.report.reading import audits, is_contradicted


def test_the_promise_is_told_as_what_an_attacker_can_reach(statement: Statement) -> None:
    # e^2.9963 * 0.01 + 1e-5 = 0.200211...; rounded up, in 100
    assert "at most 20.1 in 100 of those inside" in meaning(statement)


@pytest.mark.parametrize(
    ("false_alarms", "epsilon", "delta", "limit"),
    [
        (0.01, 0.0, 0.0, 0.01),  # no information: guessing
        (0.25, 1.0986122886681098, 0.0, 0.75),  # epsilon = ln 3: both bounds meet at 1/4, 3/4
        (0.5, 1.0986122886681098, 0.0, 5 / 6),  # 1 - (1/3)(1/2)
        (0.01, 1000.0, 0.0, 1.0),
    ],
)
def test_the_limit_of_any_attack(false_alarms: float, epsilon: float, delta: float, limit: float) -> None:
    assert attack_limit(false_alarms, epsilon, delta) == pytest.approx(limit, rel=1e-12)


def test_the_custodian_sees_five_figures(statement: Statement) -> None:
    found = {card.label: card for card in cards(statement, Edition.CUSTODIAN, stands=True)}
    assert [card.figure for card in found.values()] == ["2.997", "0.871", "73.0%", "0.5038", "100% → 20%"]
    assert "73.5% without privacy" in found["Accuracy, private model"].lines
    assert "beside 3 releases without an epsilon" in found["Proved epsilon, at most"].lines


def test_the_release_names_what_it_keeps_back(statement: Statement) -> None:
    shown = cards(for_release(statement), Edition.RELEASE, stands=True)
    assert [card.figure for card in shown] == ["2.997", "0.871", ""]
    assert "accuracy of the models, success of the attacks, re-identification risk of the table" in shown[-1].lines[0]
    assert all(card.basis != "exact" for card in shown)


def test_the_audit_that_could_contradict_leads_even_when_a_weaker_one_shows_more(statement: Statement) -> None:
    assert [audit.lower for audit in audits(statement)] == [0.871, pytest.approx(1.471), 0.41]


@pytest.mark.parametrize(("confidence", "contradicts"), [(1 - 1e-6, True), (0.95, False), (None, False)])
def test_only_an_audit_sure_to_one_in_a_million_contradicts(
    statement: Statement, confidence: float | None, contradicts: bool
) -> None:
    """A 95% audit above the claim is shown, not acted on. Planted fault: compare the numbers alone."""
    found = Finding(kind="audit", name="a", value=3.5, unit="epsilon", basis=Basis.PUBLIC, confidence=confidence)
    judged = replace(statement, steps=(StepSection(name="audit", findings=(found,)),))
    assert is_contradicted(judged) is contradicts
    assert any(banner.tone == "bad" for banner in banners(judged, Edition.RELEASE)) is contradicts


def test_figures_under_a_false_claim_are_marked(statement: Statement, make_audit: Callable[..., StepSection]) -> None:
    broken = replace(statement, steps=(make_audit(4.05, contradicts=True),))
    proved, audited, *_ = cards(broken, Edition.CUSTODIAN, stands=False)
    assert (proved.tone, audited.tone) == ("bad", "bad")
    assert audited == Card(
        label="Audited epsilon, at least",
        figure="4.05",
        lines=(
            "at confidence 99.9999%",
            "4.64 at confidence 95%",
            "could have shown up to 4.22 and 5.6",
            "more than was proved",
        ),
        tone="bad",
    )


def test_the_audits_card_names_both_confidences(statement: Statement) -> None:
    """Planted fault: take any second audit, so that another method's figure stands under the first's name."""
    audited = cards(statement, Edition.CUSTODIAN, stands=True)[1]
    assert (audited.figure, audited.lines[:2]) == ("0.871", ("at confidence 99.9999%", "1.47 at confidence 95%"))
    alone = replace(
        statement, steps=tuple(replace(step, findings=_without(step, "canary audit, shown")) for step in statement.steps)
    )
    assert cards(alone, Edition.CUSTODIAN, stands=True)[1].lines == ("at confidence 99.9999%", "could have shown up to 4.22")


def _without(step: StepSection, name: str) -> tuple[Finding, ...]:
    return tuple(finding for finding in step.findings if finding.name != name)
