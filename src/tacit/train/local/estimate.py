"""What a server learned from reports, how far off it may be, and what each person was promised."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tacit.privacy.guarantee import Guarantee


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Estimate:
    """An unbiased estimate from local reports. It costs nothing further: it is made of reports alone.

    values          -- shape () or (d,), read-only.
    standard_errors -- same shape and unit: of the estimate around what the same people's own values would give.
    people          -- number of reports.
    guarantee       -- each person's, for the one report that person sent; None when the reports protect nobody.
    """

    values: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    people: int
    guarantee: Guarantee | None

    def __post_init__(self) -> None:
        for name in ("values", "standard_errors"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
