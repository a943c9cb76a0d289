"""A row of the ledger, the hash that ties it to the row before, and the seal that only the key can make."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tacit.errors import LedgerError
from tacit.privacy.ledger.units import Budget

FOUNDING = "ledger"  # the first row: the ledger's own name and public key
GRANT = "grant"
DP = "dp"  # has an event; its epsilon is charged
NOT_DP = "not-dp"  # exact or syntactic release; never has an epsilon
READ_ONLY = "read-only"  # nothing left the custodian
STEPS = "steps"  # a window of a block's steps claimed for one run

FIRST_PREVIOUS = bytes(32)

# seq, time, kind, dataset, request_id, block, claimed, body, granted epsilon and delta, spent epsilon and delta, previous
Fields = tuple[int, int, str, str, str | None, int | None, int | None, str, int, int, int, int, bytes]


class Entry(NamedTuple):
    """One row, as stored.

    seq        -- 1, 2, 3, ...; the order of the ledger. Nothing depends on `time`.
    time       -- wall clock, nanoseconds since 1970 UTC, as the writer's clock had it.
    kind       -- "dp", "not-dp" and "read-only" are entries proper; "ledger", "grant" and "steps" keep the books.
    request_id -- unique; None for bookkeeping rows.
    block      -- in a "steps" row: the seq of the block whose steps it claims.
    claimed    -- steps of the block claimed so far ("dp" and "steps" rows).
    body       -- canonical JSON.
    granted_*, spent_* -- the dataset's running totals after this row, in units of 1e-9 (epsilon) and 1e-18 (delta).
    previous, hash, seal -- 32 bytes each.
    """

    seq: int
    time: int
    kind: str
    dataset: str
    request_id: str | None
    block: int | None
    claimed: int | None
    body: str
    granted_epsilon: int
    granted_delta: int
    spent_epsilon: int
    spent_delta: int
    previous: bytes
    hash: bytes
    seal: bytes

    @property
    def content(self) -> dict[str, Any]:
        """The body, parsed."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    @property
    def when(self) -> datetime:
        return datetime.fromtimestamp(self.time / 1e9, tz=UTC)

    @property
    def granted(self) -> Budget:
        return Budget.from_units(self.granted_epsilon, self.granted_delta)

    @property
    def spent(self) -> Budget:
        return Budget.from_units(self.spent_epsilon, self.spent_delta)

    @property
    def left(self) -> Budget:
        return Budget.from_units(self.granted_epsilon - self.spent_epsilon, self.granted_delta - self.spent_delta)

    def to_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "time": self.when.isoformat(),
            "kind": self.kind,
            "dataset": self.dataset,
            "request_id": self.request_id,
            "block": self.block,
            "claimed": self.claimed,
            "body": self.content,
            "granted": self.granted.to_json(),
            "spent": self.spent.to_json(),
            "previous": self.previous.hex(),
            "hash": self.hash.hex(),
            "seal": self.seal.hex(),
        }


def entry_hash(entry: Fields | Entry) -> bytes:
    """Return SHA-256 of the previous hash and of every field but hash and seal, which may be absent.

    Numbers end with a space and texts carry their length, so no two rows have the same serialization.
    """
    seq, written, kind, dataset, request, block, claimed, body, granted, granted_delta, spent, spent_delta, previous = entry[:13]
    text = (
        f"{seq} {written} {block} {claimed} {granted} {granted_delta} {spent} {spent_delta} "
        f"{len(kind)}:{kind}{len(dataset)}:{dataset}{'-' if request is None else f'{len(request)}:{request}'}{len(body)}:{body}"
    )
    return hashlib.sha256(previous + text.encode()).digest()


class Sealer:
    """Makes and checks the hash and the seal of rows of one ledger.

    The seal is BLAKE2b keyed (RFC 7693, section 2.9): a third of the time of HMAC-SHA-256 through OpenSSL, on every charge.

    key       -- the signing key's 32 secret bytes.
    ledger_id -- the ledger's random name, so that no row is valid in another ledger.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes, ledger_id: str) -> None:
        self._key = hashlib.blake2b(ledger_id.encode(), key=key, digest_size=32, person=b"tacit seal key 1").digest()

    def seal(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._key, digest_size=32).digest()

    def sealed(self, fields: Fields) -> Entry:
        """Return the row of these fields, with its hash and seal."""
        digest = entry_hash(fields)
        return Entry(*fields, digest, hashlib.blake2b(digest, key=self._key, digest_size=32).digest())

    def check(self, entry: Entry) -> None:
        """Raise LedgerError unless hash and seal are those of this very row."""
        if entry_hash(entry) != entry.hash or not hmac.compare_digest(self.seal(entry.hash), entry.seal):
            raise LedgerError(
                f"row {entry.seq} of the ledger was changed after it was written: its hash or seal does not match. "
                "Its totals cannot be trusted, so nothing was charged or released. "
                "Run `tacit ledger verify` to see every damaged row, then restore the ledger from a copy that verifies."
            )
