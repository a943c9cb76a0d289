"""Sampling: only a random share of the rows is released, so that nobody knows whether a person is in it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.perturb.columns import check_names
from tacit.anonymize.perturb.draws import fractions
from tacit.anonymize.perturb.grouping import classes_of, mixed_by_class
from tacit.anonymize.perturb.linkage import Linkage
from tacit.anonymize.perturb.perturbed import Perturbed, check_attacker, check_whole, finish
from tacit.errors import ConfigError
from tacit.noise.source import Source


def sample_rows(
    table: pa.Table, *, fraction: float, within: Sequence[str] = (), source: Source, attacker: Linkage | None = None
) -> Perturbed:
    """Return a random sample of the rows, in their order, without replacement.

    fraction -- each row's chance to be in it, exactly; 0 < fraction < 1. Estimated totals are divided by it.
    within   -- strata: columns whose classes are each sampled by themselves.
    attacker -- whose linkage is measured; by default one who knows every column. A person who is left out counts as a miss.

    Of a class of m rows floor(fraction m) are drawn, and one more with the chance of the remainder. Values stay exact, so whoever is
    in the sample and unique is found: the risk falls by the fraction and no more. Not differential privacy.
    Source: Cochran 1977, Sampling Techniques, chapters 2 and 5.
    Raises ConfigError when the fraction is out of range or no row was drawn.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise ConfigError(
            f"fraction must be > 0 and < 1, got {fraction!r}: it is each row's chance to be released. 0.1 is a start."
        )
    check_whole(table)
    names = check_names(table, [name for name in table.column_names if table[name].null_count < table.num_rows])
    check_attacker(table, attacker, table.column_names)
    kept = draw_rows(classes_of(table, within), fraction, source)
    if not len(kept):
        raise ConfigError(f"a fraction of {fraction} of {table.num_rows} rows drew none. Take a larger one.")
    return finish(
        table,
        table.take(pa.array(kept)),
        names,
        method="sampling" + (" within strata" if within else ""),
        parameters={"fraction": float(fraction), "within": list(within), "weight": 1 / fraction},
        source=source,
        attacker=attacker,
        rows=kept,
    )


def draw_rows(classes: NDArray[np.int64], fraction: float, source: Source) -> NDArray[np.int64]:
    """Return the rows drawn, in order: of each class the stated share; classes -- shape (n,), numbered from 0."""
    sizes = np.bincount(classes)
    wanted = sizes * fraction
    counts = np.floor(wanted) + (fractions(len(sizes), source) < wanted - np.floor(wanted))
    mixed = mixed_by_class(classes, source)
    place = np.arange(len(mixed)) - np.concatenate([[0], np.cumsum(sizes)])[classes[mixed]]
    return np.sort(mixed[place < counts[classes[mixed]]])
