"""Anonymize a table: search the levels, recode, suppress, and have an independent check confirm the result.

The release is a function of the whole table: removing one row may change every other. It is an entry "not-dp" in the ledger,
never differential privacy, and nothing trained on it has an epsilon for the original persons.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.anonymize.coding import CodedColumn, code_table, combine_codes, distinct_tuples
from tacit.anonymize.columns import get_column
from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.loss import Loss
from tacit.anonymize.privacy_models import PrivacyModel
from tacit.anonymize.risk import class_sizes
from tacit.anonymize.search import Progress, SearchResult, allowed_suppression, search_levels
from tacit.anonymize.verify import Recoding, Verification, verify_release
from tacit.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class Anonymization:
    """A released table and how it came about. Everything but `table` is for the custodian.

    table       -- quasi-identifiers at their levels (level 0: the type as it was; above: text) and the columns to keep; columns
                   in the original's order, rows sorted by all of them, so that nothing of the original order of rows is told.
                   Suppressed rows are not in it.
    levels      -- released level of each quasi-identifier; 0 is the raw value.
    top_levels  -- the level of each that is "*".
    rows        -- rows before; suppressed -- rows left out; at most floor(suppression_limit * rows).
    loss        -- 0 (nothing changed) to 1 (all is "*"), by settings["loss"]; suppressed rows count as "*".
    optimal     -- whether no combination of levels has a smaller loss (proved); False: the best found in the time given.
    checked     -- combinations whose classes were counted, of `nodes` in all.
    classes     -- number of classes released; smallest_class, median_class, largest_class -- their rows.
    settings    -- models, limit, loss and each hierarchy with its SHA-256, as JSON values.
    verification -- what the independent check looked at.
    """

    table: pa.Table = field(repr=False)
    levels: Mapping[str, int]
    top_levels: Mapping[str, int]
    rows: int
    suppressed: int
    loss: float
    optimal: bool
    checked: int
    nodes: int
    classes: int
    smallest_class: int
    median_class: float
    largest_class: int
    settings: Mapping[str, Any] = field(repr=False)
    verification: Verification = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the record of the release without its rows."""
        names = ("levels", "top_levels", "rows", "suppressed", "loss", "optimal", "checked", "nodes", "classes")
        sizes = ("smallest_class", "median_class", "largest_class")
        record = {name: getattr(self, name) for name in (*names, *sizes)}
        return {
            **record,
            "levels": dict(self.levels),
            "top_levels": dict(self.top_levels),
            "search": "optimal" if self.optimal else "best found",
            "settings": dict(self.settings),
            "verified": list(self.verification.checks),
            "claim": "a syntactic property of this table; not differential privacy",
        }


