"""The whole ledger as data, for an auditor who has no tacit."""

from contextlib import closing
from pathlib import Path
from typing import Any

from tacit.errors import LedgerError
from tacit.privacy.ledger import chain, founding, keys
from tacit.privacy.ledger.chain import Entry, Sealer
from tacit.privacy.ledger.head import public_key, sign
from tacit.privacy.ledger.store import Store


def export(path: str | Path, *, key_folder: Path | None = None) -> dict[str, Any]:
    """Return every row, the running totals of each dataset beside its list of not-dp releases, and the head; all plain JSON.

    The head is signed when the ledger's key is in key_folder (default as in Ledger.open), else it is None. Believes what the file
    says: `verify` checks it. Raises LedgerError when the file cannot be read.
    """
    path = Path(path)
    with closing(Store(path, read_only=True)) as store, store.reading():
        rows = list(store.rows())
    key = keys.load(key_folder or keys.default_folder())
    try:
        first = founding.first_row(rows[0] if rows else None, path).content
        mine = key is not None and public_key(key) == first["public_key"]
        return {
            "format": "tacit ledger 1",
            **first,
            "head": _head(key, first["ledger_id"], rows[-1]) if key is not None and mine else None,
            "datasets": _datasets(rows),
            "entries": [entry.to_json() for entry in rows],
        }
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            f"the ledger {path} holds rows that cannot be read ({error!r:.200}), so nothing was exported. "
            "Run `tacit ledger verify` to see which."
        ) from None


def _head(key: bytes, ledger_id: str, last: Entry) -> dict[str, Any]:
    Sealer(key, ledger_id).check(last)
    return sign(key, ledger_id=ledger_id, count=last.seq, digest=last.hash).to_json()


def _datasets(rows: list[Entry]) -> dict[str, Any]:
    newest = {entry.dataset: entry for entry in rows if entry.kind != chain.FOUNDING}
    return {
        name: {
            "granted": entry.granted.to_json(),
            "spent": entry.spent.to_json(),
            "left": entry.left.to_json(),
            "not_dp": [row.content["what"] for row in rows if row.kind == chain.NOT_DP and row.dataset == name],
        }
        for name, entry in sorted(newest.items())
    }
