"""Linkability: find out that two sets of facts are about one person, by the released rows that look like either."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.risk.attacks.nearness import Nearness, blocks, nearness
from tacit.anonymize.risk.attacks.rates import Attack
from tacit.anonymize.risk.attacks.targets import draw, together
from tacit.errors import ConfigError

_TIE = 1e-9


def linkability(
    original: pa.Table,
    released: pa.Table,
    control: pa.Table | None = None,
    *,
    known: tuple[Sequence[str], Sequence[str]],
    hierarchies: Mapping[str, Hierarchy] | None = None,
    neighbours: int = 1,
    attacks: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Attack:
    """Return how often an attacker who holds two separate records of a person finds that they belong together.

    known      -- the columns of the one record and those of the other; none in both.
    neighbours -- for each record the attacker takes this many nearest released rows, ties broken at random; a success is a row
                  that is in both sets. At least 1.
    original    -- the people of the release; control -- others like them, who are not in it: without them the rate stands alone,
                   and no residual risk is known.
    hierarchies -- of generalized columns; attacks -- on each table, at most its rows; seed draws them and breaks ties.
    Source: Giomi et al. 2023, section 4.2.
    """
    first, second = known
    if set(first) & set(second) or neighbours < 1:
        raise ConfigError(
            f"the two records must share no column and neighbours must be >= 1, got {list(first)}, {list(second)} and {neighbours}. "
            "A shared column would link them without any release."
        )
    people = together(original, control, [*first, *second])
    sides = [nearness(people, released, names, hierarchies or {}) for names in (first, second)]
    generator = np.random.default_rng(seed)
    targets = draw(original, control, attacks, generator)
    linked = [_linked(sides, rows, min(neighbours, released.num_rows), generator) for rows in targets]
    return Attack(
        attack="linkability",
        assumption=f"the attacker holds {', '.join(first)} and {', '.join(second)} of a person in two records",
        successes=int(linked[0].sum()),
        attacks=len(linked[0]),
        control_successes=int(linked[1].sum()),
        control_attacks=len(linked[1]),
        confidence=confidence,
    )


def _linked(
    sides: Sequence[Mapping[str, Nearness]], rows: NDArray[np.int64], neighbours: int, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Return for each person whether the nearest rows of both records share one, shape (len(rows),)."""
    size = len(next(iter(sides[0].values())).released)
    found = []
    for part in blocks(rows, size):
        chosen = []
        for side in sides:
            apart = generator.random((len(part), size)) * _TIE  # each record breaks its own ties
            for column in side.values():
                apart += column.distances(part)
            chosen.append(np.argpartition(apart, neighbours - 1, axis=1)[:, :neighbours])
        found.append((chosen[0][:, :, None] == chosen[1][:, None, :]).any(axis=(1, 2)))
    return np.concatenate(found)
