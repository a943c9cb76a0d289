"""The right to run a block's steps, one claimed window at a time."""

import os
import threading
from collections.abc import Callable
from types import TracebackType

from tacit.errors import BudgetExceeded, PrivacyError
from tacit.privacy.block import Block
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger.chain import Entry


class Reservation:
    """One run of a block that was paid for.

    Steps count down in memory inside a window that this run alone has claimed durably, so a step costs no sync and no two runs of
    one block ever take the same step. Single use: after the `with` block it counts nothing more. Nothing is refunded.
    """

    __slots__ = ("_claim", "_end", "_finished", "_pid", "_position", "_turn", "block", "entry")

    def __init__(
        self, entry: Entry, block: Block, window: tuple[int, int], claim: Callable[[Entry, Block], tuple[int, int]]
    ) -> None:
        self.entry = entry
        self.block = block
        self._position, self._end = window
        self._claim = claim
        self._pid = os.getpid()
        self._turn = threading.Lock()
        self._finished = False

    @property
    def guarantee(self) -> Guarantee:
        """What the whole block promises, however few of its steps run."""
        return self.block.guarantee

    @property
    def claimed(self) -> int:
        """Steps of the block claimed so far by all its runs, as this run last saw it; 0 .. paid_steps."""
        return self._end

    @property
    def steps_left(self) -> int:
        """Steps this run may still take, unless another run of the same block claims them first."""
        return self.block.paid_steps - self._position

    def count_step(self) -> None:
        """Count one step; call it before the step's release.

        At the end of its window the run first claims the next, durably. Raises BudgetExceeded when all paid steps are claimed and
        PrivacyError after the end of the reservation or in a forked process; then the step must not run.
        """
        self._check_in_use()
        with self._turn:
            if self._position == self._end and not self._next_window():
                raise BudgetExceeded(
                    f"all {self.block.paid_steps} steps paid for block {self.entry.request_id!r} are used or claimed "
                    f"({self.block.steps} planned, {self.block.spare_steps} spare for resuming). A further step would cost more "
                    "than was charged, so it does not run. Keep what is trained so far, or reserve a new block."
                )
            self._position += 1

    def checkpoint(self) -> None:
        """Claim, durably, the window that follows when the current one is used up; call it when a checkpoint is saved.

        After a crash every claimed step counts as spent. Inside a window there is nothing to claim yet.
        """
        self._check_in_use()
        with self._turn:
            if self._position == self._end:
                self._next_window()

    def finish(self) -> None:
        """End the reservation; steps not taken are not refunded."""
        self._finished = True

    def __enter__(self) -> "Reservation":
        self._check_in_use()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.finish()

    def _next_window(self) -> bool:
        start, end = self._claim(self.entry, self.block)
        if self.block.in_order and start < end and start != self._end:
            self._position = self._end = self.block.paid_steps
            self._finished = True
            raise PrivacyError(
                f"another run has gone on with block {self.entry.request_id!r}, whose steps share noise or participations: two runs at "
                "once would cost more than was paid. This one ends here; resume the other from its last checkpoint."
            )
        self._position, self._end = start, end
        return start < end

    def _check_in_use(self) -> None:
        if self._finished:
            raise PrivacyError(
                f"the reservation of block {self.entry.request_id!r} has ended, so its steps no longer run: a release after it "
                "would not be covered. Take the step inside the `with` block, or call the ledger's resume."
            )
        if os.getpid() != self._pid:
            raise PrivacyError(
                f"the reservation of block {self.entry.request_id!r} belongs to the process that made it; a copy in a forked "
                "process would run the same steps twice for one price. Open the ledger in this process and call resume."
            )
