"""LKC-privacy: an attacker who knows only some of the quasi-identifiers."""

from collections import Counter
from itertools import combinations

import numpy as np

from tacit.anonymize.verify.columns import number_rows, number_values, plain
from tacit.anonymize.verify.evidence import Evidence
from tacit.anonymize.verify.sizes import exactly


def lkc(evidence: Evidence, column: str, l: int, k: int, c: float) -> list[str]:  # noqa: E741 - the model's own letter
    """Rows equal in any 1 to l quasi-identifiers are at least k, no value in more than a share c (Mohammed et al. 2009)."""
    if column in evidence.quasi or column not in evidence.released.column_names:
        return [f"column {column!r} is not a sensitive column of the release"]
    released, most = evidence.released, exactly(c)
    columns = [plain(released.column(name)) for name in evidence.quasi]
    values, names = number_values(plain(released.column(column)))
    groups = bad = 0
    for size in range(1, min(l, len(columns)) + 1):
        for known in combinations(columns, size):
            group_of, count = number_rows(known, released.num_rows)
            rows = np.bincount(group_of, minlength=count).tolist()
            largest: Counter[int] = Counter()
            pairs, counts = np.unique(group_of * max(len(names), 1) + values, return_counts=True)
            for group, held in zip((pairs // max(len(names), 1)).tolist(), counts.tolist(), strict=True):
                largest[group] = max(largest[group], held)
            groups += count
            bad += sum(total < k or largest[group] > most * total for group, total in enumerate(rows))
    return (
        [f"{bad} of {groups} groups equal in at most {l} quasi-identifiers have fewer than {k} rows or tell a value"]
        if bad
        else []
    )
