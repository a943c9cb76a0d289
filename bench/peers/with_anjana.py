"""anjana on Adult, 8 quasi-identifiers: seconds of its own k-anonymity, the levels it chose and the rows it left out, as JSON."""

import argparse
import json
import time
from importlib import metadata
from pathlib import Path

import pandas as pd
from anjana.anonymity import k_anonymity_inner  # type: ignore[import-not-found, unused-ignore]


def run(folder: Path, k: int, suppression_percent: float) -> dict[str, object]:
    """Return one run's figures. Reading the files is not counted."""
    data = pd.read_csv(folder / "adult.csv.gz", sep=";")
    quasi = [name for name in data.columns if name != "salary-class"]
    hierarchies = {}
    for name in quasi:
        rows = pd.read_csv(folder / f"adult_hierarchy_{name}.csv", sep=";", header=None, dtype=str)
        rows[0] = rows[0].astype(data[name].dtype)
        hierarchies[name] = {level: rows[level].values for level in rows.columns}  # a row per value, its fastest form
    started, cpu = time.perf_counter(), time.process_time()
    released, suppressed, levels = k_anonymity_inner(data, [], quasi, k, suppression_percent, hierarchies)
    return {
        "wall": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "rows": len(released),
        "suppressed": int(suppressed),
        "levels": {name: int(levels.get(name, 0)) for name in quasi},
        "version": metadata.version("anjana"),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--k", type=int, required=True)
    parser.add_argument("--percent", type=float, required=True)
    options = parser.parse_args()
    print(json.dumps(run(options.folder, options.k, options.percent)))
