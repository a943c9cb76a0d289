from typing import Any

import pyarrow as pa
import pytest

from anonymize.pseudonymize.by_definition import hmac_by_definition
from tacit.anonymize.pseudonymize import Key, Pseudonyms
from tacit.errors import ConfigError, DataError, PrivacyError

KEY = Key(secret=bytes(range(32)))
EMAILS = pa.array([f"person{i}@example.org" for i in range(50)])


def tokens(column: Any, scope: str = "e-mail", key: Any = KEY) -> Any:
    return Pseudonyms(key=key).tokens(pa.array(column) if isinstance(column, list) else column, scope=scope).to_pylist()


def test_a_token_is_the_front_of_hmac_sha256_over_scope_and_value() -> None:
    message = (6).to_bytes(4, "big") + b"e-mail" + b"person0@example.org"
    assert tokens(EMAILS)[0] == hmac_by_definition(KEY.secret, message)[:32]


def test_t17_one_value_key_and_scope_give_one_token_in_every_table_and_run() -> None:
    first = tokens(["ann", "bo", "ann", None, "cy"])
    assert first[0] == first[2]
    assert first[3] is None
    assert len(set(first[:3] + first[4:])) == 3
    assert tokens(["zoe", "ann"])[1] == first[0]
    assert tokens(pa.chunked_array([["ann"], ["dan"]]))[0] == first[0]
    assert tokens(pa.array(["ann", "dan"]).dictionary_encode())[0] == first[0]


def test_t17_a_gap_that_turns_whole_numbers_into_floats_changes_no_token() -> None:
    whole, gapped = tokens([10_001, 10_002]), tokens([10_001.0, None, float("nan"), 10_002.0])
    assert gapped == [whole[0], None, None, whole[1]]


def test_t17_spaces_around_and_the_way_an_accent_is_encoded_change_no_token() -> None:
    made = tokens(["Zoé", " Zoé ", "Zoe\u0301", "Ann", "Bo", "Cy"])
    assert len(set(made[:3])) == 1
    assert len(set(made)) == 4


def test_t17_the_unit_of_a_time_changes_no_token() -> None:
    moments = pa.array([1_700_000_000, 1_700_000_001], pa.timestamp("s"))
    assert len({tuple(tokens(moments.cast(pa.timestamp(unit)))) for unit in ("s", "ms", "us", "ns")}) == 1
    with pytest.raises(DataError, match="finer than a microsecond"):
        tokens(pa.array([1_700_000_000_000_000_001], pa.timestamp("ns")))


def test_another_key_or_scope_gives_unlinkable_tokens() -> None:
    assert not set(tokens(EMAILS)) & set(tokens(EMAILS, scope="user"))
    assert not set(tokens(EMAILS)) & set(tokens(EMAILS, key=Key(secret=bytes(32))))


def test_scope_and_value_cannot_run_into_each_other() -> None:
    assert tokens(["bc1"], scope="a") != tokens(["c1"], scope="ab")


@pytest.mark.parametrize(
    "column",
    [
        [True, False, True],
        ["f", "m"] * 20,
        [str(i % 90) for i in range(500)],
        [17, 42, 99],
        [i * 1000 for i in range(9)] * 5,
        ["07", "42", "99"],
        pa.array(["Ann", "Bo", "Cy", "Di"] * 100).dictionary_encode(),
    ],
)
def test_a_column_of_few_values_is_refused_with_the_remedy(column: Any) -> None:
    with pytest.raises(PrivacyError, match="Drop the column, or generalize"):
        tokens(column)


def test_a_small_table_of_distinct_values_and_a_large_one_with_repeats_are_accepted() -> None:
    assert len(set(tokens(["ann@x.org", "bo@x.org"]))) == 2
    assert len(set(tokens([f"user{i % 2000}" for i in range(20_000)]))) == 2000
    assert tokens(pa.array([], pa.string())) == []


def test_what_text_cannot_name_is_refused() -> None:
    for column in (pa.array([[1], [2]]), pa.array([b"x", b"y"])):
        with pytest.raises(DataError, match="cannot be pseudonymized"):
            tokens(column)
    with pytest.raises(ConfigError, match="scope"):
        tokens(EMAILS, scope="")


def test_a_column_without_values_or_of_mixed_types_is_one_clear_error() -> None:
    for column in (pa.array([None, None], pa.string()), pa.nulls(3), pa.array([float("nan")])):
        with pytest.raises(DataError, match="is missing, so there is nothing to replace"):
            tokens(column)
    with pytest.raises(DataError, match="several types"):
        Pseudonyms(key=KEY).tokens(["ann", 7, b"x"], scope="person")


def test_few_values_are_replaced_when_forced_and_the_record_says_why_they_were_not() -> None:
    column = pa.array(["f", "m"] * 20)
    made = Pseudonyms(key=KEY).tokens(column, scope="sex", force=True)
    assert made.forced == "most of it looks like sexes or yes and no"
    assert made.to_json()["forced"] == made.forced
    assert len(set(made.to_pylist())) == 2
    assert Pseudonyms(key=KEY).tokens(EMAILS, scope="e-mail", force=True).forced is None


def test_the_result_is_a_column_and_a_record_without_values_or_key() -> None:
    made = Pseudonyms(key=KEY).tokens(pa.array(["ann", None, "bo", "ann", "cy", "di", "ed", "flo"]), scope="person")
    assert pa.table({"person": made}).column("person").to_pylist() == made.to_pylist()
    assert (made.rows, made.missing, made.distinct, len(made)) == (8, 1, 6, 8)
    record = repr(made) + str(made.to_json())
    assert made.to_json()["claim"] == "pseudonyms: still personal data; not anonymity"
    assert "ann" not in record
    assert made.to_pylist()[0] not in record
    assert KEY.secret.hex() not in record
