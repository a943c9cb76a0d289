"""The scan of a table: one finding per column."""

from collections.abc import Callable, Iterable

import pyarrow as pa

from tacit.anonymize.identify import guesses
from tacit.anonymize.identify.finding import ColumnFinding, combined
from tacit.anonymize.identify.recognizers.names import NameList
from tacit.tables.schema import Role

_TEXTS = 2_000
"""Distinct values of a free-text column that are searched inside, the first in the order of the table."""


def identify_columns(
    data: pa.Table, *, names: Iterable[str] = (), on_progress: Callable[[int, int], None] | None = None
) -> tuple[ColumnFinding, ...]:
    """Return one finding per column, in the order of the table; the same table gives the same findings.

    names       -- names of people to look for, first, last or whole; compared without case and accents.
    on_progress -- called with (columns done, columns in all).
    """
    listed = NameList.of(names)
    findings = []
    for done, (name, column) in enumerate(zip(data.column_names, data.columns, strict=True), start=1):
        findings.append(_finding(guesses.look(name, column), listed))
        if on_progress:
            on_progress(done, data.num_columns)
    labels = [finding.column for finding in findings if finding.role is Role.LABEL]
    return tuple(_several_labels(one) if len(labels) > 1 and one.role is Role.LABEL else one for one in findings)


def _finding(sight: guesses.Sight, names: NameList | None) -> ColumnFinding:
    text = guesses.is_free_text(sight)
    found = [
        *guesses.by_name(sight),
        *guesses.by_list(sight, None if text else names),
        *guesses.by_shape(sight),
        *(guesses.by_text(sight, _inside(sight.values[:_TEXTS], names)) if text else ()),
        *guesses.by_distinctness(sight),
        *guesses.by_type(sight),
    ]
    return combined(sight.name, found)


def _inside(texts: pa.Array, names: NameList | None) -> dict[str, float]:
    """Return kind -> share of the texts that hold it, the most frequent first, then by name."""
    from tacit.anonymize.text.find import find_spans  # which itself needs the recognizers of this package

    shares = find_spans(texts, names=names).shares(len(texts))
    return dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))


def _several_labels(finding: ColumnFinding) -> ColumnFinding:
    reasons = (*finding.reasons, "more than one column has such a name, so none is taken for the label")
    return ColumnFinding(column=finding.column, role=Role.FEATURE, kind="", confidence=0.3, reasons=reasons)
