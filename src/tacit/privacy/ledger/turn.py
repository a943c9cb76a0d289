"""Taking turns between processes, by a lock on a small file beside the one it guards."""

import fcntl
import os
import time
from pathlib import Path

from tacit.errors import LedgerError

_LONGEST_NAP = 0.005  # seconds


class Turn:
    """An exclusive lock that the kernel gives back when its process dies.

    The lock file is never the guarded file itself: closing any descriptor of an SQLite file drops SQLite's own locks on it.
    """

    __slots__ = ("_descriptor", "_file", "path")

    def __init__(self, path: Path) -> None:
        """Make the lock file if it is absent; raises OSError when that is impossible."""
        self.path = path
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb")  # closes itself when forgotten
        self._descriptor = self._file.fileno()

    def take(self, patience: float) -> None:
        """Wait for the lock; raises LedgerError after `patience` seconds."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._wait(time.monotonic() + patience)

    def give_back(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        self._file.close()

    def _wait(self, deadline: float) -> None:
        nap = _LONGEST_NAP / 32
        while time.monotonic() < deadline:
            time.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP)
            try:
                return fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
        raise LedgerError(
            f"another process holds {self.path} locked. Two charges at once could lose one, so nothing was charged or released. "
            "Wait for that process or stop it, then try again."
        )
