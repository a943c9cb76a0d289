import os
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.pseudonymize import PLACES, FakeValues, Key, Pseudonyms, Replaced, extend_look_up, open_look_up
from tacit.anonymize.pseudonymize import look_up as module
from tacit.errors import ConfigError, DataError, PrivacyError, ShapeError

KEY, FILE_KEY = Key(secret=bytes(range(32))), Key(secret=bytes(range(1, 33)))
PEOPLE = pa.array(["ann", "bo", None, "ann", " cy "])


def tokens(column: Any, scope: str = "person") -> Replaced:
    return Pseudonyms(key=KEY).tokens(column, scope=scope)


def test_tokens_lead_back_through_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "look-up"
    extend_look_up(path, PEOPLE, tokens(PEOPLE), key=FILE_KEY)
    found = open_look_up(path, key=FILE_KEY)
    assert found.originals(tokens(PEOPLE).values, scope="person").to_pylist() == ["ann", "bo", None, "ann", "cy"]
    assert len(found) == 3
    assert "ann" not in repr(found)


def test_the_file_is_the_owners_alone_and_shows_no_value_and_no_token(tmp_path: Path) -> None:
    path = tmp_path / "look-up"
    before = os.umask(0)
    try:
        extend_look_up(path, PEOPLE, tokens(PEOPLE), key=FILE_KEY)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_bytes()
    for text in ("ann", "person", tokens(PEOPLE).to_pylist()[0], "value"):
        assert text.encode() not in content
    assert FILE_KEY.secret not in content
    assert FILE_KEY.secret.hex().encode() not in content
    extend_look_up(path, PEOPLE, tokens(PEOPLE), key=FILE_KEY)
    assert path.read_bytes()[40:52] != content[40:52]  # a nonce is never used twice


def test_further_tables_add_to_it_and_known_pairs_are_kept_once(tmp_path: Path) -> None:
    path, more = tmp_path / "look-up", pa.array(["dan", "ann"])
    extend_look_up(path, PEOPLE, tokens(PEOPLE), key=FILE_KEY)
    extend_look_up(path, more, tokens(more), key=FILE_KEY)
    found = extend_look_up(path, more, tokens(more, "user"), key=FILE_KEY)
    assert len(found) == 6
    assert found.originals(tokens(PEOPLE).values, scope="person").to_pylist()[0] == "ann"
    assert found.originals(tokens(more).values, scope="person").to_pylist() == ["dan", "ann"]
    assert found.originals(tokens(more, "user").values, scope="user").to_pylist() == ["dan", "ann"]
    with pytest.raises(DataError, match=r"row 1 .* does not"):
        found.originals(tokens(more, "user").values, scope="person")


def test_another_key_is_an_error_for_reading_and_for_adding(tmp_path: Path) -> None:
    path = tmp_path / "look-up"
    extend_look_up(path, PEOPLE, tokens(PEOPLE), key=FILE_KEY)
    before = path.read_bytes()
    for wrong in (KEY, Key(secret=bytes(range(1, 34)))):
        with pytest.raises(PrivacyError, match="another key"):
            open_look_up(path, key=wrong)
        with pytest.raises(PrivacyError, match="another key"):
            extend_look_up(path, PEOPLE, tokens(PEOPLE), key=wrong)
    assert path.read_bytes() == before


def test_any_changed_bit_and_any_cut_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "look-up"
    extend_look_up(path, PEOPLE, tokens(PEOPLE), key=FILE_KEY)
    content = path.read_bytes()
    for place in [*range(52), *range(52, len(content), 37), len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(PrivacyError, match=r"changed|no look-up file"):
            open_look_up(path, key=FILE_KEY)
    for length in (0, 7, 40, 60, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(PrivacyError, match=r"changed|was cut"):
            open_look_up(path, key=FILE_KEY)
        with pytest.raises(PrivacyError):
            extend_look_up(path, PEOPLE, tokens(PEOPLE), key=FILE_KEY)
        assert path.read_bytes() == content[:length]


def test_a_kill_while_writing_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, more = tmp_path / "look-up", pa.array(["dan"])
    extend_look_up(path, PEOPLE, tokens(PEOPLE), key=FILE_KEY)
    before = path.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        extend_look_up(path, more, tokens(more), key=FILE_KEY)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["look-up"]


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path, start = tmp_path / "look-up", threading.Barrier(6)

    def add(number: int) -> None:
        start.wait()
        column = pa.array([f"person {number}"])
        extend_look_up(path, column, tokens(column), key=FILE_KEY)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(open_look_up(path, key=FILE_KEY)) == 6


def test_fakes_that_persons_share_have_no_way_back_and_unique_ones_do(tmp_path: Path) -> None:
    column = pa.array([f"town {number}" for number in range(200)])
    path = tmp_path / "look-up"
    with pytest.raises(DataError, match="more than one value"):
        extend_look_up(path, column, FakeValues(key=KEY, words=[PLACES]).values(column, scope="town"), key=FILE_KEY)
    assert not path.exists()
    unique = FakeValues(key=KEY, words=[PLACES], unique=True).values(column, scope="town")
    assert extend_look_up(path, column, unique, key=FILE_KEY).originals(unique.values, scope="town").equals(column)


def test_one_token_of_two_keys_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "look-up"
    made = tokens(PEOPLE)
    extend_look_up(path, PEOPLE, made, key=FILE_KEY)
    with pytest.raises(DataError, match="more than one value"):
        extend_look_up(path, pa.array(["eve", "bo", None, "eve", "cy"]), made, key=FILE_KEY)
    assert len(open_look_up(path, key=FILE_KEY)) == 3


def test_what_does_not_belong_together_or_cannot_be_used_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ShapeError, match="do not belong"):
        extend_look_up(tmp_path / "a", PEOPLE.slice(1), tokens(PEOPLE), key=FILE_KEY)
    with pytest.raises(ShapeError, match="do not belong"):
        extend_look_up(tmp_path / "a", pa.array(["ann"] * 5), tokens(PEOPLE), key=FILE_KEY)
    for use in (
        lambda path: open_look_up(path, key=FILE_KEY),
        lambda path: extend_look_up(path, PEOPLE, tokens(PEOPLE), key=FILE_KEY),
    ):
        with pytest.raises(ConfigError, match="cannot be used"):
            use(tmp_path)
    with pytest.raises(ConfigError, match="cannot be used"):
        open_look_up(tmp_path / "none", key=FILE_KEY)
    monkeypatch.setattr(module, "_LARGEST", 100)
    with pytest.raises(DataError, match="one file per scope"):
        extend_look_up(tmp_path / "a", PEOPLE, tokens(PEOPLE), key=FILE_KEY)
    assert list(tmp_path.iterdir()) == []
