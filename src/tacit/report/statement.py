"""What a report is written from: every number a study produced, with what it may be shown to.

Each field below says whether it is public. Public fields appear in both editions, so they must be computed from
settings and declared values alone, never from private rows. Fields marked "custodian" never leave the custodian.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.errors import ConfigError
from tacit.models.finding import Finding
from tacit.privacy.guarantee import Guarantee

__all__ = ["DatasetLedger", "DpEntry", "ListedEntry", "Randomness", "StatedGuarantee", "Statement", "StepSection"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedGuarantee:
    """A promise and what it is made about. Public.

    what                        -- what is released under it, for example "the private model".
    intermediate_models_visible -- whether the promise holds for someone who sees every noisy step; None: not stated.
    """

    what: str
    guarantee: Guarantee
    intermediate_models_visible: bool | None = None

    def __post_init__(self) -> None:
        _need_text("a guarantee must say what it is about", self.what, 'Write for example what="the private model".')


@dataclass(frozen=True, kw_only=True, slots=True)
class DpEntry:
    """One ledger entry that has an epsilon. Public.

    epsilon, delta -- the price of the whole block, natural-log units and probability; finite and >= 0.
    event          -- the closed JSON form of what was charged.
    steps          -- planned steps; spare_steps -- further steps paid for, so that a killed run can replay what it lost.
    """

    purpose: str
    epsilon: float
    delta: float
    event: Mapping[str, Any]
    steps: int
    spare_steps: int = 0

    def __post_init__(self) -> None:
        _need_text("a ledger entry must say its purpose", self.purpose, "Take it from the ledger entry.")
        _need_amounts(self, "epsilon", "delta")


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedEntry:
    """One ledger entry without an epsilon: a release that cannot have one, or an access that released nothing.

    what    -- public: what was done, in words fixed by the settings. Never a count or value of private rows.
    details -- custodian: anything else the ledger holds about it.
    """

    what: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _need_text("a ledger entry must say what was done", self.what, "Take it from the ledger entry.")


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetLedger:
    """What the ledger says about one data set, recomputed from its entries alone. Public but for the entries' details.

    granted_*, spent_*, left_* -- epsilon (natural-log units) and delta (probability); finite and >= 0.
    not_dp    -- releases that have no epsilon; they are always listed beside the total.
    read_only -- accesses of which nothing left the custodian.
    """

    dataset: str
    granted_epsilon: float
    granted_delta: float
    spent_epsilon: float
    spent_delta: float
    left_epsilon: float
    left_delta: float
    dp: tuple[DpEntry, ...] = ()
    not_dp: tuple[ListedEntry, ...] = ()
    read_only: tuple[ListedEntry, ...] = ()

    def __post_init__(self) -> None:
        _need_text("a ledger must name its data set", self.dataset, "Take it from the ledger.")
        for name in ("granted", "spent", "left"):
            _need_amounts(self, f"{name}_epsilon", f"{name}_delta")
        for name in ("dp", "not_dp", "read_only"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Randomness:
    """Where the noise came from. Public. A source with private = False (seeded, zeros) makes no promise to anyone."""

    name: str
    private: bool

    def __post_init__(self) -> None:
        _need_text("the source of randomness must be named", self.name, "Take it from the source.")


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSection:
    """One step of the journey.

    name     -- public: scan, anonymize, train, twin, attack, audit, evaluate ...
    title    -- public: the chapter's heading; "" for the usual one.
    findings -- each says by its basis where it may go.
    seconds  -- custodian: how long it took; running time depends on private rows.
    settings -- public: as written in the study. versions -- public: of the software that ran.
    """

    name: str
    title: str = ""
    findings: tuple[Finding, ...] = ()
    seconds: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _need_text("a step must have a name", self.name, "Use the name of its table in the study file.")
        object.__setattr__(self, "findings", tuple(self.findings))


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """Everything a report says. Fields are public unless marked.

    title, run     -- the study's name and the run's id.
    dataset        -- the data set's name; rows -- its declared, public number of rows.
    settings       -- the study's settings, as written.
    guarantees     -- what is promised, the main one first.
    ledgers        -- one per data set, recomputed from the ledger alone.
    head           -- the signed head as JSON (count, hash, signature, public_key): the anchor against rollback. The hash
                      must not commit to private values that could be guessed: ledger entries hold public words, or a salt.
    randomness     -- where the noise came from.
    steps          -- the journey, in order.
    answers        -- declared answers to the report items, by part (see `items.PARTS`), for what the run cannot know.
    verify_command -- what to type to recompute the total.
    created        -- ISO 8601 time; the release edition keeps the day, since running time depends on private rows.
    tacit_version  -- the version that ran.
    input_hashes   -- custodian: file or table name to hash; a hash lets anyone test a guess about a row.
    Raises ConfigError when a required text is empty or a number out of range.
    """

    title: str
    dataset: str
    rows: int
    guarantees: tuple[StatedGuarantee, ...]
    ledgers: tuple[DatasetLedger, ...]
    randomness: Randomness
    steps: tuple[StepSection, ...]
    verify_command: str
    created: str
    tacit_version: str
    run: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    head: Mapping[str, Any] | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    input_hashes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("title", "dataset", "verify_command", "created", "tacit_version"):
            _need_text(f"a statement needs its {name}", getattr(self, name), "Fill it from the study's run.")
        if isinstance(self.rows, bool) or not isinstance(self.rows, int) or self.rows < 1:
            raise ConfigError(
                f"rows must be the declared number of rows >= 1, got {self.rows!r}. Write it in the study; it is public."
            )
        for name in ("guarantees", "ledgers", "steps"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


def _need_text(problem: str, text: str, remedy: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"{problem}, got {text!r}. A report must be understood without its author. {remedy}")


def _need_amounts(entry: Any, *names: str) -> None:
    for name in names:
        value = getattr(entry, name)
        if not (value >= 0 and math.isfinite(value)):
            raise ConfigError(
                f"{name} must be a finite number >= 0, got {value}. A reader takes it for a proved price; "
                "recompute it with `tacit ledger verify`."
            )
