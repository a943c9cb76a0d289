"""Format-preserving encryption of columns: a card number becomes a card-like number, and the key leads back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.pseudonymize import ff1
from tacit.anonymize.pseudonymize.entropy import check_entropy
from tacit.anonymize.pseudonymize.keys import Key
from tacit.anonymize.pseudonymize.naming import Named, name_values, scope_prefix
from tacit.anonymize.pseudonymize.replaced import Replaced
from tacit.errors import ConfigError, DataError

DIGITS = "0123456789"
_SEPARATOR, _STRANGE = -1, -2


@dataclass(frozen=True, kw_only=True, slots=True)
class FormatPreserving:
    """Encrypts texts into texts of the same length and alphabet (FF1, AES-256).

    key        -- encrypts and decrypts: whoever holds it has the values.
    alphabet   -- the characters that values are made of, each once, at least 2: "0123456789". Their number is FF1's radix.
    separators -- characters that stay where they are: "- ". A character in neither is refused.

    Length and places of separators stay visible, and so does which values are equal. A check digit is not kept valid. Nothing
    notices a changed value: it decrypts to another one.
    """

    key: Key
    alphabet: str = DIGITS
    separators: str = ""

    def __post_init__(self) -> None:
        every = self.alphabet + self.separators
        if len(self.alphabet) < 2 or len(self.alphabet) > ff1.LARGEST_RADIX or len(set(every)) != len(every) or "\0" in every:
            raise ConfigError(
                f"alphabet and separators must be different characters, at least 2 in the alphabet, got {self.alphabet!r} and "
                f"{self.separators!r}. Otherwise there is no way back. Write each character once, and not the character NUL."
            )

    def encrypt(self, column: Any, *, scope: str, force: bool = False) -> Replaced:
        """Return each value encrypted, as text; missing stays missing.

        column -- array or chunked array, shape (n,). Numbers are taken as their shortest text, so 007 must come as text.
        scope  -- what the values are; FF1's tweak. Equal scopes encrypt alike in every table and run.
        force  -- encrypt few values all the same; the reason against it then stands in the result.
        Raises PrivacyError when values are few or a value's length has fewer than a million possible ones, DataError, with the
        row, for a character outside alphabet and separators.
        """
        scope_prefix(scope)
        named = name_values(column, exact=True)
        forced = check_entropy(named, scope, force=force)
        made = self._map(named, scope, ff1.encrypt)
        return Replaced(
            values=named.spread(made, pa.string()),
            method="format-preserving encryption: FF1, AES-256, NIST SP 800-38G",
            scope=scope,
            settings={"alphabet": self.alphabet, "separators": self.separators, "radix": len(self.alphabet)},
            rows=len(named.array),
            missing=named.array.null_count,
            distinct=len(set(made)),
            forced=forced,
        )

    def decrypt(self, column: Any, *, scope: str) -> pa.Array:
        """Return the texts that were encrypted under this key, alphabet and scope, shape (n,). Another key gives other texts."""
        scope_prefix(scope)
        named = name_values(column, exact=True)
        return named.spread(self._map(named, scope, ff1.decrypt), pa.string())

    def _map(self, named: Named, scope: str, cipher: Callable[..., NDArray[np.int64]]) -> list[str]:
        """Return cipher(text) of each distinct text, worked out together for all texts of one length."""
        key, tweak, radix = self.key.derive("format-preserving encryption"), scope.encode(), len(self.alphabet)
        lengths = np.array([len(text) for text in named.texts], dtype=np.int64)
        made: NDArray[Any] = np.empty(len(lengths), dtype=object)
        for length in np.unique(lengths).tolist():
            at = np.flatnonzero(lengths == length)
            ff1.check_domain(radix, length)
            letters = np.array([named.texts[place] for place in at], dtype=f"U{length}").view(np.uint32).reshape(len(at), length)
            places = self._places(letters)
            _refuse_strange(named, at, places)
            written = letters.copy()
            counts = (places >= 0).sum(axis=1)
            for count in np.unique(counts).tolist():
                ff1.check_domain(radix, count)
                rows = counts == count
                inside = (places >= 0) & rows[:, None]
                numerals = cipher(places[inside].reshape(-1, count), key=key, radix=radix, tweak=tweak)
                written[inside] = np.array([ord(letter) for letter in self.alphabet], dtype=np.uint32)[numerals.reshape(-1)]
            made[at] = written.view(f"U{length}").reshape(-1).astype(object)
        return [str(text) for text in made]

    def _places(self, letters: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return each character's place in the alphabet, -1 for a separator, -2 for any other; same shape."""
        known = np.array([ord(letter) for letter in self.alphabet + self.separators], dtype=np.uint32)
        order = np.argsort(known)
        found = order[np.minimum(np.searchsorted(known[order], letters), len(known) - 1)]
        place = np.where(found < len(self.alphabet), found, _SEPARATOR)
        return np.where(known[found] == letters, place, _STRANGE)


def _refuse_strange(named: Named, at: NDArray[np.int64], places: NDArray[np.int64]) -> None:
    strange = np.flatnonzero((places == _STRANGE).any(axis=1))
    if len(strange):
        row = named.indices.index(pa.scalar(int(at[strange[0]]), named.indices.type)).as_py() + 1
        raise DataError(
            f"row {row} (counted from 1) has a character that is in neither the alphabet nor the separators. It could not be "
            "encrypted, and left as it is it would tell. Add it to one of them, or correct the row. The value is not shown."
        )
