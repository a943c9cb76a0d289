"""Local reports made from a custodian's table: paid for in the ledger before the first of them exists."""

from collections.abc import Iterator
from contextlib import contextmanager

from tacit.privacy.block import Block
from tacit.privacy.events import LocalRandomized
from tacit.privacy.ledger import Ledger
from tacit.privacy.local.reports import local_guarantee


@contextmanager
def paid_reports(*, ledger: Ledger, budget: str, request_id: str, epsilon: float) -> Iterator[None]:
    """Pay for one report of every row of a custodian's table; make them within the `with` block.

    epsilon -- of the mechanism that makes the reports; all rows together cost one epsilon, delta 0.

    Reports of different people are made from different rows, so a row moves one report alone (parallel composition; McSherry
    2009, doi:10.1145/1559845.1559850, Theorem 4). The entry is on disk before the block is entered; leaving early refunds nothing.
    A zeroed row must be a value that the mechanism takes, so that replace-one covers the ledger's other entries' neighbours.
    Raises BudgetExceeded, and ConfigError for a request id used before; nothing is reported then.
    """
    block = Block(
        event=LocalRandomized(epsilon=epsilon), steps=1, spare_steps=0, checkpoint_every=1, guarantee=local_guarantee(epsilon)
    )
    with ledger.reserve(block, dataset=budget, request_id=request_id, purpose="local reports") as reservation:
        reservation.count_step()
        yield
