"""Singling out: a description, made up from the release alone, that fits exactly one person."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import as_text, get_column
from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.risk.attacks.nearness import Nearness, Numbers, nearness
from tacit.anonymize.risk.attacks.rates import Attack
from tacit.anonymize.risk.attacks.targets import check_tries, draw, together
from tacit.errors import ConfigError

_DRAWN_FOR_EACH = 4

Description = tuple[int, tuple[str, ...]]
"""A released row and the columns of it that are said."""


def singling_out(
    original: pa.Table,
    released: pa.Table,
    control: pa.Table | None = None,
    *,
    columns: Sequence[str],
    width: int = 3,
    hierarchies: Mapping[str, Hierarchy] | None = None,
    attacks: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Attack:
    """Return how often a description taken from the release fits exactly one person.

    The attacker describes a random released row by `width` random columns (or all, where there are fewer): a number at or beyond
    the row's, away from the release's median; otherwise a value that the row's stands for. Of four times as many descriptions
    those that fit the fewest released rows are tried, no two the same. A success fits exactly one person. As that depends on how
    many people there are, original and control are first brought to one size by a random draw.

    original    -- the people of the release; control -- others like them, who are not in it: without them the rate stands alone,
                   and no residual risk is known.
    hierarchies -- of generalized columns; attacks -- descriptions tried (fewer when there are fewer).
    Source: Giomi et al. 2023, section 4.1 (multivariate).
    """
    if width < 1:
        raise ConfigError(f"a description needs width >= 1, got {width}: it would fit everyone. Use 3.")
    check_tries(attacks)
    people = together(original, control, columns)
    near = nearness(people, released, columns, hierarchies or {})
    generator = np.random.default_rng(seed)
    crowd = original.num_rows if control is None else min(original.num_rows, control.num_rows)
    sides = draw(original, control, crowd, generator)
    tried = _descriptions(released, near, min(width, len(columns)), attacks, generator)
    alone = [[int(_fits(near, description, rows).sum()) == 1 for description in tried] for rows in sides]
    return Attack(
        attack="singling out",
        assumption=f"the attacker sees the release and describes people by {min(width, len(columns))} of {', '.join(columns)}",
        successes=sum(alone[0]),
        attacks=len(tried),
        control_successes=sum(alone[1]),
        control_attacks=0 if control is None else len(tried),
        confidence=confidence,
    )


def _descriptions(
    released: pa.Table, near: Mapping[str, Nearness], width: int, attacks: int, generator: np.random.Generator
) -> list[Description]:
    """Return at most `attacks` different descriptions, those that fit the fewest released rows first."""
    names, texts = list(near), {name: get_column(released, name).to_pylist() for name in near}
    drawn: dict[tuple[tuple[str, str], ...], Description] = {}
    for _ in range(_DRAWN_FOR_EACH * attacks):
        row = int(generator.integers(released.num_rows))
        said = tuple(names[i] for i in sorted(generator.choice(len(names), width, replace=False)))
        drawn.setdefault(tuple((name, as_text(texts[name][row])) for name in said), (row, said))
    within = nearness(released, released, names, {})
    every = np.arange(released.num_rows)
    counted = [(int(_fits(within, description, every).sum()), place) for place, description in enumerate(drawn.values())]
    listed = list(drawn.values())
    return [listed[place] for _, place in sorted(counted)[:attacks]]


def _fits(near: Mapping[str, Nearness], description: Description, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which people a description fits, shape (len(rows),)."""
    row, said = description
    fits = np.ones(len(rows), dtype=np.bool_)
    for name in said:
        column = near[name]
        if isinstance(column, Numbers):
            value, people = column.released[row], column.people[rows]
            if np.isnan(value):
                fits &= np.isnan(people)
            else:
                fits &= people >= value if value >= column.middle else people <= value
        else:
            fits &= column.apart[column.people[rows], column.released[row]] == 0
    return fits
