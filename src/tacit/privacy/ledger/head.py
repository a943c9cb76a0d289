"""The signed head: how many rows a ledger had, and the hash of the last. Kept elsewhere, it is the anchor against rollback."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tacit.errors import LedgerError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A ledger's state at one moment, signed.

    ledger_id  -- the ledger's random name, 32 hexadecimal digits.
    count      -- rows at that moment; >= 1.
    hash       -- of the last of them, 64 hexadecimal digits.
    public_key -- Ed25519, 64 hexadecimal digits.
    signature  -- Ed25519 over the other fields, 128 hexadecimal digits.
    Raises LedgerError when a field has another form.
    """

    ledger_id: str
    count: int
    hash: str
    public_key: str
    signature: str

    def __post_init__(self) -> None:
        lengths = {"ledger_id": 32, "hash": 64, "public_key": 64, "signature": 128}
        good = all(_is_hex(getattr(self, name), digits) for name, digits in lengths.items())
        if not good or isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            raise _malformed(self)

    def signed_by_its_key(self) -> bool:
        """Return whether the signature is that of `public_key` over these fields."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        message = _message(self.ledger_id, self.count, self.hash, self.public_key)
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key)).verify(bytes.fromhex(self.signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Head":
        """Return the head a JSON object describes; raises LedgerError for anything else."""
        try:
            return cls(**data)
        except TypeError:
            raise _malformed(data) from None


def sign(key: bytes, *, ledger_id: str, count: int, digest: bytes) -> Head:
    """Return the signed head of a ledger with `count` rows, the last of which has this hash."""
    public = public_key(key)
    signature = _private(key).sign(_message(ledger_id, count, digest.hex(), public)).hex()
    return Head(ledger_id=ledger_id, count=count, hash=digest.hex(), public_key=public, signature=signature)


def public_key(key: bytes) -> str:
    """Return the public half of a key's 32 secret bytes, in hexadecimal."""
    return _private(key).public_key().public_bytes_raw().hex()


def _private(key: bytes) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(key)


def _message(ledger_id: str, count: int, digest: str, public: str) -> bytes:
    return f"tacit ledger head 1 {ledger_id} {count} {digest} {public}".encode()


def _is_hex(value: object, digits: int) -> bool:
    return isinstance(value, str) and len(value) == digits and set(value) <= set("0123456789abcdef")


def _malformed(data: object) -> LedgerError:
    return LedgerError(
        f"this is not a ledger's signed head: {str(data)[:200]}. It is what shows a rollback, so it is not ignored. "
        "Take the head from a report or model written by tacit, unchanged."
    )
