"""Synthetic Adult at epsilon 1: mean error over all 2- and 3-way marginals, beside that of independent columns at the same price.

Error: total variation between the marginal of the synthetic rows and of the original ones, both 32,561 rows of all 15 columns in
declared bins. Independent columns: all 1-way histograms in one Gaussian release of the whole budget, rows drawn by the same code.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow.csv
from numpy.typing import NDArray

from row import Row, main, row
from tacit.anonymize.private import AIM, MST, Domain, private_histograms, synthesize
from tacit.anonymize.private.descent import Measured, fitted
from tacit.anonymize.private.marginals import Marginals
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.tables import Bounds, Categories, Column, Kind, Role, Schema, Table

EPSILON, DELTA, DEGREES = 1.0, 1e-5, (2, 3)

BINS: dict[str, list[float]] = {
    "age": [17, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90],
    "fnlwgt": [0, 50_000, 100_000, 150_000, 200_000, 250_000, 300_000, 400_000, 500_000, 1_500_000],
    "education-num": [float(edge) for edge in range(1, 18)],
    "capital-gain": [0, 1, 2_500, 5_000, 7_500, 10_000, 15_000, 20_000, 50_000, 100_000],
    "capital-loss": [0, 1, 1_000, 1_500, 1_750, 2_000, 2_500, 5_000],
    "hours-per-week": [1, 10, 20, 30, 35, 40, 41, 45, 50, 55, 60, 70, 80, 100],
}
"""Bins that a reader of the census questionnaire could have written down."""


def adult(folder: Path) -> tuple[Table, Domain]:
    """Return Adult's training rows and their declared domain; its categories are those of the data set's public description."""
    data = pyarrow.csv.read_csv(folder / "adult" / "adult_train.csv.gz")
    columns = []
    for name in data.column_names:
        if name in BINS:
            bounds = Bounds(low=BINS[name][0], high=BINS[name][-1])
            columns.append(Column(name=name, role=Role.FEATURE, kind=Kind.NUMERIC, bounds=bounds))
            continue
        values = sorted(value for value in data.column(name).unique().to_pylist() if value not in (None, "", "?"))
        columns.append(Column(name=name, role=Role.FEATURE, kind=Kind.CATEGORICAL, categories=Categories(values=tuple(values))))
    schema = Schema.of(columns)
    return Table.from_arrow(data, schema), Domain.of(schema, data.column_names, bins=BINS, whole=list(BINS))


def mean_errors(real: Marginals, made: NDArray[np.int64]) -> dict[int, float]:
    """Return, by degree, the mean total variation over all marginals of so many columns."""
    synthetic = Marginals(codes=made, sizes=real.sizes)
    errors = {}
    for degree in DEGREES:
        gaps = [
            float(np.abs(real.counts(one) / len(real.codes) - synthetic.counts(one) / len(made)).sum()) / 2
            for one in combinations(range(len(real.sizes)), degree)
        ]
        errors[degree] = statistics.fmean(gaps)
    return errors


def measure(quick: bool) -> list[Row]:
    folder = Path(os.environ.get("TACIT_DATA") or Path(__file__).parents[2] / "shared" / "data")
    table, domain = adult(folder)
    real = Marginals(codes=domain.encode(table), sizes=domain.sizes)

    def independent(ledger: Ledger, source: SeededSource) -> NDArray[np.int64]:
        single = [[name] for name in domain.names]
        released = private_histograms(
            table, domain, single, epsilon=EPSILON, delta=DELTA, ledger=ledger, budget="adult", source=source
        )
        measured = [
            Measured(attributes=(place,), values=one.counts, deviation=one.deviation)
            for place, one in enumerate(released.histograms)
        ]
        return fitted(domain.sizes, measured, total=table.n_rows, iterations=300).sample(table.n_rows, source)

    def by(method: AIM | MST) -> Callable[[Ledger, SeededSource], NDArray[np.int64]]:
        def made(ledger: Ledger, source: SeededSource) -> NDArray[np.int64]:
            synthetic = synthesize(
                table, domain, epsilon=EPSILON, delta=DELTA, ledger=ledger, budget="adult", method=method, source=source
            )
            return synthetic.model.sample(table.n_rows, source)

        return made

    contest = {"independent": independent, "MST": by(MST()), "AIM": by(AIM())}
    rows, means = [], dict[str, dict[int, float]]()
    for name, make in contest.items():
        found, seconds = [], []
        for seed in range(1 if quick else 3):
            with (
                tempfile.TemporaryDirectory() as scratch,
                Ledger.open(Path(scratch) / "ledger.db", key_folder=Path(scratch)) as ledger,
            ):
                ledger.grant("adult", epsilon=EPSILON, delta=DELTA)
                start = time.perf_counter()
                made = make(ledger, SeededSource(seed))
                seconds.append(time.perf_counter() - start)
            found.append(mean_errors(real, made))
        means[name] = {degree: statistics.fmean(one[degree] for one in found) for degree in DEGREES}
        rows += [row(f"{name}: mean total variation, all {degree}-way", means[name][degree], "TV") for degree in DEGREES]
        rows.append(row(f"{name}: wall time", statistics.median(seconds), "s"))
    for name in ("MST", "AIM"):
        for degree in DEGREES:
            ratio = means[name][degree] / means["independent"][degree]
            rows.append(row(f"{name} / independent, all {degree}-way", ratio, "ratio", goal=0.5 if name == "AIM" else None))
    return rows


if __name__ == "__main__":
    main("synthetic", measure, packages=("numpy", "pyarrow"))
