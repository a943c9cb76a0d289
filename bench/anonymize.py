"""Anonymizing Adult as ARX publishes it (8 quasi-identifiers, 4% suppression, loss by geometric mean), beside ARX and anjana.

Times are of the processor, one thread, of the whole call: coding, exact search with proof, recoding, independent check. ARX's
figures are those published for 3.9.2 (warm, output included). anjana runs in the same run, in an environment of its own:

    python -m venv $TACIT_PEERS/anjana && $TACIT_PEERS/anjana/bin/pip install -r bench/peers/anjana.txt

Then local recodings against that optimum, and 15 quasi-identifiers of ARX's credit card table under a time limit (60 s; 10 s with
--quick, which also leaves out anjana's k = 10 and takes fewer repetitions). Needs the set arx in $TACIT_DATA, else in ../shared/data.
"""

import io
import os
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv

from peers.contest import in_own_process
from row import Row, main, row
from tacit.anonymize.coding import code_table, distinct_tuples
from tacit.anonymize.hierarchies import Hierarchy, TreeHierarchy
from tacit.anonymize.privacy_models import KAnonymity
from tacit.anonymize.recoding import as_recoded, full_domain
from tacit.anonymize.release import Anonymization, anonymize
from tacit.anonymize.utility import downstream_accuracy
from tacit.anonymize.utility.loss import Loss

LIMIT = 0.04
LOSS = Loss(aggregate="geometric mean")
ARX = {5: (1.16, 1.0, 0.2608358758), 10: (0.73, 0.7, 0.3160667403)}  # k: seconds, goal, loss
TARGET = "salary-class"


def measure(quick: bool) -> list[Row]:
    folder = Path(os.environ.get("TACIT_DATA") or Path(__file__).parents[2] / "shared" / "data") / "arx"
    if not folder.exists():
        print("anonymize: not run, the data set arx is not there", file=sys.stderr)
        return [row("not run: the data set arx is not there", 1, "failure")]
    adult = csv.read_csv(folder / "adult.csv.gz", parse_options=csv.ParseOptions(delimiter=";"))
    trees: dict[str, Hierarchy] = {
        name: TreeHierarchy.from_csv(folder / f"adult_hierarchy_{name}.csv") for name in adult.column_names
    }
    quasi: dict[str, Hierarchy] = {name: tree for name, tree in trees.items() if name != TARGET}
    rows: list[Row] = []
    for k in ARX:
        rows += _optimum(adult, quasi, k, quick)
        rows += _anjana(adult, quasi, k, folder, rows) if k == 5 or not quick else ()
        rows += _local(adult, quasi, k)
    rows += _nine(adult, trees)
    return rows + list(_many(folder, quick))


def _optimum(adult: pa.Table, quasi: dict[str, Hierarchy], k: int, quick: bool) -> Iterator[Row]:
    theirs, goal, loss = ARX[k]

    def run() -> Anonymization:
        return anonymize(adult, quasi=quasi, require=[KAnonymity(k)], keep=[TARGET], suppression_limit=LIMIT, minimize=LOSS)

    run()
    seconds, result = _processor(run, 3 if quick else 9)
    yield row(f"k = {k}: exact optimum, whole call", seconds, "s", goal=goal)
    yield row(f"k = {k}: ARX, published, warm", theirs, "s", peer="ARX 3.9.2")
    yield row(f"k = {k}: |loss - ARX's optimum|", abs(float(str(result.score)) - loss), "loss", goal=1e-10)
    yield row(f"k = {k}: loss", float(str(result.score)), "loss")
    yield row(f"k = {k}: rows suppressed", result.suppressed, "rows")
    yield row(f"k = {k}: nodes counted, of {result.nodes:,}", result.checked, "nodes")


def _anjana(adult: pa.Table, quasi: dict[str, Hierarchy], k: int, folder: Path, rows: list[Row]) -> Iterator[Row]:
    python = Path(os.environ.get("TACIT_PEERS", "")) / "anjana" / "bin" / "python"
    try:
        if not ("TACIT_PEERS" in os.environ and python.exists()):
            raise RuntimeError("no environment 'anjana' in $TACIT_PEERS")
        arguments = ["--folder", str(folder.resolve()), "--k", str(k), "--percent", str(100 * LIMIT)]
        theirs = in_own_process("peers.with_anjana", arguments, timeout=300, python=str(python))
    except RuntimeError as reason:
        print(f"anjana not run: {reason}", file=sys.stderr)
        yield row(f"k = {k}: anjana, not run: {reason}"[:120], 1, "failure", peer="anjana")
        return
    peer = f"anjana {theirs['version']}"
    ours = next(one["value"] for one in rows if one["name"] == f"k = {k}: exact optimum, whole call")
    yield row(f"k = {k}: anjana, k-anonymity alone", theirs["cpu"], "s", peer=peer)
    yield row(f"k = {k}: anjana's time / tacit's", theirs["cpu"] / ours, "times", goal=5.0, better="higher", peer=peer)
    yield row(f"k = {k}: anjana, loss", _loss_at(adult, quasi, theirs["levels"], k), "loss", peer=peer)
    yield row(f"k = {k}: anjana, rows suppressed", theirs["suppressed"], "rows", peer=peer)


