"""What a release is worth by every measure, beside the original: for a view of before and after."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tacit.anonymize.classes import Recoded
from tacit.anonymize.utility.class_sizes import AverageClassSize, Discernibility
from tacit.anonymize.utility.distribution import KullbackLeibler
from tacit.anonymize.utility.entropy import NonUniformEntropy
from tacit.anonymize.utility.loss import Loss
from tacit.anonymize.utility.precision import PrecisionLoss
from tacit.anonymize.utility.query_error import QueryError
from tacit.models.finding import Basis, Finding

_UNITS = {
    "loss": ("share", "loss (NCP)", "mean over columns of the share of the domain that a value covers (Ghinita et al. 2007)"),
    "precision": ("share", "precision lost", "mean level / top level (Sweeney 2002)"),
    "discernibility": (
        "",
        "discernibility",
        "sum of squared class sizes, and n for each suppressed row (Bayardo & Agrawal 2005)",
    ),
    "average_class_size": ("rows", "average class size", "LeFevre et al. 2006, as ARX computes it"),
    "entropy": ("bits", "non-uniform entropy", "bits to restore all values from the released ones (Gionis & Tassa 2009)"),
    "divergence": ("bits", "Kullback-Leibler divergence", "of the rows from what a reader of the release would assume"),
    "query_error": ("share", "error of counts", "mean relative error of 1,000 random counts over two columns (Xiao & Tao 2006)"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Utility:
    """What one table has lost, by each measure; less is better. Exact statistics of private rows: for the custodian.

    rows -- input rows. loss, precision -- 0..1. discernibility -- rows^2. average_class_size -- rows. entropy -- bits over all
    rows and columns. divergence -- bits. query_error -- mean relative error. Each by its metric's defaults (see their classes).
    """

    rows: int
    loss: float
    precision: float
    discernibility: float
    average_class_size: float
    entropy: float
    divergence: float
    query_error: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def findings(self, when: str) -> tuple[Finding, ...]:
        """Return the figures as findings; `when` tells tables apart in their names: "before", "after"."""
        return tuple(
            Finding(
                kind="anonymization-utility",
                name=f"{shown}, {when}",
                value=getattr(self, name),
                unit=unit,
                basis=Basis.EXACT,
                method=method,
                n=self.rows,
                details={"when": when},
            )
            for name, (unit, shown, method) in _UNITS.items()
        )


def measure_utility(recoded: Recoded) -> Utility:
    """Return what a recoding lost by each measure; recoded -- of an `Anonymization`, or found again by `pair_tables`."""

    def score(metric: Any) -> float:
        return float(metric.score(recoded))

    return Utility(
        rows=recoded.rows,
        loss=score(Loss()),
        precision=score(PrecisionLoss()),
        discernibility=score(Discernibility()),
        average_class_size=score(AverageClassSize()),
        entropy=score(NonUniformEntropy()),
        divergence=score(KullbackLeibler()),
        query_error=score(QueryError()),
    )


def unchanged(recoded: Recoded) -> Recoded:
    """Return the same tuples as they were before: raw values, all released."""
    tuples = len(recoded.weights)
    return replace(
        recoded,
        kept=np.ones(tuples, dtype=np.bool_),
        class_of=np.arange(tuples),
        generalized=recoded.codes,
        shares=np.tile(recoded.leaf_shares, (tuples, 1)),
        levels=np.zeros_like(recoded.levels),
    )
