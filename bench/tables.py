"""Seconds to read and profile a CSV file of 1,000,000 rows and 15 columns of the kinds a survey has."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from row import Row, main, row
from tacit.tables import in_training, profile, read_table

ROWS = 1_000_000
SEED = 20_240_917


def survey(rows: int, seed: int) -> pa.Table:
    """Return invented answers: numbers, codes with leading zeros, categories, dates, names, e-mail and telephone, a free note."""
    random = np.random.default_rng(seed)

    def pick(values: list[str], missing: float = 0.0) -> pa.Array:
        chosen = pa.array(values).take(pa.array(random.integers(0, len(values), rows)))
        return pa.compute.if_else(pa.array(random.random(rows) < missing), pa.scalar("?" if missing else ""), chosen)

    def digits(width: int) -> pa.Array:
        return pa.compute.utf8_lpad(pa.array(random.integers(0, 10**width, rows)).cast(pa.string()), width, "0")

    words = ["asked", "twice", "about", "the", "answer", "and", "left", "early", "today", "happy"]
    person = pa.array(np.arange(rows)).cast(pa.string())
    columns = {
        "id": person,
        "name": pa.compute.binary_join_element_wise(
            pick(["Ann", "Bo", "Cy", "Di"]), pick(["Ash", "Birch", "Cedar"]), person, " "
        ),
        "email": pa.compute.binary_join_element_wise(pa.scalar("p"), person, pa.scalar("@example.org"), ""),
        "phone": pa.compute.binary_join_element_wise(pa.scalar("+1 555 "), digits(7), ""),
        "postcode": digits(5),
        "born": pa.compute.binary_join_element_wise(pick([str(year) for year in range(1920, 2005)]), digits(2), "-"),
        "age": pa.array(random.integers(17, 91, rows)),
        "income": pa.array(np.round(random.lognormal(10, 1, rows), 2)),
        "hours": pa.array(random.integers(1, 100, rows)),
        "weight": pa.array(random.integers(10_000, 1_500_000, rows)),
        "sex": pick(["Female", "Male"]),
        "work": pick([f"occupation {number}" for number in range(15)], missing=0.06),
        "country": pick([f"country {number}" for number in range(41)], missing=0.02),
        "note": pa.compute.binary_join_element_wise(pick(words), pick(words), pick(words), pick(words), " "),
        "answer": pick(["no", "yes"]),
    }
    return pa.table(columns)


def seconds(action: Callable[[], Any], repeats: int) -> float:
    """Return the median wall time of `repeats` calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(quick: bool) -> list[Row]:
    repeats = 3 if quick else 9
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "survey.csv"
        pa.csv.write_csv(survey(ROWS, SEED), file)
        megabytes = file.stat().st_size / 1e6
        data = read_table(file)
        print(f"{data.num_rows} rows, {data.num_columns} columns, {megabytes:.0f} MB", file=sys.stderr)
        read = seconds(lambda: read_table(file), repeats)
        profiled = seconds(lambda: profile(data), repeats)
        split = seconds(lambda: in_training(data.column("id"), key=bytes(32), fraction=0.8), repeats)
        bare = seconds(lambda: pa.csv.read_csv(file), repeats)
    return [
        row("read 1,000,000 rows x 15 columns of CSV", read, "s"),
        row("the same by pyarrow.csv alone (codes lose their zeros)", bare, "s", peer="pyarrow"),
        row("profile them", profiled, "s"),
        row("read and profile", read + profiled, "s", goal=10.0),
        row("split them by keyed hash", split, "s"),
    ]


if __name__ == "__main__":
    main("tables", measure, packages=("numpy", "pyarrow"))
