"""A release in the ledger: "not-dp", with what its manifest tells and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize import DistinctLDiversity, KAnonymity, TreeHierarchy, anonymize
from tacit.anonymize.ledger_entry import record_release
from tacit.errors import ConfigError
from tacit.privacy.ledger import Ledger, verify

TABLE = pa.table({"town": ["Kiel", "Husum"] * 3 + ["Hallig"], "ill\n": ["flu", "cold", "gout"] * 2 + ["rabies"]})
TOWN = TreeHierarchy(rows=(("Kiel", "coast"), ("Husum", "coast"), ("Hallig", "islet")))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "book.sqlite") as book:
        yield book


def released(**more: Any) -> Any:
    return anonymize(TABLE, **{"quasi": {"town": TOWN}, "require": [KAnonymity(3)], "suppression_limit": 0.2, **more})


def test_the_entry_says_what_was_released_and_costs_nothing(ledger: Ledger, tmp_path: Path) -> None:
    result = released()
    entry = record_release(result, ledger=ledger, budget="survey")
    told = result.manifest()
    assert (entry.kind, entry.dataset, entry.content["what"]) == ("not-dp", "survey", "an anonymized table: k-anonymity (k 3)")
    assert entry.content["details"] == {"sha256": told["sha256"], "rows": 6, "settings": told["settings"]}
    assert (ledger.spent("survey").epsilon, ledger.not_dp("survey")) == (0, (entry,))
    assert verify(tmp_path / "book.sqlite").ok


def test_an_entry_tells_no_value_of_a_row_that_was_left_out(ledger: Ledger) -> None:
    body = json.dumps(record_release(released(keep=["ill\n"]), ledger=ledger, budget="survey").content)
    assert not [word for word in ("Hallig", "islet", "rabies") if word in body]


def test_the_same_release_is_one_entry_and_every_other_is_its_own(ledger: Ledger) -> None:
    same = [record_release(released(), ledger=ledger, budget="survey") for _ in range(2)]
    assert same[0] == same[1]
    asked = released(require=[KAnonymity(2)])
    assert asked.manifest()["sha256"] == released().manifest()["sha256"], "the same table, asked for otherwise"
    others = [record_release(one, ledger=ledger, budget="survey") for one in (asked, released(keep=["ill\n"]))]
    assert len({same[0].seq, *(entry.seq for entry in others)}) == 3


def test_a_column_that_cannot_be_printed_is_named_as_far_as_it_can(ledger: Ledger) -> None:
    result = released(require=[KAnonymity(3), DistinctLDiversity("ill\n", 2)])
    what = record_release(result, ledger=ledger, budget="survey").content["what"]
    assert what == "an anonymized table: k-anonymity (k 3); distinct-l-diversity (column ill?, l 2)"


def test_what_is_no_open_ledger_and_no_name_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ConfigError, match=r"open ledger, got str.*Ledger\.open"):
        record_release(released(), ledger="book.sqlite", budget="survey")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cannot stand in the ledger"):
        record_release(released(), ledger=ledger, budget="")
    assert ledger.not_dp("survey") == ()
