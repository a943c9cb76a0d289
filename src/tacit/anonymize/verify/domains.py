"""How much of a column's domain a released value covers, from the JSON form of its hierarchy."""

import datetime
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.anonymize.verify.columns import number_values, plain, plain_table
from tacit.anonymize.verify.evidence import Domains, Evidence
from tacit.anonymize.verify.labels import ANY, Form, labels_of, last_level
from tacit.anonymize.verify.recoding import Recoding
from tacit.errors import PrivacyError


def covered_domains(released: pa.Table, quasi: Sequence[str], recoding: Recoding) -> Domains:
    """Return what the released quasi-identifiers cover, for `verify_release` of rows in which numbers stand for their values.

    released -- distinct released rows, or all, in the order of the rows that will be verified: classes are numbered by their first row.
    Raises PrivacyError as `domains_of` does.
    """
    shown = plain_table(released.select(list(quasi)))
    return domains_of(Evidence(released=shown, quasi=tuple(quasi), rows=shown.num_rows), recoding, None)


def domains_of(evidence: Evidence, recoding: Recoding | None, population: pa.Table | None) -> Domains:
    """Return the sizes of the quasi-identifiers' domains, and the share of each that the classes' released values cover.

    population -- a table in raw values that was recoded together with the original; None: there was none.
    Raises PrivacyError where a value has no level of its own.
    """
    if recoding is None or recoding.levels is None or recoding.means or recoding.cell_limit is not None:
        raise PrivacyError("what a released value covers is known at declared levels alone")
    first = np.unique(evidence.class_of, return_index=True)[1]
    sizes, columns = [], []
    for name in evidence.quasi:
        form, level = recoding.hierarchies[name], recoding.levels[name]
        raw = plain(recoding.original.column(name))
        seen = raw if population is None else pa.concat_arrays([raw, plain(population.column(name)).cast(raw.type)])
        size = _leaves(form) or len(number_values(seen)[1])
        shown = plain(evidence.released.column(name)).take(pa.array(first)).to_pylist()
        share = _share(form, level, raw)
        sizes.append(size)
        columns.append([1.0 if value == ANY and level == last_level(form) else max(share(value), 1 / size) for value in shown])
    return Domains(sizes=sizes, shares=list(zip(*columns, strict=True)))


def _leaves(form: Form) -> int | None:
    """Return how many raw values a hierarchy knows; None for numbers and dates, of which the data's distinct ones count."""
    if "rows" in form:
        return len(form["rows"])
    return int(form["alphabet"]) ** int(form["length"]) if "redact" in form else None


def _share(form: Form, level: int, raw: pa.Array) -> Callable[[Any], float]:
    """Return the share of the domain that a value released at a level below the last covers; of a missing or raw one, one leaf's.

    A label that the data cannot have got is taken to cover all.
    """
    leaf = 1 / (_leaves(form) or math.inf)
    if not 0 < level < last_level(form):
        return lambda value: leaf
    if "rows" in form:
        under = Counter(row[level] for row in form["rows"])
        return lambda value: leaf if value is None else under[value] * leaf
    if "redact" in form:
        covered = float(form["alphabet"]) ** int(form["redact"][level - 1]) * leaf
        return lambda value: leaf if value is None else covered
    parts = _of_days(form, level) if "units" in form else _of_numbers(form, level, raw)
    return lambda value: leaf if value is None else parts.get(value, 1.0)


def _of_days(form: Form, level: int) -> dict[str, float]:
    """Count the days between the bounds by the label of their period."""
    first, last = (datetime.date.fromisoformat(form[end]).toordinal() for end in ("first", "last"))
    days = pa.array([datetime.date.fromordinal(day) for day in range(first, last + 1)], pa.date32())
    return {label: count / len(days) for label, count in Counter(labels_of(days, form, level)).items()}


def _of_numbers(form: Form, level: int, raw: pa.Array) -> dict[str, float]:
    """Return the width of each interval that holds a value of the data, over that of the bounds."""
    known = raw.unique().drop_null()
    cuts: Sequence[float] = [float(cut) for cut in form["cuts"][level - 1]]
    edges = [float(form["low"]), *cuts, float(form["high"])]
    places = [bisect_right(cuts, float(value)) for value in known.to_pylist()]
    widths = [(edges[place + 1] - edges[place]) / (edges[-1] - edges[0]) for place in places]
    return dict(zip(labels_of(known, form, level), widths, strict=True))
