"""The fourteen items a reader is owed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tacit.errors import ConfigError
from tacit.models.finding import Basis, Finding
from tacit.privacy.guarantee import Guarantee
from tacit.report import Edition, StatedGuarantee, Statement, StepSection, checklist, for_release, missing
from tacit.report.items import PARTS


def parts(statement: Statement) -> dict[str, str | None]:
    return {part.key: part.text for item in checklist(statement) for part in item.parts}


def test_there_are_fourteen_numbered_from_one(statement: Statement) -> None:
    assert [item.number for item in checklist(statement)] == list(range(1, 15))


def test_what_the_run_knows_is_stated(statement: Statement) -> None:
    known = parts(statement)
    assert known["promise"] == "(2.997, 1e-5)-differential privacy for the private model."
    assert known["delta-and-n"] == "1e-5 is below 1/6,366 = 0.000157."
    assert known["mechanism"] == "200 steps and 10 spare: Gaussian, noise multiplier 2.6125, rate 0.1."
    assert known["accountant"] == "dp-accounting 0.6.0."
    assert known["generator"] == "os-aes256-ctr."
    assert "canary audit, acted on: at least 0.871 at 99.9999%" in str(known["audits"])
    assert "these 3 releases that have no epsilon" in str(known["total"])


def test_a_delta_too_large_for_n_is_said(statement: Statement) -> None:
    loose = StatedGuarantee(what="the private model", guarantee=Guarantee(epsilon=1.0, delta=1e-3))
    assert "is not below 1/6,366" in str(parts(replace(statement, guarantees=(loose,)))["delta-and-n"])


def test_what_a_model_saw_before_is_an_item_with_the_users_word_for_it(statement: Statement) -> None:
    """Planted fault: the finding is shown beside the training, and the item says "not stated" or only what was declared."""
    assert parts(statement)["public-pretraining"] is None
    for basis in (Basis.PUBLIC, Basis.EXACT):
        weights = Finding(
            kind="pretraining",
            name="public pretraining",
            value="gpt2, WebText",
            basis=basis,
            assumption="no row of ours was in it",
        )
        begun = replace(statement, steps=(*statement.steps, StepSection(name="train", findings=(weights,))))
        assert parts(begun)["public-pretraining"] == "gpt2, WebText: no row of ours was in it."
        assert next(p for one in checklist(begun) for p in one.parts if p.key == "public-pretraining").basis is basis
        released = parts(for_release(begun))["public-pretraining"]
        assert released == ("gpt2, WebText: no row of ours was in it." if basis is Basis.PUBLIC else None)


def test_what_nobody_stated_is_shown_as_a_gap(statement: Statement, rendered: dict[Edition, str]) -> None:
    gaps = missing(statement)
    assert "legal-basis" in gaps
    assert "trust-model" not in gaps
    assert (
        rendered[Edition.RELEASE].count('<dd class="gap">not stated</dd>') == len(missing(statement)) + 2
    )  # accuracy, attacks: exact


def test_every_part_can_be_declared(make: Callable[..., Statement]) -> None:
    """Planted fault: forget a part when joining, so that its answer is accepted and lost."""
    stated = parts(make(answers={key: f"declared {key}" for key in PARTS}))
    assert all(f"declared {key}" in str(text) for key, text in stated.items())
    assert missing(make(answers=dict.fromkeys(PARTS, "x"))) == []


def test_an_answer_to_no_part_is_refused(make: Callable[..., Statement]) -> None:
    with pytest.raises(ConfigError, match=r"trustmodel.*would be lost.*trust-model"):
        checklist(make(answers={"trustmodel": "central"}))


def test_a_part_says_on_what_it_is_based(statement: Statement, make_audit: Callable[..., StepSection]) -> None:
    exact = replace(statement, steps=(*statement.steps, make_audit(basis=Basis.EXACT)))
    bases = {part.key: part.basis for item in checklist(exact) for part in item.parts}
    assert bases["audits"] is bases["accuracy"] is Basis.EXACT
    assert bases["promise"] is Basis.PUBLIC
