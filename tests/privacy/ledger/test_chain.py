"""The hash covers every field, the seal needs the key, and rows of two ledgers never pass for each other."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.errors import LedgerError
from tacit.privacy.ledger.chain import Entry, Fields, Sealer, entry_hash

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
numbers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(["1:a", "-", "1:-", "0:"])
maybe = numbers | st.none()
totals = (numbers, numbers, numbers, numbers)
fields = st.tuples(
    numbers, numbers, texts, texts, texts | st.none(), maybe, maybe, texts, *totals, st.binary(min_size=32, max_size=32)
)


@given(fields, fields)
def test_different_rows_have_different_hashes(one: Fields, two: Fields) -> None:
    assert (entry_hash(one) == entry_hash(two)) == (one == two)


@given(fields, st.integers(0, 12), st.data())
def test_changing_any_one_field_changes_the_hash(row: Fields, index: int, data: st.DataObject) -> None:
    changed = list(row)
    changed[index] = data.draw(fields)[index]
    assert (entry_hash(tuple(changed)) == entry_hash(row)) == (changed[index] == row[index])  # type: ignore[arg-type]


def test_texts_cannot_borrow_from_their_neighbours() -> None:
    """The same characters split elsewhere: "ab" + "c" against "a" + "bc", and no request id against one spelled "-"."""
    one: Fields = (2, 0, "dp", "ab", "c", None, None, "", 0, 0, 0, 0, bytes(32))
    assert entry_hash(one) != entry_hash((*one[:3], "a", "bc", *one[5:]))
    assert entry_hash((*one[:4], None, *one[5:])) != entry_hash((*one[:4], "-", *one[5:]))


def test_the_hash_is_sha256_of_the_documented_text() -> None:
    row: Fields = (2, 5, "dp", "survey", "train", None, 7, "{}", 1, 2, 3, 4, b"\1" * 32)
    text = b"2 5 None 7 1 2 3 4 2:dp6:survey5:train2:{}"  # written by hand from the docstring
    assert entry_hash(row) == hashlib.sha256(b"\1" * 32 + text).digest()


def test_a_seal_needs_the_key_and_the_ledger() -> None:
    row: Fields = (2, 5, "dp", "survey", "train", None, 7, "{}", 1, 2, 3, 4, bytes(32))
    entry = Sealer(KEY, "a" * 32).sealed(row)
    Sealer(KEY, "a" * 32).check(entry)
    for stranger in (Sealer(OTHER_KEY, "a" * 32), Sealer(KEY, "b" * 32)):
        with pytest.raises(LedgerError, match=r"row 2 .* was changed"):
            stranger.check(entry)


@pytest.mark.parametrize("name", Entry._fields)
def test_a_row_changed_in_any_field_is_refused(name: str) -> None:
    entry = Sealer(KEY, "a" * 32).sealed((2, 5, "dp", "survey", "train", 3, 7, "{}", 1, 2, 3, 4, bytes(32)))
    value = getattr(entry, name)
    other = value + 1 if isinstance(value, int) else value + "x" if isinstance(value, str) else b"\1" * 32
    with pytest.raises(LedgerError):
        Sealer(KEY, "a" * 32).check(Entry(**{**entry._asdict(), name: other}))
