"""Writing a small file so that it is either the old or the new one, whatever happens."""

import os
import secrets
from pathlib import Path


def replace(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Atomically give the file this content; on disk, folder entry included, when it returns."""
    temporary = write_beside(path, content, mode)
    try:
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def create(path: Path, content: bytes) -> bool:
    """Create the file with this content, or return False when it exists; exactly one of several callers succeeds."""
    temporary = write_beside(path, content)
    try:
        return link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def link(complete: Path, path: Path) -> bool:
    """Give a complete file its final name, durably; False when that name is taken."""
    try:
        os.link(complete, path)
    except FileExistsError:
        return False
    sync_folder(path.parent)
    return True


def write_beside(path: Path, content: bytes, mode: int = 0o600) -> Path:
    """Return a new synced file with this content in the same folder. An OSError names `path`, which is what a reader knows."""
    try:
        return _write_beside(path, content, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _write_beside(path: Path, content: bytes, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def sync_folder(folder: Path) -> None:
    """Make the folder's list of names durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
