"""What `tacit anonymize` was asked for and what it made, however large the table is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.anonymize.figures import Figures
    from tacit.anonymize.hierarchies import Hierarchy
    from tacit.cli.anonymize_ledger import Book


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request.

    data -- the table's file. out, manifest -- where the release goes. book -- where it is recorded, if anywhere.
    quasi -- the quasi-identifiers; declared -- the hierarchies given for them. settings -- what `anonymize` and `anonymize_file` both take.
    silent -- whether no bar is drawn.
    """

    data: Path
    out: Path
    manifest: Path
    book: "Book | None"
    quasi: Sequence[str]
    declared: "Mapping[str, Hierarchy]"
    settings: Mapping[str, Any]
    silent: bool

    @property
    def shown_as_is(self) -> list[str]:
        """The columns that are released as they are."""
        of_models = (name for model in self.settings["require"] for name in model.columns)
        return [*self.settings["sensitive"], *self.settings["keep"], *of_models]


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A release that is written, and its figures for the custodian.

    told -- its manifest. automatic -- the hierarchies nobody gave. left_out -- columns that are not released.
    remarks -- of columns as they were read, for the custodian. where -- "in memory", or by which database it was counted and recoded.
    """

    figures: "Figures"
    told: Mapping[str, Any]
    automatic: "Mapping[str, Hierarchy]"
    left_out: Sequence[str]
    remarks: Sequence[str]
    where: str
