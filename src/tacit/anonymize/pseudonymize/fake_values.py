"""Fake values: each value replaced by one that looks like it, chosen by the key, the same in every table and run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tacit.anonymize.pseudonymize.digests import keyed_digests
from tacit.anonymize.pseudonymize.entropy import check_entropy
from tacit.anonymize.pseudonymize.keys import Key
from tacit.anonymize.pseudonymize.naming import name_values, scope_prefix
from tacit.anonymize.pseudonymize.replaced import Replaced
from tacit.errors import ConfigError, PrivacyError

_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no letter that reads as a digit
_SUFFIX = 16
"""Characters of 5 bits: among 10 million values two suffixes are equal with probability 4.1e-11."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeValues:
    """Replaces values by words chosen by the key.

    key       -- who holds it can test guesses, as with tokens.
    words     -- one list per part: (GIVEN_NAMES, FAMILY_NAMES), or yours. Each has at least 2 words, none empty or twice.
    separator -- between the parts.
    unique    -- whether every value gets a fake of its own: 16 characters made by the key follow the words, and a fake that two
                 values of a column would share is refused. By default two persons can share one fake, so nothing may be
                 joined or counted by it.
    """

    key: Key
    words: Sequence[Sequence[str]]
    separator: str = " "
    unique: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.words, str) or any(isinstance(part, str) for part in self.words):
            raise ConfigError("words must be lists of words, one per part, got a text. Write words=[[...], [...]].")
        object.__setattr__(self, "words", tuple(tuple(part) for part in self.words))
        fine = all(isinstance(word, str) and word for part in self.words for word in part)
        if not self.words or not fine or any(len(part) < 2 or len(set(part)) != len(part) for part in self.words):
            raise ConfigError(
                "every list of words needs at least 2 different, non-empty texts, none twice: with fewer all values would become "
                "one. Use GIVEN_NAMES and FAMILY_NAMES, or a list of your own."
            )

    @property
    def possible(self) -> int:
        """How many fakes the words alone can make."""
        return math.prod(len(part) for part in self.words)

    def values(self, column: Any, *, scope: str, force: bool = False) -> Replaced:
        """Return a fake for each value, as text; missing stays missing.

        column -- array or chunked array, shape (n,), named as for tokens.
        scope  -- what the values are; equal scopes give equal fakes in every table and run.
        force  -- make fakes of few values all the same; the reason against it then stands in the result.
        The result's settings say how many fakes stand for more than one value of this column (`shared`).
        Raises PrivacyError when the column has few values, or when unique fakes collide.
        """
        prefix, secret = scope_prefix(scope), self.key.derive("fake values")
        named = name_values(column)
        forced = check_entropy(named, scope, force=force)
        made = [self._fake(digest) for digest in keyed_digests(secret, prefix, named.texts)]
        shared = _shared(named.texts, made)
        if self.unique and shared:
            raise PrivacyError(
                f"{shared} fakes would stand for two values each, so they would not be unique. This happens by chance once in "
                "billions of columns. Use another scope or key."
            )
        return Replaced(
            values=named.spread(made, pa.string()),
            method="fake values: keyed choice" + (", unique" if self.unique else "; two values can share one"),
            scope=scope,
            settings={"unique": self.unique, "possible": self.possible, "shared": shared},
            rows=len(named.array),
            missing=named.array.null_count,
            distinct=len(set(named.texts)),
            forced=forced,
        )

    def _fake(self, digest: bytes) -> str:
        """Return the fake of a value's digest: 16 bytes choose the words (their bias is below 2^-100), 10 make the suffix."""
        number, parts = int.from_bytes(digest[:16], "big"), []
        for words in self.words:
            number, place = divmod(number, len(words))
            parts.append(words[place])
        if self.unique:
            bits = int.from_bytes(digest[16:26], "big")
            parts.append("".join(_BASE32[bits >> 5 * place & 31] for place in range(_SUFFIX)))
        return self.separator.join(parts)


def _shared(texts: Sequence[str], fakes: Sequence[str]) -> int:
    """Return how many fakes stand for more than one text."""
    pairs = set(zip(texts, fakes, strict=True))
    first: set[str] = set()
    twice: set[str] = set()
    for _, fake in pairs:
        (twice if fake in first else first).add(fake)
    return len(twice)
