"""The losses of a release as far as its table shows them: what a manifest may tell.

A loss as the search computes it can tell of rows that are not released: a suppressed row that costs less than everything costs what its
values would have become, the share of a label depends on the ends of a hierarchy that was built from the data, and that of a mean
on the range of its class. Here a suppressed row costs everything, and such columns have no loss at all.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Recoded
from tacit.anonymize.utility.loss import Loss, Score

if TYPE_CHECKING:
    from tacit.anonymize.figures import Figures


def shown_losses(result: "Figures") -> dict[str, float | None]:
    """Return the loss of each quasi-identifier, 0..1, as `Loss()` counts it; None where the table alone does not tell it."""
    shown = _columns(Loss(), result.recoded)
    return {name: float(loss) if _told(result, name) else None for name, loss in zip(result.recoded.names, shown, strict=True)}


def shown_score(result: "Figures") -> Score | None:
    """Return the score of the loss that was minimized; None for other metrics, and where a column's loss is not told.

    A slider below one half makes suppressed rows cost what they would have become: then there is none either.
    """
    form = result.settings["metric"]
    if form["metric"] != "loss" or not all(_told(result, name) for name in result.recoded.names):
        return None
    loss = Loss(**{key: value for key, value in form.items() if key != "metric"})
    if loss.suppression_factor < 1:
        return None
    return loss.combine(_columns(loss, result.recoded), loss.shares_of_weight(result.recoded.names))


def _told(result: "Figures", name: str) -> bool:
    """Return whether labels, number of rows and declared hierarchies determine what the column lost."""
    means = not isinstance(result.settings["recoding"], str) and result.settings["recoding"]["recoding"] == "microaggregation"
    built = result.settings["hierarchies"][name].get("origin") == "data"
    return not (means or built or result.settings["subset"])


def _columns(loss: Loss, recoded: Recoded) -> NDArray[np.float64]:
    """Return the loss of each column, shape (m,), from how many rows have which share: the same whatever order tuples come in."""
    suppressed = recoded.rows - int(recoded.weights[recoded.kept].sum())
    costs = []
    for shares in recoded.shares[recoded.kept].T:
        distinct, place = np.unique(shares, return_inverse=True)
        counts = np.bincount(place, weights=recoded.weights[recoded.kept], minlength=len(distinct))
        costs.append(math.fsum([*(counts * loss.kept_cost(distinct)).tolist(), suppressed]))
    return loss.from_costs(np.array(costs), recoded.rows, recoded.leaf_shares)
