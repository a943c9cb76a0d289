"""Made-up tables, and bounds on what chance does to them."""

import math
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.special import ndtr

from tacit.anonymize.perturb import Linkage

FEW = Linkage(targets=1)
"""For tests that look at values and not at risk."""


@cache
def people(rows: int, seed: int = 0) -> pa.Table:
    """Return rows of age (whole, 18 to 89), income (fraction; correlated with age), town (text) and score (with gaps)."""
    generator = np.random.default_rng(seed)
    age = generator.integers(18, 90, rows)
    income = age * 500.0 + generator.normal(0, 8000, rows)
    town = generator.choice(["Kiel", "Jena", "Gera"], rows, p=[0.6, 0.3, 0.1])
    score = pa.array(generator.normal(0, 1, rows), mask=generator.random(rows) < 0.2)
    return pa.table({"age": age, "income": income, "town": town, "score": score})


def values(table: pa.Table, name: str) -> Any:
    """Return a numeric column as float64, NaN where missing."""
    return table.column(name).cast(pa.float64()).to_numpy()


def largest_cdf_gap(drawn: Any, scale: float) -> float:
    """Return Kolmogorov's distance of values from N(0, scale^2)."""
    ordered, n = np.sort(np.asarray(drawn)), len(drawn)
    expected = ndtr(ordered / scale)
    ranks = np.arange(1, n + 1) / n
    return float(max(np.abs(expected - ranks).max(), np.abs(expected - ranks + 1 / n).max()))


def dkw(n: int, chance: float) -> float:
    """Return what Kolmogorov's distance of n draws stays below but with this chance (Dvoretzky-Kiefer-Wolfowitz-Massart, any n)."""
    return math.sqrt(math.log(2 / chance) / (2 * n))


def hoeffding(n: int, chance: float, *, events: int = 1) -> float:
    """Return what n draws in [0, 1] have their mean within, of all of `events` such means, but with this chance."""
    return math.sqrt(math.log(2 * events / chance) / (2 * n))
