"""`tacit ledger grant | show | verify | export` in a terminal and as JSON."""

import json
import shutil
from pathlib import Path

import pytest

from command_line import tacit
from simple_training import claiming, plan
from tacit.privacy.ledger import Ledger


@pytest.fixture
def book(tmp_path: Path) -> Path:
    assert (
        tacit("ledger", "grant", "l.sqlite", "people", "--epsilon", "3", "--note", "ethics board 12", folder=tmp_path).code == 0
    )
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        ledger.reserve(claiming(plan(10, 5, noise=5.0), 1.0).block, dataset="people", request_id="one", purpose="a model")
        ledger.record("not-dp", dataset="people", request_id="two", what="a 5-anonymous table")
        (tmp_path / "head.json").write_text(json.dumps(ledger.head().to_json()))
    return tmp_path


def test_grant_says_what_may_be_spent_in_all(book: Path) -> None:
    answer = tacit("ledger", "grant", "l.sqlite", "people", "--epsilon", "1", "--delta", "1e-6", folder=book)
    assert "granted epsilon 4" in answer.out
    told = json.loads(tacit("ledger", "grant", "l.sqlite", "pets", "--epsilon", "1", "--json", folder=book).out)
    assert told == {"dataset": "pets", "granted": {"epsilon": 1.0, "delta": 1e-5}, "left": {"epsilon": 1.0, "delta": 1e-5}}


def test_show_lists_every_entry_and_never_one_number_alone(book: Path) -> None:
    out = tacit("ledger", "show", "l.sqlite", folder=book).out
    assert max(map(len, out.splitlines())) <= 80
    for text in ("a model", "a 5-anonymous table", "ethics board 12", "+3", "1 release that has"):
        assert text in " ".join(out.split())
    assert json.loads(tacit("ledger", "show", "l.sqlite", "--json", folder=book).out)["datasets"]["people"]["not_dp"] == [
        "a 5-anonymous table"
    ]


def test_verify_recomputes_the_price_and_finds_a_false_one(book: Path) -> None:
    """The block of the fixture was priced at epsilon 1 by hand; its event costs less, so it stands. Less noise would not."""
    good = tacit("ledger", "verify", "l.sqlite", "--anchor", "head.json", "--json", folder=book)
    assert good.code == 0
    assert 0 < json.loads(good.out)["datasets"]["people"]["epsilon"] < 1
    with Ledger.open(book / "l.sqlite") as ledger:
        ledger.grant("people", epsilon=1, delta=1e-5)
        ledger.reserve(
            claiming(plan(10, 5, noise=1.0), 1.0).block, dataset="people", request_id="cheap", purpose="priced too low"
        )
    bad = tacit("ledger", "verify", "l.sqlite", folder=book)
    assert bad.code == 1
    assert "epsilon" in bad.out


def test_verify_notices_a_rollback_only_with_an_anchor(book: Path) -> None:
    shutil.copy(book / "l.sqlite", book / "old.sqlite")
    with Ledger.open(book / "l.sqlite") as ledger:
        ledger.record("read-only", dataset="people", request_id="three", what="a look")
        (book / "head.json").write_text(json.dumps(ledger.head().to_json()))
    assert tacit("ledger", "verify", "old.sqlite", folder=book).code == 0
    caught = tacit("ledger", "verify", "old.sqlite", "--anchor", "head.json", folder=book)
    assert caught.code == 1
    assert "rolled back" in caught.out


def test_export_writes_the_whole_book(book: Path) -> None:
    assert tacit("ledger", "export", "l.sqlite", "--out", "book.json", folder=book).out == "Wrote book.json.\n"
    exported = json.loads((book / "book.json").read_text())
    assert [entry["kind"] for entry in exported["entries"]] == ["ledger", "grant", "dp", "not-dp"]
    assert exported == {**json.loads(tacit("ledger", "export", "l.sqlite", folder=book).out), "head": exported["head"]}


@pytest.mark.parametrize("command", ["show", "verify", "export"])
def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path, command: str) -> None:
    answer = tacit("ledger", command, "none.sqlite", folder=tmp_path)
    assert answer.code == 1
    assert "tacit ledger grant none.sqlite" in answer.error
    assert not list(tmp_path.iterdir())


def test_an_anchor_that_is_none_is_refused(book: Path) -> None:
    (book / "not.json").write_text("{}")
    assert tacit("ledger", "verify", "l.sqlite", "--anchor", "not.json", folder=book).code == 2
    assert tacit("ledger", "verify", "l.sqlite", "--anchor", "missing.json", folder=book).code == 2


def test_grants_out_of_range_are_refused(tmp_path: Path) -> None:
    for epsilon, delta in (("-1", "1e-5"), ("1", "2"), ("inf", "1e-5")):
        answer = tacit("ledger", "grant", "l.sqlite", "people", "--epsilon", epsilon, "--delta", delta, folder=tmp_path)
        assert answer.code == 2, answer.error


def test_an_anchor_in_a_second_place_follows_every_grant(tmp_path: Path) -> None:
    tacit("ledger", "grant", "l.sqlite", "people", "--epsilon", "1", "--anchor", "far.json", folder=tmp_path)
    first = json.loads((tmp_path / "far.json").read_text())["count"]
    tacit("ledger", "grant", "l.sqlite", "people", "--epsilon", "1", "--anchor", "far.json", folder=tmp_path)
    assert json.loads((tmp_path / "far.json").read_text())["count"] == first + 1
