"""Reading a ledger row by row and recomputing what each should say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from tacit.errors import TacitError
from tacit.privacy.block import Block
from tacit.privacy.events import Event, LocalRandomized
from tacit.privacy.guarantee import Neighbours
from tacit.privacy.ledger import chain
from tacit.privacy.ledger.blocks import block_from_json
from tacit.privacy.ledger.chain import Entry, Sealer, entry_hash
from tacit.privacy.ledger.units import Budget, granting, spending

PRICE_SLACK = 1e-6  # epsilon; the accountant's discretization may differ that much between versions
_MOST_PROBLEMS = 100
_INTEGERS = ("seq", "time", "granted_epsilon", "granted_delta", "spent_epsilon", "spent_delta")


@dataclass(slots=True)
class Tally:
    """One dataset's sums so far; epsilon in 1e-9, delta in 1e-18, except `recomputed` (epsilon as the accountant has it now)."""

    granted: tuple[int, int] = (0, 0)
    spent: tuple[int, int] = (0, 0)
    recomputed: float = 0.0
    blocks: int = 0
    not_dp: list[str] = field(default_factory=list)
    reported: tuple[int, ...] = (0, 0, 0, 0)  # by how much the stored totals were last seen to be off


class Audit:
    """Takes rows in order and collects problems.

    key    -- the signing key, or None when it is not at hand.
    wanted -- row counts at which an anchor wants to know the hash.
    """

    def __init__(self, key: bytes | None, wanted: set[int]) -> None:
        self.problems: list[str] = []
        self.tallies: dict[str, Tally] = {}
        self.hashes: dict[int, bytes] = {}
        self.count = 0
        self.ledger_id = self.public_key = ""
        self._key = key
        self._wanted = wanted
        self._sealer: Sealer | None = None
        self._previous = chain.FIRST_PREVIOUS
        self._blocks: dict[int, tuple[str, Block, int]] = {}  # seq -> dataset, block, steps claimed
        self._contents: dict[str, Callable[[Entry, Tally, bool], None]] = {
            chain.FOUNDING: self._founding,
            chain.GRANT: self._grant,
            chain.DP: self._block,
            chain.NOT_DP: self._release,
            chain.READ_ONLY: self._reading,
            chain.STEPS: self._steps,
        }

    def add(self, entry: Entry) -> None:
        """Check the next row."""
        self.count += 1
        if not _well_typed(entry):
            self.problem(entry, "has a field of the wrong type")
            self._previous = b""
            return
        content = self._contents.get(entry.kind)
        tally = self.tallies.setdefault(entry.dataset, Tally()) if entry.kind != chain.FOUNDING else Tally()
        try:
            if self.count == 1:
                self._found(entry)
            genuine = self._links(entry)
            if content is None:
                self.problem(entry, f"has a kind this tacit does not know: {entry.kind[:50]!r}")
            else:
                content(entry, tally, genuine)
        except (TacitError, ArithmeticError, KeyError, TypeError, ValueError) as error:
            self.problem(entry, f"has a content that cannot be read: {error!r:.300}")
        self._totals(entry, tally)

    def problem(self, entry: Entry, text: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(f"row {self.count} {text}")
        elif len(self.problems) == _MOST_PROBLEMS:
            self.problems.append("and more")

    def _found(self, entry: Entry) -> None:
        if entry.kind != chain.FOUNDING:
            self.problem(entry, "is not the one that founds a ledger: the beginning was cut off")
            return
        self.ledger_id, self.public_key = str(entry.content["ledger_id"]), str(entry.content["public_key"])
        if self._key is not None:
            self._sealer = Sealer(self._key, self.ledger_id)

    def _links(self, entry: Entry) -> bool:
        """Check the row's place in the chain; returns whether the row itself is as it was written."""
        if entry.seq != self.count:
            self.problem(entry, f"is numbered {entry.seq}: rows were removed, added or reordered")
        if entry.previous != self._previous:
            self.problem(entry, "does not follow the row before it: rows were removed, added, reordered or changed")
        self._previous = entry.hash
        if self.count in self._wanted:
            self.hashes[self.count] = entry.hash
        if entry_hash(entry) != entry.hash:
            self.problem(entry, "was changed after it was written: its hash does not match")
            return False
        if self._key is not None and (self._sealer is None or self._sealer.seal(entry.hash) != entry.seal):
            self.problem(entry, "was not sealed with the key at hand: it was written by someone else")
            return False
        return True

    def _founding(self, entry: Entry, tally: Tally, genuine: bool) -> None:
        if self.count != 1:
            self.problem(entry, "founds a ledger, but is not the first")

    def _grant(self, entry: Entry, tally: Tally, genuine: bool) -> None:
        content = entry.content
        epsilon, delta = granting(content["epsilon"], content["delta"])
        if epsilon < 0 or delta < 0:
            self.problem(entry, "grants less than nothing")
        tally.granted = (tally.granted[0] + epsilon, tally.granted[1] + delta)

    def _block(self, entry: Entry, tally: Tally, genuine: bool) -> None:
        self._named(entry)
        block = block_from_json(entry.content["block"])
        epsilon, delta = spending(block.guarantee.epsilon, block.guarantee.delta)
        tally.spent = (tally.spent[0] + epsilon, tally.spent[1] + delta)
        tally.blocks += 1
        if tally.spent[0] > tally.granted[0] or tally.spent[1] > tally.granted[1]:
            spent, granted = Budget.from_units(*tally.spent), Budget.from_units(*tally.granted)
            self.problem(entry, f"passes the grant of dataset {entry.dataset!r}: {spent} spent, {granted} granted")
        if entry.claimed != min(block.checkpoint_every, block.paid_steps):
            self.problem(entry, f"claims {entry.claimed} steps; a block begins with one window")
        self._blocks[entry.seq] = (entry.dataset, block, entry.claimed or 0)
        if genuine:  # a forged event could keep the accountant busy for ever
            tally.recomputed += self._recompute(entry, block)

    def _recompute(self, entry: Entry, block: Block) -> float:
        meant = Neighbours.REPLACE_ONE if isinstance(block.event, LocalRandomized) else Neighbours.ZERO_OUT
        if block.guarantee.neighbours is not meant:
            self.problem(entry, f"claims {block.guarantee.neighbours.value} neighbours; its event is priced for {meant.value}")
        price = _price(block.total_event, block.guarantee.delta)
        if not block.guarantee.epsilon >= price - PRICE_SLACK:
            self.problem(entry, f"was charged epsilon {block.guarantee.epsilon!r}; its event costs {price:.9g}")
        return price

    def _release(self, entry: Entry, tally: Tally, genuine: bool) -> None:
        self._named(entry)
        tally.not_dp.append(str(entry.content["what"]))

    def _reading(self, entry: Entry, tally: Tally, genuine: bool) -> None:
        self._named(entry)

    def _steps(self, entry: Entry, tally: Tally, genuine: bool) -> None:
        dataset, block, claimed = self._blocks[entry.block or 0]
        if dataset != entry.dataset:
            self.problem(entry, f"claims steps of a block of dataset {dataset!r}")
        if claimed >= block.paid_steps or entry.claimed != min(claimed + block.checkpoint_every, block.paid_steps):
            self.problem(
                entry, f"claims steps {claimed} to {entry.claimed} of the {block.paid_steps} paid: not the block's next window"
            )
        self._blocks[entry.block or 0] = (dataset, block, entry.claimed or 0)

    def _named(self, entry: Entry) -> None:
        if entry.request_id is None:  # that no two are equal is the index's to see, which SQLite's check covers
            self.problem(entry, "has no request id")

    def _totals(self, entry: Entry, tally: Tally) -> None:
        stored = (entry.granted_epsilon, entry.granted_delta, entry.spent_epsilon, entry.spent_delta)
        off = tuple(have - want for have, want in zip(stored, (*tally.granted, *tally.spent), strict=True))
        if off != tally.reported:
            self.problem(entry, f"has wrong totals for dataset {entry.dataset!r}: {entry.spent} spent of {entry.granted}")
            tally.reported = off


@lru_cache(maxsize=1024)
def _price(event: Event, delta: float) -> float:
    from tacit.privacy.accounting import epsilon

    return epsilon(event, delta)


def _well_typed(entry: Entry) -> bool:
    return (
        all(type(getattr(entry, name)) is int for name in _INTEGERS)
        and all(isinstance(text, str) for text in (entry.kind, entry.dataset, entry.body))
        and isinstance(entry.request_id, str | None)
        and all(isinstance(number, int | None) for number in (entry.block, entry.claimed))
        and all(isinstance(blob, bytes) for blob in (entry.previous, entry.hash, entry.seal))
    )
