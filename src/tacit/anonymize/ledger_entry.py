"""The entry of a release in the ledger: `not-dp`, durable before the table leaves."""

import hashlib
import json
from typing import Any, Protocol

from tacit.anonymize.manifest import model_words
from tacit.errors import ConfigError
from tacit.privacy.ledger import Entry, Ledger


class Manifested(Protocol):
    """A release that says what may be told of it: an Anonymization, a FileAnonymization."""

    def manifest(self) -> dict[str, Any]: ...


def check_book(ledger: Ledger | None, budget: str | None) -> None:
    """Raise ConfigError unless a release can be recorded, in an open ledger under a name, or need not be: neither is given."""
    if (ledger is None) != (budget is None):
        given, other = ("budget", "ledger") if ledger is None else ("ledger", "budget")
        raise ConfigError(
            f"a release is recorded in a ledger under the name of its data, got {given} without {other}. It would not be recorded, or "
            "found by nobody. Give both, ledger=Ledger.open(...) and budget=NAME, or neither."
        )
    if ledger is not None and not isinstance(ledger, Ledger):
        raise ConfigError(
            f"a release is recorded in an open ledger, got {type(ledger).__name__}. Without an entry its owner would not know of it. "
            'Write Ledger.open("ledger.sqlite").'
        )


def record_release(release: Manifested, *, ledger: Ledger, budget: str) -> Entry:
    """Write a release into the ledger as "not-dp" and return the durable entry: call it before the table leaves.

    budget -- the name of the data in the ledger. No budget is needed or spent: a syntactic property has no epsilon.
    The entry holds the table's SHA-256 and what was asked for, nothing that the manifest does not tell. The same table released again
    for the same request is the same entry. Raises ConfigError when the name cannot stand in a ledger, LedgerError when the
    ledger is damaged or locked; then nothing may be released.
    """
    check_book(ledger, budget)
    told = release.manifest()
    details = {"sha256": told["sha256"], "rows": told["released"], "settings": told["settings"]}
    return ledger.record("not-dp", dataset=budget, request_id=_request_id(details), what=_what(told), details=details)


def _request_id(details: dict[str, Any]) -> str:
    """Return a name that follows from table and request: killed and run again, a release is in the ledger once."""
    text = json.dumps(details, sort_keys=True, separators=(",", ":"))
    return f"anonymize/{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _what(told: dict[str, Any]) -> str:
    text = f"an anonymized table: {'; '.join(model_words(form) for form in told['settings']['models'])}"
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:500]
