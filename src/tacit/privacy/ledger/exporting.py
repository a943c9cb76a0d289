"""The whole ledger as data, for an auditor who has no tacit."""

from contextlib import closing
from pathlib import Path
from typing import Any

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
    first = founding.first_row(rows[0] if rows else None, path).content
    key, last = keys.load(key_folder or keys.default_folder()), rows[-1]
    mine = key is not None and public_key(key) == first["public_key"]
    if mine and key is not None:
        Sealer(key, first["ledger_id"]).check(last)
    head = sign(key, ledger_id=first["ledger_id"], count=last.seq, digest=last.hash) if mine and key is not None else None
    return {
        "format": "tacit ledger 1",
        **first,
        "head": head.to_json() if head else None,
        "datasets": _datasets(rows),
        "entries": [entry.to_json() for entry in rows],
    }


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
