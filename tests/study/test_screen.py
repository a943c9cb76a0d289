"""What a run shows at its end comes from a ledger that verifies, or it shows nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

from command_line import tacit


def test_a_ledger_that_does_not_verify_ends_the_run_with_its_problem(again: Path) -> None:
    """All steps are done and the newest row is whole, so nothing but the check at the end can notice."""
    with closing(sqlite3.connect(again / "ledger.sqlite")) as connection, connection:
        connection.execute("UPDATE entries SET body = replace(body, '2.0', '1.9') WHERE kind = 'grant'")
    answer = tacit("run", folder=again)
    assert answer.code == 1, answer.out
    assert "does not verify" in answer.error
    assert "changed after it was written" in answer.error
    assert "epsilon spent" not in answer.out