def anonymize(
    data: pa.Table,
    hierarchies: Mapping[str, Hierarchy],
    model: PrivacyModel,
    *,
    suppression_limit: float,
    keep: Sequence[str] = (),
    loss: Loss | None = None,
    time_limit: float | None = None,
    on_progress: Progress | None = None,
) -> Anonymization:
    """Return the table of least loss in which every class of equal quasi-identifiers satisfies the model.

    hierarchies       -- one per quasi-identifier, by column name; its keys are the quasi-identifiers.
    suppression_limit -- largest share of rows that may be left out, whole classes at a time; 0 <= limit < 1.
    keep              -- further columns to release as they are. A column in neither is not released.
    loss              -- what to minimize; by default the arithmetic mean over columns.
    time_limit        -- seconds for the search, > 0; when it runs out, the best found is released and `optimal` is False.
    on_progress       -- called with (combinations decided, in all).

    A missing value is a category of its own, not a wildcard: rows that miss an age are a class together.
    Never changes `data`. Raises ConfigError for wrong settings; DataError, naming the column, for data that do not fit, or when
    no combination works; PrivacyError when the independent check refuses the result.
    """
    loss = loss or Loss()
    _check(data, hierarchies, keep, suppression_limit, time_limit)
    coded = code_table(data, hierarchies)
    tuples = distinct_tuples(coded)
    allowed = min(allowed_suppression(suppression_limit, data.num_rows), data.num_rows - 1)
    found = search_levels(coded, tuples, model, allowed=allowed, loss=loss, time_limit=time_limit, on_progress=on_progress)
    levels = dict(zip(hierarchies, found.levels, strict=True))
    released = _recode(data, coded, found, keep)
    forms = {name: hierarchy.to_json() for name, hierarchy in hierarchies.items()}
    verification = verify_release(
        released,
        quasi=list(hierarchies),
        require=[model.to_json()],
        original_rows=data.num_rows,
        suppression_limit=suppression_limit,
        recoding=Recoding(original=data, hierarchies=forms, levels=levels),
    )
    verification.require()
    sizes = class_sizes(released, list(hierarchies))
    return Anonymization(
        table=released,
        levels=levels,
        top_levels={column.name: column.levels - 1 for column in coded},
        rows=data.num_rows,
        suppressed=found.suppressed,
        loss=found.loss,
        optimal=found.optimal,
        checked=found.checked,
        nodes=found.nodes,
        classes=len(sizes),
        smallest_class=int(sizes.min()),
        median_class=float(np.median(sizes)),
        largest_class=int(sizes.max()),
        settings={
            "models": [model.to_json()],
            "suppression_limit": suppression_limit,
            "loss": loss.aggregate,
            "missing": "a category of its own",
            "keep": list(keep),
            "hierarchies": {name: {**form, "sha256": _digest(form)} for name, form in forms.items()},
        },
        verification=verification,
    )


def _check(
    data: pa.Table, hierarchies: Mapping[str, Hierarchy], keep: Sequence[str], suppression_limit: float, time_limit: float | None
) -> None:
    if not hierarchies:
        raise ConfigError("name at least one quasi-identifier with its hierarchy; got none, so there is nothing to generalize.")
    if not 0 <= suppression_limit < 1:
        raise ConfigError(f"suppression_limit must be >= 0 and < 1, got {suppression_limit}. It is a share of rows: 0.05 for 5%.")
    if time_limit is not None and not time_limit > 0:
        raise ConfigError(
            f"time_limit must be > 0 seconds, got {time_limit}. Leave it out for a proof that the result is optimal."
        )
    twice = sorted({name for name in keep if name in hierarchies or list(keep).count(name) > 1})
    if twice:
        raise ConfigError(
            f"the columns {twice} are named twice: a column is a quasi-identifier or kept as it is, once. Choose one."
        )
    if data.num_rows == 0:
        raise DataError("the table has no rows. Check the file and its filters.")
    for name in keep:
        if pa.types.is_nested(get_column(data, name).type):
            raise DataError(
                f"column {name!r} holds lists or structures, which a release cannot be sorted by. Flatten it or leave it out."
            )


def _recode(data: pa.Table, coded: Sequence[CodedColumn], found: SearchResult, keep: Sequence[str]) -> pa.Table:
    """Return the released rows: each quasi-identifier at its level, kept columns as they are, sorted by all of them."""
    keys, _ = combine_codes([column.rows for column in coded], [column.cardinality(0) for column in coded])
    _, tuple_of_row = np.unique(keys, return_inverse=True)
    rows = np.flatnonzero(found.keep[tuple_of_row])
    columns: dict[str, pa.Array] = {}
    for column, level in zip(coded, found.levels, strict=True):
        if level == 0:
            columns[column.name] = get_column(data, column.name).take(pa.array(rows))
        else:
            codes = column.codes[level][column.rows[rows]]
            columns[column.name] = pa.array(column.labels[level - 1], pa.string()).take(pa.array(codes))
    columns |= {name: get_column(data, name).take(pa.array(rows)) for name in keep}
    table = pa.table({name: columns[name] for name in data.column_names if name in columns})
    return table.sort_by([(name, "ascending") for name in table.column_names])


def _digest(form: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
