"""Columns of few values: there, how often a stand-in occurs gives its value away, whatever the key."""

import pyarrow as pa

from tacit.anonymize.columns import is_text
from tacit.anonymize.pseudonymize.naming import Named
from tacit.errors import PrivacyError

FEWEST_DISTINCT = 1_000


def check_entropy(named: Named, what: str, *, force: bool = False) -> str | None:
    """Return None when values are many; when they are few, why, if forced, or else raise PrivacyError.

    Few: fewer than 1,000 are possible, or fewer than 1,000 occur while over half of the rows repeat one.
    """
    why = _few(named.array, named.texts)
    if why is None or force:
        return why
    raise PrivacyError(
        f"the column for {what!r} has too few values for pseudonyms ({why}): how often each token occurs would "
        "give its value away. "
        "Drop the column, or generalize it as a quasi-identifier; force=True overrides this and stands in the record."
    )


def _few(array: pa.Array, texts: list[str]) -> str | None:
    present, distinct = len(array) - array.null_count, len(set(texts))
    if not present:
        return None
    digits = not is_text(array.type) or all(text.isdecimal() for text in texts)
    possible = pa.types.is_boolean(array.type) or (digits and all(len(text.lstrip("-").split(".")[0]) <= 3 for text in texts))
    if possible:
        return f"fewer than {FEWEST_DISTINCT} values are possible"
    return f"{distinct} distinct values in {present} rows" if distinct < FEWEST_DISTINCT and distinct < present / 2 else None
