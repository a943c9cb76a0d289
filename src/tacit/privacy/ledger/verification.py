"""Checking a ledger from its file alone: nothing it says about itself is believed."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.errors import LedgerError
from tacit.privacy.ledger import keys
from tacit.privacy.ledger.audit import Audit
from tacit.privacy.ledger.head import Head, public_key
from tacit.privacy.ledger.store import Store
from tacit.privacy.ledger.units import Budget, written

_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What one dataset's rows add up to, recomputed.

    charged -- sum of the blocks' prices as charged.
    epsilon -- sum of the blocks' epsilons as the accountant computes them now from their events, each at its block's delta.
    delta   -- sum of the blocks' deltas.
    granted -- sum of the grants.
    blocks  -- number of dp entries.
    not_dp  -- what was released without an epsilon, in order; no number above covers these.
    """

    charged: Budget
    epsilon: float
    delta: float
    granted: Budget
    blocks: int
    not_dp: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "charged": self.charged.to_json(),
            "epsilon": self.epsilon,
            "delta": self.delta,
            "granted": self.granted.to_json(),
            "blocks": self.blocks,
            "not_dp": list(self.not_dp),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What verify found.

    problems      -- one sentence each; none when all is well.
    count         -- rows read.
    datasets      -- by name.
    anchored      -- rows covered by the newest anchor that fits; 0 without one.
    seals_checked -- whether the signing key was at hand.
    ledger_id     -- "" when the first row is damaged.
    heads         -- anchors that were given.
    """

    problems: tuple[str, ...]
    count: int
    datasets: dict[str, Account]
    anchored: int
    seals_checked: bool
    ledger_id: str
    heads: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def rollback_protected(self) -> bool:
        """Whether an anchor fits: rows up to `anchored` are then all there. Later ones may have been cut off."""
        return self.anchored > 0

    @property
    def summary(self) -> str:
        """A few lines for the screen."""
        lines = [f"{self.count} rows: " + ("no problem found" if self.ok else f"{len(self.problems)} problem(s)")]
        lines += [f"  {problem}" for problem in self.problems[:_SHOWN]]
        lines += [f"  and {len(self.problems) - _SHOWN} more"] if len(self.problems) > _SHOWN else []
        lines.append(
            f"rollback: rows 1 to {self.anchored} are anchored"
            + (", all of them" if self.anchored == self.count else "; later ones are not")
            if self.rollback_protected
            else "not protected against rollback: "
            + ("no head that was given fits" if self.heads else "no head was given (every report and model holds one)")
        )
        if not self.seals_checked:
            lines.append(
                "seals not checked: the signing key is not at hand, so a rewritten chain would show only against an anchor"
            )
        for name, account in self.datasets.items():
            entries = "1 dp entry" if account.blocks == 1 else f"{account.blocks} dp entries"
            lines.append(f"{name}: epsilon {written(account.epsilon, 6)} at delta {account.delta!r} over {entries}")
            lines += [f"  and without any epsilon: {what}" for what in account.not_dp]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "problems": list(self.problems),
            "count": self.count,
            "datasets": {name: account.to_json() for name, account in self.datasets.items()},
            "rollback_protected": self.rollback_protected,
            "anchored": self.anchored,
            "seals_checked": self.seals_checked,
            "ledger_id": self.ledger_id,
        }


def verify(path: str | Path, anchors: Iterable[Head] = (), *, key_folder: Path | None = None) -> Verification:
    """Read every row of a ledger and recompute everything: chain, seals, totals, step claims and each block's price.

    anchors    -- signed heads kept elsewhere (in reports and models); the only thing that shows a rollback.
    key_folder -- where the signing key is, default as in Ledger.open. Without a key there the seals are not checked.
    Changes nothing. Raises LedgerError when there is no file or the key's file is unusable; all else is a problem in the answer.
    """
    path = Path(path)
    if not path.is_file():
        raise LedgerError(
            f"there is no ledger at {path}, so nothing could be verified. Check the path, or make one with `tacit ledger grant`."
        )
    key = keys.load(key_folder or keys.default_folder())
    heads = tuple(anchors)
    audit = Audit(key, {head.count for head in heads})
    problems = _read(path, audit) + audit.problems
    if key is not None and audit.public_key and audit.public_key != public_key(key):
        problems.append("the ledger was founded with another key than the one at hand: it is not this owner's, or was rewritten")
    wrong = [_anchor_problem(head, audit) for head in heads]
    problems += [problem for problem in wrong if problem]
    return Verification(
        problems=tuple(problems),
        count=audit.count,
        datasets=_accounts(audit),
        anchored=max((head.count for head, problem in zip(heads, wrong, strict=True) if not problem), default=0),
        seals_checked=key is not None,
        ledger_id=audit.ledger_id,
        heads=len(heads),
    )


def _read(path: Path, audit: Audit) -> list[str]:
    """Hand all rows, as of one moment, to the audit; returns what SQLite itself finds wrong with the file."""
    try:
        with closing(Store(path, read_only=True)) as store, store.reading():
            problems = [f"SQLite finds the file damaged: {text}" for text in store.damage()]
            for entry in store.rows():
                audit.add(entry)
            return problems
    except LedgerError as error:
        return [str(error)]


def _anchor_problem(head: Head, audit: Audit) -> str | None:
    if not head.signed_by_its_key() or head.public_key != audit.public_key:
        return f"an anchor (of {head.count} rows) is not signed with this ledger's key"
    if head.ledger_id != audit.ledger_id:
        return f"an anchor (of {head.count} rows) belongs to another ledger"
    if audit.hashes.get(head.count) != bytes.fromhex(head.hash):
        return f"rolled back or rewritten: this ledger does not begin with the {head.count} rows an anchor was signed over"
    return None


def _accounts(audit: Audit) -> dict[str, Account]:
    return {
        name: Account(
            charged=Budget.from_units(*tally.spent),
            epsilon=tally.recomputed,
            delta=Budget.from_units(*tally.spent).delta,
            granted=Budget.from_units(*tally.granted),
            blocks=tally.blocks,
            not_dp=tuple(tally.not_dp),
        )
        for name, tally in sorted(audit.tallies.items())
    }
