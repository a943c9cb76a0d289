import hmac
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tacit.anonymize.pseudonymize import Key, Pseudonyms, load_or_create_key
from tacit.anonymize.pseudonymize.digests import keyed_digests
from tacit.anonymize.pseudonymize.keys import _create
from tacit.errors import ConfigError, PrivacyError

KEY = Key(secret=bytes(range(32)))


@pytest.mark.parametrize("secret", [b"", b"short", bytes(31), "text" * 10, None])
def test_hashing_without_a_real_key_is_impossible(secret: Any) -> None:
    with pytest.raises(ConfigError, match="no unkeyed hashing"):
        Key(secret=secret)


def test_the_key_is_not_in_any_printed_form() -> None:
    assert repr(KEY) == "Key()"
    assert KEY.secret.hex() not in repr(Pseudonyms(key=KEY))


def test_a_derived_key_is_apart_from_every_other_purpose_and_from_every_token() -> None:
    assert KEY.derive("a") != KEY.derive("b") != KEY.secret
    assert KEY.derive("a") == hmac.digest(bytes(range(32)), b"\xff\xff\xff\xffa", "sha256")
    assert len(KEY.derive("a")) == 32


@pytest.mark.parametrize("size", [32, 63, 64, 65, 200])
def test_digests_under_one_key_are_the_librarys_hmac(size: int) -> None:
    secret, texts = bytes(range(size)), ["", "ann", "Zoé", "x" * 200]
    expected = [hmac.digest(secret, b"front" + text.encode(), "sha256") for text in texts]
    assert keyed_digests(secret, b"front", texts) == expected


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
