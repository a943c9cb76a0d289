"""Shuffling: columns are dealt anew among the rows, or among the rows of each class."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column
from tacit.anonymize.perturb.columns import check_names, with_columns
from tacit.anonymize.perturb.grouping import classes_of, mixed_by_class
from tacit.anonymize.perturb.linkage import Linkage
from tacit.anonymize.perturb.perturbed import Perturbed, check_attacker, check_whole, finish
from tacit.errors import ConfigError
from tacit.noise.source import Source


def shuffle(
    table: pa.Table,
    columns: Sequence[str],
    *,
    within: Sequence[str] = (),
    together: bool = True,
    source: Source,
    attacker: Linkage | None = None,
) -> Perturbed:
    """Return the table with the values of columns permuted among rows, missing ones included.

    within   -- columns whose values make the classes: rows trade only with rows that are equal in all of them, so what the columns
                say about each class stays. By default all rows are one class.
    together -- whether the columns move as one, keeping what they say about each other; else each is permuted by itself.
    attacker -- whose linkage is measured; by default one who knows the shuffled columns.

    Every permutation is equally likely, and the marginals stay exactly. A row alone in its class keeps its values: the parameters say
    how many do. Not differential privacy.
    Raises ConfigError when a column is both shuffled and a class, or no class has two rows.
    """
    names = check_names(table, columns)
    check_whole(table)
    check_attacker(table, attacker, table.column_names)
    both = [name for name in within if name in names]
    if both:
        raise ConfigError(f"the columns {both} are to be shuffled and to make the classes: they cannot do both. Choose one.")
    classes = classes_of(table, within)
    alone = int((np.bincount(classes)[classes] == 1).sum())
    if alone == table.num_rows:
        raise ConfigError(
            f"every one of the {alone} rows is alone in its class of {list(within)}, so nothing would move. Shuffle within fewer columns."
        )
    order = _order(classes, source)
    made = {}
    for at, name in enumerate(names):
        if at and not together:
            order = _order(classes, source)
        made[name] = get_column(table, name).take(pa.array(order))
    return finish(
        table,
        with_columns(table, made),
        names,
        method="shuffling" + (" within classes" if within else ""),
        parameters={"columns": list(names), "within": list(within), "together": together, "rows_alone_in_their_class": alone},
        source=source,
        attacker=attacker,
    )


def _order(classes: NDArray[np.int64], source: Source) -> NDArray[np.int64]:
    """Return, for each row, the row of its class that it takes its values from: a random permutation of each class."""
    order = np.empty(len(classes), dtype=np.int64)
    order[np.argsort(classes, kind="stable")] = mixed_by_class(classes, source)
    return order
