"""The export holds everything, is plain JSON, and never a number that hides the list."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tacit.errors import LedgerError
from tacit.privacy.block import Block
from tacit.privacy.ledger import Head, Ledger, export, verify

MakeBlock = Callable[..., Block]


def test_the_export_holds_every_row_the_totals_the_list_and_the_head(path: Path, tmp_path: Path, make_block: MakeBlock) -> None:
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=3.0, delta=1e-5)
        ledger.record("not-dp", dataset="survey", request_id="a", what="5-anonymous table", details={"k": 5})
        ledger.reserve(make_block(), dataset="survey", request_id="b", purpose="model")
        ledger.record("read-only", dataset="other", request_id="c", what="profile")
        head = ledger.head()
        exported = json.loads(json.dumps(export(path), allow_nan=False))
    assert [row["kind"] for row in exported["entries"]] == ["ledger", "grant", "not-dp", "dp", "read-only"]
    assert exported["datasets"]["survey"] == {
        "granted": {"epsilon": 3.0, "delta": 1e-5},
        "spent": {"epsilon": 0.25, "delta": 1e-6},
        "left": {"epsilon": 2.75, "delta": 9e-6},
        "not_dp": ["5-anonymous table"],
    }
    assert Head.from_json(exported["head"]) == head
    assert exported["entries"][3]["body"]["block"]["guarantee"]["epsilon"] == 0.25
    assert export(path, key_folder=tmp_path / "none")["head"] is None
    assert verify(path, [Head.from_json(exported["head"])]).ok


def test_a_file_that_is_no_ledger_is_not_exported(path: Path) -> None:
    with pytest.raises(LedgerError):
        export(path)
    path.write_text("no ledger")
    with pytest.raises(LedgerError, match="is not a tacit ledger"):
        export(path)


@pytest.mark.parametrize("change", ["body = '{'", "body = '[]'", "time = 'x'", "hash = 'x'", "spent_epsilon = 'x'"])
def test_rows_that_cannot_be_read_are_an_error_with_a_remedy(path: Path, tmp_path: Path, change: str) -> None:
    with Ledger.open(path) as ledger:
        ledger.record("not-dp", dataset="survey", request_id="a", what="a table")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE entries SET {change} WHERE seq = 2")
        connection.commit()
    with pytest.raises(LedgerError, match="tacit ledger verify"):
        export(path, key_folder=tmp_path / "none")
