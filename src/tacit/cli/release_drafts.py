"""Drafts of a release: in a hidden folder beside it, gone however the run ends; what a killed run left, the next one clears.

A living run holds a lock on its folder, which the system lets go when the process dies, in whatever way. So a folder that can be
locked is a dead run's. When such a run was killed while its files got their names, those that have one already lose it again.
"""

import fcntl
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

_PREFIX = ".tacit-draft-"
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """A request to stop (SIGINT, SIGTERM, SIGHUP) as an exception, put off while the work must not be cut in two."""

    def __init__(self) -> None:
        self._held = False
        self._heard: int | None = None

    def hear(self, number: int, _: FrameType | None) -> None:
        """Take a signal: raise KeyboardInterrupt or SystemExit, or remember it while held."""
        if self._held:
            self._heard = number
            return
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put requests off until the block ends."""
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before
            if not before and self._heard is not None:
                number, self._heard = self._heard, None
                self.hear(number, None)


@contextmanager
def stopping() -> Iterator[Stop]:
    """Take SIGINT, SIGTERM and SIGHUP as exceptions while the block runs, so that it can clear up; those ignored stay so.

    Only the main thread hears signals; in another one nothing changes.
    """
    stop = Stop()
    before: dict[int, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _STOPS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, stop.hear)
        yield stop
    finally:
        for changed, handler in before.items():
            signal.signal(changed, handler)


@contextmanager
def draft_folder(beside: Path, stop: Stop) -> Iterator[Path]:
    """Give a new folder in `beside` that only its owner may enter (0700) and that is gone when the block ends."""
    with stop.held():
        folder, lock = _locked_folder(beside)
    try:
        yield folder
    finally:
        with stop.held():
            shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def clear_dead(beside: Path) -> None:
    """Remove the draft folders of this user's dead runs, and the names that a half-named release of theirs has."""
    for folder in beside.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or gone meanwhile
            lock = _lock(folder)
            if lock is None:
                continue
            try:
                _unname_half(folder, beside)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _unname_half(folder: Path, beside: Path) -> None:
    """Take the names of a dead run's files away again, unless all have theirs."""
    drafts = [draft for draft in folder.iterdir() if draft.is_file() and not draft.is_symlink()]
    named = [beside / draft.name for draft in drafts if _same(draft, beside / draft.name)]
    if len(named) < len(drafts):
        for path in named:
            path.unlink(missing_ok=True)


def _same(draft: Path, path: Path) -> bool:
    return path.exists() and not path.is_symlink() and draft.samefile(path)


def _locked_folder(beside: Path) -> tuple[Path, int | None]:
    """Return a new folder and its lock; None where the file system knows no locks, whose folders nobody clears."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=beside))
        try:
            lock = _lock(folder)
        except (BlockingIOError, FileNotFoundError):  # a run that clears up took it for a dead one's in between
            shutil.rmtree(folder, ignore_errors=True)
            continue
        except OSError:
            return folder, None
        if lock is not None:
            return folder, lock


def _lock(folder: Path) -> int | None:
    """Return the lock of a folder, None when it is not this user's or was removed meanwhile. Raises BlockingIOError when it is held."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = os.fstat(descriptor)
        if mine.st_uid == os.getuid() and os.path.samestat(mine, os.stat(folder, follow_symlinks=False)):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
