"""Where `tacit anonymize` records its release: the book that `--ledger`, `--dataset` and `--anchor` name."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tacit.errors import ConfigError

if TYPE_CHECKING:
    from tacit.anonymize.ledger_entry import Manifested


@dataclass(frozen=True, kw_only=True, slots=True)
class Book:
    """A ledger, the data's name in it, and a second place for its signed head, if there is one."""

    path: Path
    dataset: str
    anchor: Path | None

    def record(self, release: "Manifested") -> dict[str, Any]:
        """Write the release down as "not-dp", durably, and return what the manifest says of it. Makes the ledger when there is none."""
        from tacit.anonymize.ledger_entry import record_release
        from tacit.privacy.ledger import Ledger

        with Ledger.open(self.path, anchor=self.anchor) as ledger:
            entry = record_release(release, ledger=ledger, budget=self.dataset)
            return {"dataset": self.dataset, "entry": entry.seq, "head": ledger.head().to_json()}


def book(path: Path | None, dataset: str | None, anchor: Path | None) -> Book | None:
    """Return the book the options name; None without `--ledger`. A ledger that is there is opened, to see before any work that it can be.

    Raises ConfigError when an option stands without the others it needs, LedgerError when the ledger is damaged.
    """
    from tacit.privacy.ledger import Ledger

    if path is None:
        alone = [name for name, given in (("--dataset", dataset), ("--anchor", anchor)) if given is not None]
        if alone:
            raise ConfigError(f"{alone[0]} belongs to a ledger, and none is named, so it would be ignored. Add --ledger FILE.")
        return None
    if dataset is None:
        raise ConfigError(
            f"--ledger {path} needs the data's name in it: an entry under no name is found by nobody. Add --dataset NAME, the name "
            "that `tacit ledger grant` was given."
        )
    if not (dataset.isprintable() and 0 < len(dataset) <= 500):  # as the ledger itself would say, after the search
        raise ConfigError(
            f"--dataset {dataset!r:.200} cannot stand in a ledger, which holds printable names of 1 to 500 characters: it is what a reader "
            "sees. Give a short name."
        )
    if not path.parent.is_dir():
        raise ConfigError(
            f"there is no folder {str(path.parent)!r} for the ledger, so nothing could be recorded. Correct --ledger."
        )
    if path.exists():
        Ledger.open(path, anchor=anchor).close()
    return Book(path=path, dataset=dataset, anchor=anchor)
