"""Keyed pseudonyms: HMAC-SHA256 tokens, one-way, the same for one value, key and scope in every table and run.

Whoever holds the key can test guesses, so the key is as secret as the data; without it a token says nothing but which values
are equal. That is why a column of few values is refused: there, how often each token occurs gives the value away.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tacit.anonymize.pseudonymize.digests import keyed_digests
from tacit.anonymize.pseudonymize.entropy import check_entropy
from tacit.anonymize.pseudonymize.keys import Key
from tacit.anonymize.pseudonymize.naming import name_values, scope_prefix
from tacit.anonymize.pseudonymize.replaced import Replaced

TOKEN_BYTES = 16
"""128 bits: among 10 million values two tokens collide with probability 1.5e-25."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pseudonyms:
    """Replaces the values of identifier columns by tokens.

    key -- who holds it can link tokens to guessed values; there is no way back from a token alone.
    """

    key: Key

    def tokens(self, column: Any, *, scope: str, force: bool = False) -> Replaced:
        """Return the token of each value, text of 32 hexadecimal digits; missing stays missing.

        column -- array or chunked array, shape (n,), of texts, whole numbers, floats, decimals or dates. Values equal as text
                  (Unicode NFC, outer spaces removed; 7 and 7.0 are one) get one token.
        scope  -- what the values are, for example "person" or "e-mail": equal scopes give equal tokens in every table and run,
                  different scopes cannot be linked. Not empty.
        force  -- make tokens of few values all the same; the reason against it then stands in the result.
        Raises PrivacyError when the column has few values (see `check_entropy`), DataError when its type cannot be named by text
        or all values are missing.
        Source: HMAC, RFC 2104, of (length of the scope, scope, value), cut to 128 bits.
        """
        prefix, secret = scope_prefix(scope), self.key.secret
        named = name_values(column)
        forced = check_entropy(named, scope, force=force)
        made = [digest[:TOKEN_BYTES].hex() for digest in keyed_digests(secret, prefix, named.texts)]
        return Replaced(
            values=named.spread(made, pa.string()),
            method="tokens: HMAC-SHA256, 128 bits, one-way",
            scope=scope,
            settings={"bits": 8 * TOKEN_BYTES},
            rows=len(named.array),
            missing=named.array.null_count,
            distinct=len(set(made)),
            forced=forced,
        )