def _loss_at(adult: pa.Table, quasi: dict[str, Hierarchy], levels: dict[str, int], k: int) -> float:
    """Return the loss of Adult at these levels with classes below k rows left out."""
    coded = code_table(adult, quasi)
    tuples = distinct_tuples(coded)
    recoding = full_domain(coded, tuples, tuple(levels[name] for name in quasi))
    recoded = as_recoded(coded, tuples, recoding)
    sizes = [0] * (int(recoded.class_of.max()) + 1)
    for number, weight in zip(recoded.class_of.tolist(), recoded.weights.tolist(), strict=True):
        sizes[number] += weight
    recoded.kept[:] = [sizes[number] >= k for number in recoded.class_of]
    return float(str(LOSS.score(recoded)))


def _local(adult: pa.Table, quasi: dict[str, Hierarchy], k: int) -> Iterator[Row]:
    for how in ("local", "mondrian"):
        seconds, result = _processor(
            lambda how=how: anonymize(  # type: ignore[misc]
                adult,
                quasi=quasi,
                require=[KAnonymity(k)],
                keep=[TARGET],
                suppression_limit=LIMIT,
                minimize=LOSS,
                recoding=how,
            ),
            1,
        )
        score = float(str(result.score))
        yield row(f"k = {k}: {how}, loss", score, "loss")
        yield row(
            f"k = {k}: {how}, loss saved of the full-domain optimum", 1 - score / ARX[k][2], "share", goal=0.4, better="higher"
        )
        yield row(f"k = {k}: {how}, whole call", seconds, "s")
        learnt = downstream_accuracy(adult, result.table, origin=result.origins, features=list(quasi), target=TARGET)
        yield row(f"k = {k}: {how}, accuracy of a classifier on originals", learnt.original, "share")
        yield row(
            f"k = {k}: {how}, accuracy lost by training on the release", learnt.original - learnt.released, "share", goal=0.01
        )


def _nine(adult: pa.Table, trees: dict[str, Hierarchy]) -> Iterator[Row]:
    seconds, result = _processor(
        lambda: anonymize(adult, quasi=trees, require=[KAnonymity(5)], suppression_limit=LIMIT, minimize=LOSS), 1
    )
    yield row(f"k = 5: nine quasi-identifiers, {result.nodes:,} nodes, whole call", seconds, "s")


def _many(folder: Path, quick: bool) -> Iterator[Row]:
    """15 quasi-identifiers: 14 billion nodes, ended by the time limit with a gap that was proved."""
    cards = csv.read_csv(folder / "creditcard_int.csv.gz", parse_options=csv.ParseOptions(delimiter=";"))
    with zipfile.ZipFile(folder / "genetic_benchmark_hierarchies.zip") as files:
        quasi = {name: _tree(files.read(f"creditcard_int_hierarchy_{name}.csv")) for name in cards.column_names[:15]}
    limit = 10.0 if quick else 60.0
    started = time.perf_counter()
    result = anonymize(cards, quasi=quasi, require=[KAnonymity(10)], suppression_limit=LIMIT, minimize=LOSS, time_limit=limit)
    what = f"15 quasi-identifiers, {result.nodes:,} nodes"
    yield row(
        f"{what}: whole call with a limit of {limit:g} s for the search", time.perf_counter() - started, "s", goal=limit + 10
    )
    yield row(f"{what}: loss, best found", float(str(result.score)), "loss")
    yield row(f"{what}: proved gap to the optimum", -1.0 if result.gap is None else result.gap, "loss")
    yield row(f"{what}: nodes counted", result.checked, "nodes")


def _tree(text: bytes) -> TreeHierarchy:
    return TreeHierarchy(
        rows=tuple(tuple(line.strip().split(";")) for line in io.TextIOWrapper(io.BytesIO(text)) if line.strip())
    )


def _processor(run: Callable[[], Anonymization], times: int) -> tuple[float, Any]:
    """Return the median seconds of processor time of a call, and its last result."""
    taken = []
    for _ in range(times):
        started = time.process_time()
        result = run()
        taken.append(time.process_time() - started)
    return statistics.median(taken), result


if __name__ == "__main__":
    main("anonymize", measure, packages=("numpy", "pyarrow"))
