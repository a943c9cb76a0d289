"""The time that one call may take, shared by all of its steps."""

import math
import time


class Deadline:
    """When the time of a call is over.

    seconds -- what was given, > 0; None: no limit.
    missed  -- whether a step found it passed, and so left something undone.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds, self.missed = seconds, False
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    def passed(self) -> bool:
        """Whether the time is over; the caller then stops."""
        if time.monotonic() > self._end:
            self.missed = True
            return True
        return False

    def left(self) -> float | None:
        """Return the seconds that are left, >= 0; None without a limit."""
        return None if self.seconds is None else max(0.0, self._end - time.monotonic())
