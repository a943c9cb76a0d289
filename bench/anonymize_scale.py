"""Seconds and memory to release a Parquet file of up to 10,000,000 rows and 8 quasi-identifiers to k = 10; Parquet in and out.

Two tables of each size, both drawn from ARX's Adult (in $TACIT_DATA, else in ../shared/data) and released with its hierarchies,
4% suppression: "adult" draws whole rows, so distinct tuples stay at 18,109; "independent" draws every column for itself, so new
tuples keep coming. Every release runs in a process of its own; its peak memory is the process's, DuckDB and search together.
At 10,000,000 rows each adult tuple has over 200 rows and k = 10 asks for no generalization: independent is the hard one.
--quick stops at 100,000 rows. Both tables take two threads; wall time depends on what else runs, CPU time hardly.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from row import Row, main, row

NAMES = ("sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation")
SEED = 20_261_122
PIECE = 1_000_000
GIB = 2**30


def data_folder() -> Path:
    return Path(os.environ.get("TACIT_DATA") or Path(__file__).parents[2] / "shared" / "data") / "arx"


def pieces(rows: int, *, independent: bool) -> Iterator[pa.Table]:
    """Yield a table of so many rows, a piece at a time."""
    options = pyarrow.csv.ParseOptions(delimiter=";")
    adult = pyarrow.csv.read_csv(data_folder() / "adult.csv.gz", parse_options=options).select(list(NAMES))
    random = np.random.default_rng(SEED)
    for start in range(0, rows, PIECE):
        count = min(PIECE, rows - start)
        if independent:
            yield pa.table({name: adult.column(name).take(_draw(random, adult, count)) for name in NAMES})
        else:
            yield adult.take(_draw(random, adult, count))


def _draw(random: np.random.Generator, adult: pa.Table, count: int) -> pa.Array:
    return pa.array(random.integers(0, adult.num_rows, count))


def write(file: Path, rows: int, *, independent: bool) -> None:
    writer = None
    for piece in pieces(rows, independent=independent):
        writer = writer or pq.ParquetWriter(file, piece.schema)
        writer.write_table(piece)
    if writer:
        writer.close()


def peak_memory() -> int:
    """Return the most bytes this process has held; getrusage would count what the process before it held."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def release(source: str, target: str) -> dict[str, Any]:
    """Release one file in this process and return what it took; wall and CPU seconds leave out starting Python."""
    from tacit.anonymize import KAnonymity, TreeHierarchy, outcome
    from tacit.anonymize.scale import anonymize_file
    from tacit.anonymize.scale import release as module

    hierarchies = {name: TreeHierarchy.from_csv(data_folder() / f"adult_hierarchy_{name}.csv") for name in NAMES}
    search, seconds = outcome.recode, [0.0]

    def timed(*arguments: Any, **named: Any) -> Any:
        start = time.process_time()
        found = search(*arguments, **named)
        seconds[0] = time.process_time() - start
        return found

    setattr(module, "recode", timed)  # noqa: B010 -- what is timed is the search as the release calls it
    start, cpu = time.perf_counter(), time.process_time()
    result = anonymize_file(
        source, target, quasi=hierarchies, require=[KAnonymity(10)], suppression_limit=0.04, memory_limit=4 * GIB, threads=2
    )
    return {
        "wall": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "search": seconds[0],
        "memory": peak_memory() / GIB,
        "tuples": result.tuples,
        "score": result.score,
        "optimal": result.optimal,
    }


def released_apart(source: Path) -> dict[str, Any]:
    """Release a file in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--release", str(source), str(source.with_name("released.parquet"))]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return dict(json.loads(done.stdout))


def measure(quick: bool) -> list[Row]:
    largest = 100_000 if quick else 10_000_000
    rows: list[Row] = []
    for table in ("adult", "independent"):
        size = 10_000
        while size <= largest:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "people.parquet"
                write(file, size, independent=table == "independent")
                took = released_apart(file)
            goals = {"wall": 60.0, "memory": 8.0} if size == 10_000_000 else {}
            name = f"{size:,} rows, {table}"
            rows += [
                row(f"{name}: distinct tuples", took["tuples"], "tuples"),
                row(f"{name}: to the released file", took["wall"], "s", goal=goals.get("wall")),
                row(f"{name}: the same in CPU time", took["cpu"], "s CPU"),
                row(f"{name}: of it the search", took["search"], "s CPU"),
                row(f"{name}: peak memory", took["memory"], "GiB", goal=goals.get("memory")),
            ]
            size *= 10
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--release"]:
        print(json.dumps(release(*sys.argv[2:4])))
    else:
        main("anonymize_scale", measure, packages=("numpy", "pyarrow", "duckdb", "ibis-framework"))
