from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.pseudonymize import FormatPreserving, Key, ff1
from tacit.errors import ConfigError, DataError, PrivacyError

KEY = Key(secret=bytes(range(32)))
CARDS = FormatPreserving(key=KEY, alphabet="0123456789", separators=" -")


def test_length_separators_and_missing_stay_and_the_key_leads_back() -> None:
    column = pa.array(["4111 1111 1111 1111", None, "4000-0000-0000-0002", "5500000000000004"])
    made = CARDS.encrypt(column, scope="card")
    for before, after in zip(column.to_pylist(), made.to_pylist(), strict=True):
        if before is None:
            assert after is None
            continue
        assert len(after) == len(before)
        assert before != after
        assert [letter for letter in before if letter in " -"] == [letter for letter in after if letter in " -"]
        assert all((one in " -") == (two in " -") for one, two in zip(before, after, strict=True))
    assert CARDS.decrypt(made.values, scope="card").equals(column)


def test_a_column_is_ff1_on_the_places_of_its_letters_with_the_scope_as_tweak() -> None:
    made = FormatPreserving(key=KEY, alphabet="9876543210").encrypt(pa.array(["987654", "000000"]), scope="id").to_pylist()
    numerals = np.array([[0, 1, 2, 3, 4, 5], [9] * 6])
    sealed = ff1.encrypt(numerals, key=KEY.derive("format-preserving encryption"), radix=10, tweak=b"id")
    assert made == ["".join("9876543210"[digit] for digit in row) for row in sealed.tolist()]


def test_t17_one_value_key_and_scope_give_one_text_in_every_table_and_run_and_others_do_not() -> None:
    first = CARDS.encrypt(pa.array(["4111111111111111", "4000000000000002"]), scope="card").to_pylist()
    assert CARDS.encrypt(pa.chunked_array([["7777777"], ["4111111111111111"]]), scope="card").to_pylist()[1] == first[0]
    assert CARDS.encrypt(pa.array([4111111111111111]), scope="card").to_pylist() == first[:1]
    assert CARDS.encrypt(pa.array(["4111111111111111"]), scope="account").to_pylist() != first[:1]
    other = FormatPreserving(key=Key(secret=bytes(32)), separators=" -")
    assert other.encrypt(pa.array(["4111111111111111"]), scope="card").to_pylist() != first[:1]
    assert other.decrypt(pa.array(first), scope="card").to_pylist() != ["4111111111111111", "4000000000000002"]


def test_the_whole_of_a_small_domain_is_permuted() -> None:
    """All million pairs of numerals below 1,000: each occurs once among the encrypted ones."""
    numbers = np.arange(1_000_000, dtype=np.int64)
    made = ff1.encrypt(np.column_stack(np.divmod(numbers, 1000)), key=bytes(range(32)), radix=1000)
    assert np.array_equal(np.sort(made @ np.array([1000, 1])), numbers)


@pytest.mark.parametrize(
    "alphabet", ["0123456789", "abcdefghijklmnopqrstuvwxyzäöüß", "AaBbCcDdEe🎲", "".join(map(chr, range(200, 900)))]
)
def test_any_alphabet_leads_back(alphabet: str) -> None:
    generator = np.random.default_rng(3)
    texts = ["".join(alphabet[place] for place in generator.integers(0, len(alphabet), size=n)) for n in [7, 8, 9, 15, 30] * 20]
    cipher = FormatPreserving(key=KEY, alphabet=alphabet, separators="./")
    made = cipher.encrypt(pa.array([text + "/." for text in texts]), scope="name")
    assert set("".join(made.to_pylist())) <= set(alphabet + "./")
    assert cipher.decrypt(made.values, scope="name").to_pylist() == [text + "/." for text in texts]


@pytest.mark.parametrize("column", [["12345"], ["123456", "1"], ["12-34-5"], ["123456", ""], ["-" * 20]])
def test_values_with_fewer_than_a_million_neighbours_are_refused(column: Any) -> None:
    with pytest.raises(PrivacyError, match="fewer than 1000000"):
        CARDS.encrypt(pa.array(column), scope="card")


def test_a_column_of_few_values_is_refused_unless_forced() -> None:
    column = pa.array(["100000", "200000"] * 30)
    with pytest.raises(PrivacyError, match="Drop the column, or generalize"):
        CARDS.encrypt(column, scope="plan")
    assert (
        CARDS.encrypt(column, scope="plan", force=True).forced == "at most a million values are possible, and 2 occur in 60 rows"
    )


def test_a_strange_character_is_refused_by_its_row_and_without_the_value() -> None:
    with pytest.raises(DataError, match="row 3 ") as refusal:
        CARDS.encrypt(pa.array(["4111111111111111", None, "4111111111x11111"]), scope="card")
    assert "4111" not in str(refusal.value)
    with pytest.raises(DataError, match="row 1 "):
        CARDS.encrypt(pa.array(["41111111111\0"]), scope="card")


@pytest.mark.parametrize(("alphabet", "separators"), [("1", ""), ("0123456789", "-0"), ("00", ""), ("01\0", ""), ("", "")])
def test_an_alphabet_without_a_way_back_is_refused(alphabet: str, separators: str) -> None:
    with pytest.raises(ConfigError, match="different characters"):
        FormatPreserving(key=KEY, alphabet=alphabet, separators=separators)


def test_an_empty_scope_and_a_column_without_values_are_refused() -> None:
    with pytest.raises(ConfigError, match="scope"):
        CARDS.encrypt(pa.array(["4111111111111111"]), scope="")
    with pytest.raises(DataError, match="nothing to replace"):
        CARDS.encrypt(pa.nulls(3), scope="card")
    assert CARDS.encrypt(pa.array([], pa.string()), scope="card").to_pylist() == []
