"""The JSON document: a stable form for programs."""

import json
import math
from dataclasses import replace

from tacit.models.finding import Basis, Finding
from tacit.report import Edition, Statement, StepSection
from tacit.report.document import SCHEMA_VERSION, document


def test_it_names_its_schema_and_holds_what_the_page_shows(statement: Statement) -> None:
    data = json.loads(document(statement, Edition.CUSTODIAN))
    assert (data["schema"], data["schema_version"]) == ("tacit/statement", SCHEMA_VERSION)
    assert data["guarantees"][0]["epsilon"] == statement.guarantees[0].guarantee.epsilon
    assert data["ledgers"][0]["total"].startswith("epsilon 2.997 at delta 1e-5 over the dp entries, and these 3 releases")
    assert data["input_hashes"] == statement.input_hashes
    assert [step["name"] for step in data["steps"]] == ["scan", "anonymize", "train", "twin", "attack", "audit"]
    assert len(data["items"]) == 14
    assert data["claim_contradicted"] is False


def test_the_head_is_written_whole_in_both_editions_as_the_anchor(statement: Statement) -> None:
    for edition in Edition:
        assert json.loads(document(statement, edition))["head"] == statement.head


def test_what_is_not_finite_is_null_so_that_any_program_can_read_it(statement: Statement) -> None:
    open_ended = Finding(kind="odd", name="odd", value=1.0, basis=Basis.EXACT, interval=(0.5, math.inf), confidence=0.95)
    settings = {"limit": math.inf, "sizes": (1, math.nan)}
    odd = StepSection(name="odd", findings=(open_ended,), settings=settings)
    step = json.loads(document(replace(statement, steps=(odd,)), Edition.CUSTODIAN), parse_constant=_refuse)["steps"][0]
    assert step["findings"][0]["interval"] == [0.5, None]
    assert step["settings"] == {"limit": None, "sizes": [1, None]}


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_a_finding_can_be_read_back(statement: Statement) -> None:
    data = json.loads(document(statement, Edition.CUSTODIAN))
    written = [Finding.from_json(finding) for step in data["steps"] for finding in step["findings"]]
    assert written == [finding for step in statement.steps for finding in step.findings]
