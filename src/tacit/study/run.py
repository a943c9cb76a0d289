"""One run of a study: what every step may use, and how a step charges before it releases."""

import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from tacit.anonymize import Key, load_or_create_key
from tacit.errors import DataError
from tacit.models.finding import Finding
from tacit.noise.source import Source
from tacit.privacy.ledger import Ledger
from tacit.study.loading import Study
from tacit.study.record import Record, file_digest
from tacit.tables import MISSING, Table


class Listener(Protocol):
    """Hears how a run goes; the command line draws it."""

    def step_starts(self, step: "Step") -> None: ...

    def step_moves(self, step: "Step", done: int, total: int) -> None: ...

    def step_ends(self, step: "Step", record: Record, *, reused: bool) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of the journey.

    name     -- its folder, and its table in the study file where it has one.
    title    -- what a reader sees.
    applies  -- whether the study asks for it.
    settings -- the part of the study it depends on, as JSON values.
    needs    -- steps whose artifacts it reads.
    work     -- does it: fills the folder and returns findings. Charges before it writes anything that could be released.
    charges  -- whether it has an entry in the ledger; its result is reused only where that entry is.
    reads_ledger -- whether it says what was spent, and so depends on every entry.
    paid     -- whether it costs epsilon; its result is then kept when a changed setting puts another in its place.
    afford   -- raises BudgetExceeded before anything runs when the budget does not hold it.
    """

    name: str
    title: str
    applies: Callable[[Study], bool]
    settings: Callable[[Study], Mapping[str, Any]]
    needs: tuple[str, ...]
    work: Callable[["Run", Path, Callable[[int, int], None]], list[Finding]]
    charges: bool = True
    reads_ledger: bool = False
    paid: bool = False
    afford: Callable[["Run"], None] | None = None


@dataclass(kw_only=True)
class Run:
    """What the steps of one run share.

    folder  -- runs/<study>: one folder per step, and `secret/` for keys and checkpoints (0700).
    exports -- False for a run that shows a planted fault: nothing releasable is written.
    """

    study: Study
    folder: Path
    ledger: Ledger
    source: Source
    exports: bool = True
    records: dict[str, Record] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    @cached_property
    def data_path(self) -> Path:
        path = self.study.beside(self.study.settings.data.path)
        if not path.is_file():
            raise DataError(
                f"there is no data file {path}, which {self.study.path} names under [data] path. "
                "Paths are relative to the study file; correct the path or put the file there."
            )
        return path

    @cached_property
    def data_digest(self) -> str:
        return file_digest(self.data_path)

    @cached_property
    def table(self) -> Table:
        """The original rows with the study's schema, read once."""
        settings = self.study.settings
        missing = MISSING if settings.data.missing is None else settings.data.missing
        table = Table.read(
            self.data_path,
            settings.table_schema,
            missing=missing,
            encoding=settings.data.encoding,
            delimiter=settings.data.delimiter,
        )
        if table.n_rows != settings.data.rows:
            raise DataError(
                f"{self.data_path} has {table.n_rows} rows, and {self.study.path} declares rows = {settings.data.rows} under [data]. "
                "The declared number is public and enters the guarantee, so it must be right: correct it, or the file."
            )
        return table

    def secret(self, name: str) -> Path:
        """Return a path in the folder of secrets, which only its owner may enter."""
        folder = self.folder / "secret"
        folder.mkdir(parents=True, exist_ok=True)
        os.chmod(folder, 0o700)
        return folder / name

    def key(self, name: str) -> Key:
        """Return the study's secret key of that name, made at first use."""
        return load_or_create_key(self.secret(name))

    def checkpoint(self, step: str) -> Path:
        """Return where the step keeps the state of an unfinished training: one file per request, encrypted."""
        return self.secret(f"{self.request_id(step).replace('/', '-')}.checkpoint")

    def paid_for(self, step: str) -> bool:
        """Return whether this study's ledger has the step's entry, for this data set."""
        entry = self.ledger.find(self.request_id(step))
        return entry is not None and entry.dataset == self.study.settings.budget

    def request_id(self, step: str) -> str:
        """Return the ledger's name for this step with these settings and inputs; the same work is charged once.

        It is keyed: a plain hash of private inputs, published with the ledger's head, would let anyone test a guess.
        """
        tag = hmac.digest(self.key("request.key").secret, self.keys[step].encode(), "sha256")
        return f"{self.study.settings.study.name}/{step}/{tag.hex()[:16]}"

    def charge(self, step: str, kind: Literal["not-dp", "read-only"], what: str) -> None:
        """Record an access that has no epsilon, durably, before anything comes of it."""
        self.ledger.record(kind, dataset=self.study.settings.budget, request_id=self.request_id(step), what=what)
