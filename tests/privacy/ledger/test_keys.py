"""The key lives apart, is nobody else's to read, and is made once."""

from pathlib import Path

import pytest

from tacit.errors import LedgerError
from tacit.privacy.ledger import Ledger, keys


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "keys"
    assert keys.load(folder) is None
    key = keys.load_or_create(folder)
    assert keys.load_or_create(folder) == keys.load(folder) == key
    assert len(key) == 32
    assert (mode(folder), mode(folder / keys.FILE_NAME)) == (0o700, 0o600)
    assert [file.name for file in folder.iterdir()] == [keys.FILE_NAME]


def test_two_folders_have_two_keys(tmp_path: Path) -> None:
    assert keys.load_or_create(tmp_path / "a") != keys.load_or_create(tmp_path / "b")


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o602])
def test_a_key_others_may_read_or_write_is_refused(tmp_path: Path, bits: int) -> None:
    keys.load_or_create(tmp_path / "keys")
    (tmp_path / "keys" / keys.FILE_NAME).chmod(bits)
    with pytest.raises(LedgerError, match="chmod 600"):
        keys.load(tmp_path / "keys")


def test_a_folder_in_which_others_may_replace_the_key_is_refused(tmp_path: Path) -> None:
    keys.load_or_create(tmp_path / "keys")
    (tmp_path / "keys").chmod(0o777)
    with pytest.raises(LedgerError, match="chmod 700"):
        keys.load(tmp_path / "keys")


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"zz" * 32, b"\xff" * 64, b"00" * 600])
def test_a_file_that_is_no_key_is_refused_not_replaced(tmp_path: Path, content: bytes) -> None:
    keys.load_or_create(tmp_path / "keys")
    (tmp_path / "keys" / keys.FILE_NAME).write_bytes(content)
    with pytest.raises(LedgerError, match="is not a ledger key"):
        keys.load_or_create(tmp_path / "keys")
    assert (tmp_path / "keys" / keys.FILE_NAME).read_bytes() == content


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="TACIT_KEYS"):
        keys.load_or_create(tmp_path / "file" / "keys")


def test_the_default_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TACIT_KEYS", "/k")
    assert keys.default_folder() == Path("/k")
    monkeypatch.delenv("TACIT_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/c")
    assert keys.default_folder() == Path("/c/tacit")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert keys.default_folder() == Path("/h/.config/tacit")


def test_a_ledger_is_not_opened_with_another_key_or_without_its_own(path: Path, keys: Path, tmp_path: Path) -> None:
    Ledger.open(path).close()
    (tmp_path / "other").mkdir(mode=0o700)
    Ledger.open(tmp_path / "second.sqlite", key_folder=tmp_path / "other").close()
    with pytest.raises(LedgerError, match="sealed with another key"):
        Ledger.open(path, key_folder=tmp_path / "other")
    with pytest.raises(LedgerError, match=r"its signing key .* does not"):
        Ledger.open(path, key_folder=tmp_path / "empty")
    assert not (tmp_path / "empty").exists()
    Ledger.open(path, key_folder=keys).close()
