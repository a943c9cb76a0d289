import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.pseudonymize import Key, Pseudonyms, _create, load_or_create_key
from tacit.errors import ConfigError, DataError, PrivacyError

KEY = Key(secret=bytes(range(32)))
EMAILS = pa.array([f"person{i}@example.org" for i in range(50)])


def tokens(column: Any, scope: str = "e-mail", key: Any = KEY) -> Any:
    return Pseudonyms(key=key).tokens(pa.array(column) if isinstance(column, list) else column, scope=scope).to_pylist()


def hmac_by_definition(key: bytes, message: bytes) -> str:
    """RFC 2104 written out: H(key xor opad, H(key xor ipad, message)) with blocks of 64 bytes."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in padded) + inner).hexdigest()


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


def test_another_key_or_scope_gives_unlinkable_tokens() -> None:
    assert not set(tokens(EMAILS)) & set(tokens(EMAILS, scope="user"))
    assert not set(tokens(EMAILS)) & set(tokens(EMAILS, key=Key(secret=bytes(32))))


def test_scope_and_value_cannot_run_into_each_other() -> None:
    assert tokens(["bc1"], scope="a") != tokens(["c1"], scope="ab")


@pytest.mark.parametrize("secret", [b"", b"short", bytes(31), "text" * 10, None])
def test_hashing_without_a_real_key_is_impossible(secret: Any) -> None:
    with pytest.raises(ConfigError, match="no unkeyed hashing"):
        Key(secret=secret)


def test_the_key_is_not_in_any_printed_form() -> None:
    assert repr(KEY) == "Key()"
    assert KEY.secret.hex() not in repr(Pseudonyms(key=KEY))


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
    assert tokens(pa.array([None, None], pa.string())) == [None, None]


def test_what_text_cannot_name_is_refused() -> None:
    for column in (pa.array([[1], [2]]), pa.array([b"x", b"y"])):
        with pytest.raises(DataError, match="cannot be pseudonymized"):
            tokens(column)
    with pytest.raises(ConfigError, match="scope"):
        tokens(EMAILS, scope="")


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "pseudonyms.key"
    before = os.umask(0)
    try:
        made = load_or_create_key(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create_key(path) == made
    assert len(made.secret) == 32
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert load_or_create_key(tmp_path / "other.key") != made


def test_a_key_that_another_process_made_first_is_kept(tmp_path: Path) -> None:
    first = load_or_create_key(tmp_path / "key")
    _create(tmp_path / "key")  # as a process does that found no file an instant earlier
    assert load_or_create_key(tmp_path / "key") == first
    assert len(list(tmp_path.iterdir())) == 1


def test_makers_at_the_same_time_agree_on_one_key(tmp_path: Path) -> None:
    found: list[Key] = []
    start = threading.Barrier(8)

    def make() -> Any:
        start.wait()
        found.append(load_or_create_key(tmp_path / "key"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({key.secret for key in found}) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666])
def test_a_key_file_open_to_others_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    load_or_create_key(path)
    path.chmod(mode)
    with pytest.raises(PrivacyError, match="chmod 600"):
        load_or_create_key(path)


@pytest.mark.parametrize("content", ["", "not hex", "ab" * 8])
def test_a_damaged_key_file_is_refused_and_never_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="does not hold a key"):
        load_or_create_key(path)
    assert path.read_text() == content
    with pytest.raises(ConfigError, match="cannot be used"):
        load_or_create_key(tmp_path)
