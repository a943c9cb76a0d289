"""What may leave the custodian, and what never does."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from html.parser import HTMLParser
from typing import Any

import pytest

from tacit.models.finding import Basis, Finding
from tacit.report import Edition, Randomness, Statement, StepSection, for_release
from tacit.report.document import document
from tacit.report.editions import RELEASE_KINDS
from tacit.report.html import page

NEVER = ("personal-data", "reidentification-risk", "membership-attack", "timing")


def change_one_private_row(statement: Statement) -> Statement:
    """Return what the study would have said had one private row been another: every exact value moves, counts by one."""
    return replace(
        statement,
        steps=tuple(
            replace(step, seconds=(step.seconds or 0) + 0.731, findings=tuple(_moved(finding) for finding in step.findings))
            for step in statement.steps
        ),
        ledgers=tuple(
            replace(
                ledger,
                not_dp=tuple(replace(entry, details={**entry.details, "suppressed": 232}) for entry in ledger.not_dp),
                read_only=tuple(replace(entry, details={"columns": 13}) for entry in ledger.read_only),
            )
            for ledger in statement.ledgers
        ),
        input_hashes=dict.fromkeys(statement.input_hashes, "c4" * 32),
        created="2026-11-21T18:30:07+00:00",
    )


def _moved(finding: Finding) -> Finding:
    details = {**finding.details, "loss": 0.5513}  # rides along in findings that may leave, too
    if finding.basis is not Basis.EXACT:
        return replace(finding, details=details if finding.kind == "training" else finding.details)
    value = (
        finding.value + 1
        if isinstance(finding.value, int)
        else finding.value * 1.01
        if isinstance(finding.value, float)
        else "else"
    )
    return replace(finding, value=value, n=(finding.n or 0) + 1, name=f"{finding.name}.", method="another", details=details)


@pytest.mark.parametrize("render", [page, document])
def test_one_private_row_changes_no_byte_of_the_release_edition(
    statement: Statement, render: Callable[[Statement, Edition], str]
) -> None:
    """Planted fault: build the release edition with dataclasses.replace, dropping what comes to mind."""
    other = change_one_private_row(statement)
    assert render(other, Edition.RELEASE) == render(statement, Edition.RELEASE)
    assert render(other, Edition.CUSTODIAN) != render(statement, Edition.CUSTODIAN)


def test_one_private_row_changes_nothing_that_a_release_is_rendered_from(statement: Statement) -> None:
    assert for_release(change_one_private_row(statement)) == for_release(statement)


def charged(statement: Statement, accuracy: float) -> Statement:
    """Return the statement with an accuracy that was released under a charged mechanism."""
    found = Finding(
        kind="accuracy",
        name="accuracy of the private model, charged",
        value=accuracy,
        unit="share",
        basis=Basis.DP,
        interval=(accuracy - 0.03, accuracy + 0.03),
        confidence=0.95,
        details={"model": "private"},
    )
    return replace(statement, steps=(StepSection(name="evaluate", findings=(found,)), *statement.steps))


def test_a_charged_finding_changes_only_what_is_marked_dp(statement: Statement) -> None:
    one, two = charged(statement, 0.72), charged(statement, 0.74)
    first, second = (json.loads(document(each, Edition.RELEASE)) for each in (one, two))
    assert first != second
    assert _without_dp(first) == _without_dp(second)
    pages = [page(each, Edition.RELEASE) for each in (one, two)]
    assert pages[0] != pages[1]
    assert "72.0%" in pages[0]
    assert _outside_dp(pages[0]) == _outside_dp(pages[1])


def _without_dp(data: Any) -> Any:
    if isinstance(data, dict):
        return "dp" if data.get("basis") == "dp" else {key: _without_dp(value) for key, value in data.items()}
    return [_without_dp(value) for value in data] if isinstance(data, list) else data


class _Outside(HTMLParser):
    """Collects what lies outside elements marked dp."""

    def __init__(self) -> None:
        super().__init__()
        self.depth, self.seen = 0, []  # type: tuple[int, list[str]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("meta", "link", "path", "use", "rect"):
            return
        if self.depth or ("data-basis", "dp") in attrs:
            self.depth += 1
        else:
            self.seen.append(f"{tag}{attrs}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self.depth:
            self.seen.append(f"{tag}{attrs}")

    def handle_endtag(self, tag: str) -> None:
        if self.depth and tag not in ("path", "use", "rect"):
            self.depth -= 1

    def handle_data(self, data: str) -> None:
        if not self.depth:
            self.seen.append(data)


def _outside_dp(text: str) -> list[str]:
    parser = _Outside()
    parser.feed(text)
    assert parser.depth == 0
    return parser.seen


def test_only_listed_kinds_of_public_or_charged_findings_leave(statement: Statement) -> None:
    crossed = tuple(
        Finding(kind=kind, name=f"{kind} {basis}", value=1, basis=basis) for kind in (*RELEASE_KINDS, *NEVER) for basis in Basis
    )
    released = for_release(replace(statement, steps=(StepSection(name="all", findings=crossed),)))
    left = {(finding.kind, finding.basis) for finding in released.steps[0].findings}
    assert left == {(kind, basis) for kind in RELEASE_KINDS for basis in (Basis.PUBLIC, Basis.DP)}
    assert not left & {(kind, basis) for kind in NEVER for basis in Basis}


def test_details_that_nobody_listed_stay_behind(statement: Statement) -> None:
    training = next(finding for step in statement.steps for finding in step.findings if finding.kind == "training")
    assert "loss" in training.details
    released = [finding for step in for_release(statement).steps for finding in step.findings if finding.kind == "training"]
    assert dict(released[0].details) == {"noise_multiplier": 2.6125, "probability": 0.1, "steps": 200}


def test_running_times_input_hashes_and_the_hour_stay_behind(statement: Statement) -> None:
    text = document(statement, Edition.RELEASE)
    assert '"seconds"' not in text
    assert "input_hashes" not in text
    assert "be" * 32 not in text + page(statement, Edition.RELEASE)
    assert json.loads(text)["created"] == "2026-11-21"


def test_a_new_field_of_the_statement_must_be_decided_on() -> None:
    """Fails when a field is added, so that someone decides whether it may leave (and adds it to `for_release`)."""
    decided = (
        "title run dataset rows settings guarantees ledgers head randomness steps answers verify_command created tacit_version"
    )
    assert {field.name for field in fields(Statement)} == {*decided.split(), "input_hashes"}


@pytest.mark.parametrize("fault", ["zeros", "contradicted"])
def test_without_a_standing_claim_nothing_computed_from_private_rows_leaves(
    statement: Statement, make_audit: Callable[..., StepSection], fault: str
) -> None:
    """Without noise a "dp" finding is an exact statistic. Planted fault: filter by basis alone."""
    broken = charged(statement, 0.72)
    if fault == "zeros":
        broken = replace(broken, randomness=Randomness(name="zeros", private=False))
    else:
        broken = replace(broken, steps=(*broken.steps, make_audit(4.1, contradicts=True, basis=Basis.EXACT)))
    assert all(finding.basis is Basis.PUBLIC for step in for_release(broken).steps for finding in step.findings)
    assert "72.0%" not in page(broken, Edition.RELEASE)


@pytest.mark.parametrize("edition", list(Edition))
def test_each_edition_says_which_it_is(statement: Statement, edition: Edition) -> None:
    text = page(statement, edition)
    warning = "exact statistics of private rows, not for release"
    assert (warning in text) == (edition is Edition.CUSTODIAN)
    assert json.loads(document(statement, edition))["edition"] == edition.value
