"""Missing as a wildcard: which released rows somebody may be, when a missing or suppressed cell can be anything.

The rows that somebody may be, whatever the missing values of that person are, are the rows that leave out at least the same
cells and agree in all they tell: the least over everything a missing value could be. So a row with a missing age counts for the
rows that tell one, never they for it; counted both ways, local suppression misses k (sdcMicro issue 225).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

Cells = tuple[str | None, ...]
_NOTHING_TOLD = (None, "*")


def covering_rows(classes: Sequence[Cells], rows: Sequence[int]) -> list[int]:
    """Return for each class, given by its cells, how many rows anybody of it may be whatever its missing cells are."""
    held: dict[tuple[int, ...], Counter[Cells]] = defaultdict(Counter)
    for cells, count in zip(classes, rows, strict=True):
        told = _told(cells)
        held[told][_only(cells, told)] += count
    return [sum(held[told][_only(cells, told)] for told in held) for cells in classes]


def covering_values(classes: Sequence[Cells], values: Sequence[set[int]]) -> list[set[int]]:
    """Return for each class the values that occur in the rows anybody of it may be."""
    held: dict[tuple[int, ...], dict[Cells, set[int]]] = defaultdict(dict)
    for cells, found in zip(classes, values, strict=True):
        told = _told(cells)
        held[told].setdefault(_only(cells, told), set()).update(found)
    return [set().union(*(held[told].get(_only(cells, told), set()) for told in held)) for cells in classes]


def _told(cells: Cells) -> tuple[int, ...]:
    """Return the places of the cells that tell something."""
    return tuple(place for place, cell in enumerate(cells) if cell not in _NOTHING_TOLD)


def _only(cells: Cells, places: tuple[int, ...]) -> Cells:
    """Return the cells at some places; where one of them tells nothing, no row that tells all of these places is like it."""
    return tuple(cells[place] for place in places)
