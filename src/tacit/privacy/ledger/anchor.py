"""A second place for the signed head, written after every row and before anyone may rely on that row."""

import json
from collections.abc import Callable
from pathlib import Path

from tacit.errors import LedgerError
from tacit.privacy.ledger import durable
from tacit.privacy.ledger.chain import Entry
from tacit.privacy.ledger.head import Head
from tacit.privacy.ledger.turn import Turn

_PATIENCE = 120.0  # seconds


class Anchor:
    """A file that holds the newest signed head. It protects when whoever can restore the ledger cannot restore this file too.

    A missing file is made at the next row; a file that does not fit the ledger is never overwritten.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Head | None:
        """Return the head in the file, or None when there is no file. Raises LedgerError when it holds anything else."""
        try:
            return Head.from_json(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            if not self.path.parent.is_dir():  # said at once, before anything is charged
                raise self._unusable(error) from None
            return None
        except OSError as error:
            raise self._unusable(error) from None
        except (ValueError, LedgerError):
            raise LedgerError(
                f"the anchor {self.path} does not hold a ledger's signed head. It is what shows a rollback, so it is not "
                "overwritten. Restore it, or take it away if you accept losing the protection up to now."
            ) from None

    def advance(self, head: Head, row: Callable[[int], Entry | None]) -> None:
        """Write this head unless the file has a newer one; `row` reads a row, to check what the file has against the ledger."""
        try:
            turn = Turn(self.path.with_name(f"{self.path.name}.lock"))
            try:
                turn.take(_PATIENCE)  # processes write in order, so the anchor never goes back
                newest = self.read()
                if newest is not None:
                    self.check(newest, head.ledger_id, row)
                if newest is None or newest.count < head.count:
                    durable.replace(self.path, json.dumps(head.to_json()).encode())
            finally:
                turn.close()
        except OSError as error:
            raise self._unusable(error) from None

    def check(self, head: Head, ledger_id: str, row: Callable[[int], Entry | None]) -> None:
        """Raise LedgerError unless the ledger still has the rows this head was signed over."""
        entry = row(head.count) if head.ledger_id == ledger_id else None
        if entry is None or entry.hash.hex() != head.hash:
            raise LedgerError(
                f"the ledger was rolled back, rewritten or replaced: its anchor {self.path} was signed over {head.count} rows "
                "that this ledger does not have. Charges may be missing, so nothing more is charged or released. "
                "Restore the newest copy of the ledger; `tacit ledger verify` shows what is left of it."
            )

    def _unusable(self, error: OSError) -> LedgerError:
        return LedgerError(
            f"the anchor {self.path} cannot be used: {error.strerror or error}. A release waits until its entry is anchored, so "
            "nothing was released. Make the file writable or free some space; a block charged meanwhile continues with `resume`."
        )
