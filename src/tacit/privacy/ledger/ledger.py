"""The ledger: every access to private data is a row, durable before anything is released."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from tacit.errors import BudgetExceeded, ConfigError, LedgerError
from tacit.privacy.block import Block
from tacit.privacy.ledger import chain, founding, keys, refusals
from tacit.privacy.ledger.anchor import Anchor
from tacit.privacy.ledger.blocks import Priced, block_from_json, canonical
from tacit.privacy.ledger.chain import Entry, Sealer
from tacit.privacy.ledger.head import Head, sign
from tacit.privacy.ledger.reservation import Reservation
from tacit.privacy.ledger.store import RequestIdTaken, RowTaken, Store
from tacit.privacy.ledger.units import LARGEST, Budget, granting

_NOTHING = Budget(epsilon=0.0, delta=0.0)
Totals = tuple[int, int, int, int]  # granted epsilon and delta, spent epsilon and delta, in units


class Ledger:
    """An append-only book in one SQLite file, with a budget per dataset.

    Blocks add up by basic composition: a block is refused when the epsilons' or the deltas' sum would pass what was granted.
    Each row is tied to the one before by SHA-256 and sealed with a key kept elsewhere. Threads may share a Ledger; a forked
    process opens its own. The file must lie on a local disk: SQLite's log does not work over a network file system.
    """

    def __init__(self, store: Store, key: bytes, ledger_id: str, anchor: Anchor | None) -> None:
        self._store = store
        self._key = key
        self._sealer = Sealer(key, ledger_id)
        self._anchor = anchor
        self._own: Entry | None = None  # the newest row written here: known to be good
        self._priced: Priced | None = None  # one plan is often charged many times
        self.ledger_id = ledger_id

    @classmethod
    def open(cls, path: str | Path, *, key_folder: Path | None = None, anchor: Path | None = None) -> "Ledger":
        """Open the ledger at `path`, made if absent.

        key_folder -- where the signing key lives; default $TACIT_KEYS, $XDG_CONFIG_HOME/tacit or ~/.config/tacit.
        anchor     -- a file, best on another disk, that always holds the newest signed head; a ledger that lacks the rows it was
                      signed over is refused. Without one a rollback of the file is not noticed here.
        Raises LedgerError when the file is no ledger, or is damaged, rolled back, locked, newer or sealed with another key.
        """
        path, folder = Path(path), key_folder or keys.default_folder()
        guard = Anchor(anchor) if anchor is not None else None
        head = guard.read() if guard else None
        if not path.exists():
            if guard and head:
                guard.check(head, head.ledger_id, lambda _: None)
            founding.found(path, keys.load_or_create(folder))
        store = Store(path)
        try:
            key = keys.load(folder)
            if key is None:
                raise refusals.key_missing(path, folder / keys.FILE_NAME)
            first = founding.first_row(store.at(1), path)
            ledger = cls(store, key, first.content["ledger_id"], guard)
            ledger._recognize(first, folder / keys.FILE_NAME)
            if guard and head:
                guard.check(head, ledger.ledger_id, store.at)
        except LedgerError:
            store.close()
            raise
        return ledger

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def grant(self, dataset: str, *, epsilon: float, delta: float, note: str = "") -> Entry:
        """Add to what may be spent on a dataset; returns the durable row.

        epsilon -- >= 0 and finite; counted in units of 1e-9, rounded down. delta -- 0 <= delta < 1; in 1e-18, rounded down.
        Raises ConfigError when nothing is granted, a value is out of range, or the dataset's deltas would reach 1.
        """
        _check_names(dataset)
        if not (0 <= epsilon < 1e9 and 0 <= delta < 1 and epsilon + delta > 0):
            raise ConfigError(
                f"a grant needs epsilon >= 0 and 0 <= delta < 1, not both 0; got epsilon {epsilon} and delta {delta}. "
                "It bounds what may ever be learned about one person; epsilon 3 and delta 1e-5 are a common start."
            )
        body = canonical({"delta": float(delta), "epsilon": float(epsilon), "note": str(note)})
        more_epsilon, more_delta = granting(epsilon, delta)

        def add(last: Entry, totals: Totals) -> Entry:
            granted = (totals[0] + more_epsilon, totals[1] + more_delta)
            if granted[0] > LARGEST or granted[1] >= 10**18:
                raise refusals.grant_too_large(dataset, granted)
            return self._entry(last, chain.GRANT, dataset, None, body, (*granted, *totals[2:]))

        return self._write(dataset, add)

    def reserve(self, block: Block, *, dataset: str, request_id: str, purpose: str) -> Reservation:
        """Charge a block at its full price and return the right to run its steps; durable when it returns.

        dataset    -- whose budget pays.
        request_id -- unique in the ledger; names the block when a killed run resumes.
        purpose    -- what is released, for the reader.
        Raises BudgetExceeded when the dataset has no grant or too little left: the ledger is then as it was. Raises ConfigError
        when the request id is taken: the same plan again is not a second reservation.
        """
        _check_names(dataset, request_id, purpose)
        priced = self._priced
        if priced is None or priced.block is not block:
            self._priced = priced = Priced.of(block)
        _, text, epsilon, delta = priced
        body = f'{{"block":{text},"purpose":{canonical(purpose)}}}'
        claimed = min(block.checkpoint_every, block.paid_steps)

        def charge(last: Entry, totals: Totals) -> Entry:
            after = self._spend(dataset, (epsilon, delta), totals)
            return self._entry(last, chain.DP, dataset, request_id, body, after, claimed=claimed)

        try:
            entry = self._write(dataset, charge)
        except (RequestIdTaken, BudgetExceeded) as refusal:
            taken = self.find(request_id)
            if isinstance(refusal, BudgetExceeded) and taken is None:
                raise
            raise refusals.request_id_taken(taken) from None
        return Reservation(entry, block, (0, claimed), self._claim)

    def check_fits(self, block: Block, *, dataset: str) -> None:
        """Raise BudgetExceeded, as `reserve` would now, when the dataset's budget does not hold the block. Charges nothing."""
        _check_names(dataset)
        newest = self._newest(dataset)
        totals = newest[8:12] if newest else (0, 0, 0, 0)
        _, _, epsilon, delta = Priced.of(block)
        self._spend(dataset, (epsilon, delta), totals)

    def _spend(self, dataset: str, cost: tuple[int, int], totals: Totals) -> Totals:
        """Return the totals after a charge, in exact units; raises BudgetExceeded when they would pass what was granted."""
        granted_epsilon, granted_delta, spent_epsilon, spent_delta = totals
        spent_epsilon, spent_delta = spent_epsilon + cost[0], spent_delta + cost[1]
        if spent_epsilon > granted_epsilon or spent_delta > granted_delta:
            raise refusals.budget(self._store.path, dataset, cost, totals)
        return granted_epsilon, granted_delta, spent_epsilon, spent_delta

    def resume(self, request_id: str) -> Reservation:
        """Claim a fresh window of a block's paid steps, after whatever ran before; durable when it returns.

        All steps claimed before count as spent, run or not. When none is left the reservation has steps_left == 0.
        Raises LedgerError when the ledger has no block of that name.
        """
        _check_names(request_id)
        entry = self.find(request_id)
        if entry is None or entry.kind != chain.DP:
            raise refusals.no_block(request_id, entry)
        block = block_from_json(entry.content["block"])
        return Reservation(entry, block, self._claim(entry, block), self._claim)

    def record(
        self,
        kind: Literal["not-dp", "read-only"],
        *,
        dataset: str,
        request_id: str,
        what: str,
        details: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Write down an access to private data that has no epsilon; durable when it returns, so call it before the release.

        kind    -- "not-dp" for an exact or syntactic release, "read-only" when nothing leaves the custodian.
        what    -- what is released or read, for the reader.
        details -- anything JSON holds.
        The same call again returns the entry that is there. Raises ConfigError when the request id has another content.
        """
        if kind not in (chain.NOT_DP, chain.READ_ONLY):
            raise ConfigError(f'a record is "not-dp" or "read-only", got {kind!r}. What has epsilon is charged with `reserve`.')
        _check_names(dataset, request_id, what)
        try:
            body = canonical({"details": dict(details or {}), "what": what})
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"the details of a record must be what JSON holds, with finite numbers: {error}. Nothing was recorded. "
                "Turn arrays into lists and leave out NaN."
            ) from None
        try:
            return self._write(dataset, lambda last, totals: self._entry(last, kind, dataset, request_id, body, totals))
        except RequestIdTaken:
            taken = self.find(request_id)
        if taken is None or (taken.kind, taken.dataset, taken.body) != (kind, dataset, body):
            raise refusals.request_id_taken(taken)
        return self._anchored(taken)

    def spent(self, dataset: str) -> Budget:
        """What the dataset's dp entries cost together; `not_dp` lists the releases that have no epsilon."""
        entry = self._newest(dataset)
        return entry.spent if entry else _NOTHING

    def granted(self, dataset: str) -> Budget:
        entry = self._newest(dataset)
        return entry.granted if entry else _NOTHING

    def left(self, dataset: str) -> Budget:
        entry = self._newest(dataset)
        return entry.left if entry else _NOTHING

    def not_dp(self, dataset: str) -> tuple[Entry, ...]:
        """The releases from this dataset that no epsilon covers."""
        return tuple(entry for entry in self.entries() if entry.kind == chain.NOT_DP and entry.dataset == dataset)

    def datasets(self) -> tuple[str, ...]:
        return self._store.datasets()

    def entries(self) -> Iterator[Entry]:
        """Every row in order, bookkeeping included, as the file has it: `verify` checks it."""
        return self._store.rows()

    def find(self, request_id: str) -> Entry | None:
        """Return the entry of a request, or None: whether to `reserve` or to `resume`."""
        entry = self._store.find(request_id)
        return None if entry is None else self._trust(entry)

    def head(self) -> Head:
        """Return the signed head: put it into every report and model, as the anchor against rollback."""
        return self._head(self._trust(self._store.last()))

    def _head(self, entry: Entry) -> Head:
        return sign(self._key, ledger_id=self.ledger_id, count=entry.seq, digest=entry.hash)

    def _recognize(self, first: Entry, key_file: Path) -> None:
        if chain.entry_hash(first) == first.hash and self._sealer.seal(first.hash) != first.seal:
            raise refusals.key_differs(self._store.path, key_file)
        self._trust(first)
        self._trust(self._store.last())

    def _claim(self, entry: Entry, block: Block) -> tuple[int, int]:
        """Durably claim the block's next window for one run; returns (first, end), equal when no step is left."""
        window = (0, 0)

        def claim(last: Entry, totals: Totals) -> Entry:
            nonlocal window
            start = self._trust(self._store.last_claim(entry.seq) or entry).claimed or 0
            window = (start, min(start + block.checkpoint_every, block.paid_steps))
            if window[0] == window[1]:
                raise BudgetExceeded("every step paid for is claimed")
            return self._entry(last, chain.STEPS, entry.dataset, None, "{}", totals, block=entry.seq, claimed=window[1])

        with suppress(BudgetExceeded):  # the reservation says so, when a step is asked for
            self._write(entry.dataset, claim)
        return window

    def _newest(self, dataset: str) -> Entry | None:
        entry = self._store.last_of(dataset)
        return None if entry is None else self._trust(entry)

    def _trust(self, entry: Entry) -> Entry:
        if entry != self._own:
            self._sealer.check(entry)
        return entry

    def _write(self, dataset: str, draft: Callable[[Entry, Totals], Entry]) -> Entry:
        """Make the next row from the newest one and the dataset's running totals, durably.

        What this ledger itself wrote last is taken for the newest row first: if it no longer is, the row's number is taken and
        nothing was written. Then, or when the draft refuses, the file is read.
        """
        own = self._own
        if own is not None and own.dataset == dataset:
            try:
                with self._store as store:
                    entry = store.append(draft(own, own[8:12]))
                return self._written(entry)
            except (RowTaken, BudgetExceeded):
                pass
        with self._store as store:
            last = self._trust(store.last())
            newest = last if last.dataset == dataset else self._newest(dataset)
            entry = store.append(draft(last, newest[8:12] if newest else (0, 0, 0, 0)))
        return self._written(entry)

    def _written(self, entry: Entry) -> Entry:
        self._own = entry
        return self._anchored(entry)

    def _entry(
        self,
        last: Entry,
        kind: str,
        dataset: str,
        request_id: str | None,
        body: str,
        totals: Totals,
        *,
        block: int | None = None,
        claimed: int | None = None,
    ) -> Entry:
        """Return the sealed row that follows `last`."""
        return self._sealer.sealed(
            (last.seq + 1, time.time_ns(), kind, dataset, request_id, block, claimed, body, *totals, last.hash)
        )

    def _anchored(self, entry: Entry) -> Entry:
        """After the commit: the anchor knows the row before the caller does."""
        if self._anchor is not None:
            self._anchor.advance(self._head(entry), self._store.at)
        return entry


def _check_names(*names: str) -> None:
    for name in names:
        if not (isinstance(name, str) and 0 < len(name) <= 500 and name.isprintable()):
            raise ConfigError(
                f"{name!r:.200} cannot stand in the ledger: dataset, request id, purpose and description are printable text of 1 "
                "to 500 characters. It is what a reader of the ledger sees. Give it a short name."
            )
