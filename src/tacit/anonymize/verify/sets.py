"""Set-valued data: a column of lists, each the set of items of one record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pyarrow as pa

from tacit.anonymize.verify.columns import word
from tacit.anonymize.verify.evidence import Evidence
from tacit.anonymize.verify.verification import Verification


def verify_sets(
    released: pa.Array | pa.ChunkedArray,
    *,
    require: Sequence[Mapping[str, Any]],
    original: pa.Array | pa.ChunkedArray | None = None,
    tree: Sequence[Sequence[str]] | None = None,
) -> Verification:
    """Return whether a released column of lists keeps its promise.

    require  -- [{"model": "km-anonymity", "k": 5, "m": 2}]; any other requirement is a problem.
    original -- the records before, in the same order, with `tree` (a row per item, from the item to "*"): when given, also checks
                that each released set is the original one with each item as one node of its row, the same for all records.
    """
    checks, problems = [str(form.get("model")) for form in require], [] if require else ["no privacy model was required"]
    records = _records(released)
    if records is None:
        return Verification(checks=tuple(checks), problems=("the release is no column of lists, or an item of one is missing",))
    for form in require:
        problems += km_problems(form, records)
    if original is not None or tree is not None:
        checks.append("recoding")
        problems += _recoding_problems(records, _records(original), tree)
    return Verification(checks=tuple(checks), problems=tuple(problems))


def km_anonymity(evidence: Evidence, k: int, m: int) -> list[str]:
    """The quasi-identifiers that are columns of lists are km-anonymous; a problem when there is none."""
    columns = [records for name in evidence.quasi if (records := _records(evidence.released.column(name))) is not None]
    form = {"model": "km-anonymity", "k": k, "m": m}
    if not columns:
        return ["no quasi-identifier is a column of lists, so km-anonymity has nothing to hold for"]
    return [problem for records in columns for problem in km_problems(form, records)]


def km_problems(form: Mapping[str, Any], records: Sequence[frozenset[str]]) -> list[str]:
    """Every combination of at most m items that some record holds is held by at least k (Terrovitis et al. 2008)."""
    whole = all(isinstance(form.get(name), int) and not isinstance(form.get(name), bool) for name in ("k", "m"))
    if set(form) != {"model", "k", "m"} or form["model"] != "km-anonymity" or not whole or form["k"] < 1 or form["m"] < 1:
        return [f"the requirement {form.get('model')!r} with the keys {sorted(form)} is not one this check knows of sets"]
    problems = []
    distinct = Counter(records)
    for size in range(1, form["m"] + 1):
        support: Counter[tuple[str, ...]] = Counter()
        for record, times in distinct.items():
            for items in combinations(sorted(record), size):
                support[items] += times
        rare = sum(times < form["k"] for times in support.values())
        if rare:
            problems.append(f"{rare} of {len(support)} combinations of {size} items are held by fewer than {form['k']} records")
    return problems


def _records(column: Any) -> list[frozenset[str]] | None:
    """Return each record as a set of texts, a missing one as the empty set; None when the column is no column of lists."""
    if column is None or not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return None
    records = [frozenset() if items is None else frozenset(items) for items in column.to_pylist()]
    if any(None in record for record in records):
        return None
    return [frozenset(word(item) for item in record) for record in records]


def _recoding_problems(
    released: Sequence[frozenset[str]], original: Sequence[frozenset[str]] | None, tree: Sequence[Sequence[str]] | None
) -> list[str]:
    """One node of its row stands for each item, in all records; an item is never left out, none is invented."""
    if original is None or tree is None or len(original) != len(released):
        return ["the original records, as many as the released ones, and the tree are not at hand"]
    row_of = {row[0]: set(row) for row in tree}
    shown_as: dict[str, set[str]] = {}
    for before, after in zip(original, released, strict=True):
        for item in before:
            shown_as[item] = shown_as.get(item, row_of.get(item, set())) & after
    lost = sum(not nodes for nodes in shown_as.values())
    if lost:
        return [f"{lost} of {len(shown_as)} items have no node that stands for them in every record that holds them"]
    bad = sum(
        not all(any(shown in shown_as[item] for item in before) for shown in after)
        for before, after in zip(original, released, strict=True)
    )
    return [f"{bad} released records hold an item that stands for none of their own"] if bad else []
