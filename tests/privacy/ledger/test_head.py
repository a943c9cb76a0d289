"""A head is signed over every one of its fields and read back strictly."""

import json
from pathlib import Path

import pytest

from tacit.errors import LedgerError
from tacit.privacy.ledger import Head, Ledger


def test_a_head_counts_the_rows_and_survives_json(ledger: Ledger) -> None:
    ledger.record("read-only", dataset="survey", request_id="a", what="profile")
    head = ledger.head()
    assert head.count == 2
    assert head.hash == list(ledger.entries())[-1].hash.hex()
    assert head.ledger_id == ledger.ledger_id
    assert Head.from_json(json.loads(json.dumps(head.to_json()))) == head
    assert head.signed_by_its_key()


@pytest.mark.parametrize("name", ["ledger_id", "count", "hash", "public_key", "signature"])
def test_a_head_changed_in_any_field_has_no_valid_signature(ledger: Ledger, name: str) -> None:
    head = ledger.head()
    value = getattr(head, name)
    other = value + 1 if isinstance(value, int) else ("0" if value[0] != "0" else "1") + value[1:]
    assert not Head.from_json({**head.to_json(), name: other}).signed_by_its_key()


@pytest.mark.parametrize(
    "change",
    [
        {"count": 0},
        {"count": True},
        {"count": "1"},
        {"hash": "x" * 64},
        {"hash": "AB" * 32},
        {"signature": ""},
        {"extra": 1},
        {"count": None},
    ],
)
def test_what_is_not_a_head_is_refused(ledger: Ledger, change: dict[str, object]) -> None:
    with pytest.raises(LedgerError, match="not a ledger's signed head"):
        Head.from_json({**ledger.head().to_json(), **change})
    with pytest.raises(LedgerError):
        Head.from_json([])  # type: ignore[arg-type]


def test_the_public_key_matches_another_implementation(tmp_path: Path) -> None:
    # RFC 8032, section 7.1, test 1: secret and public key
    from tacit.privacy.ledger.head import public_key

    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert public_key(secret) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
