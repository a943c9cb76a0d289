"""How well and how fast personal data is recognized: precision and recall by kind on labelled texts, and time beside Presidio's.

Needs the set presidio-synth in $TACIT_DATA, else in ../shared/data. A labelled span counts as found when a find of its kind overlaps
it, a find as right when it overlaps a labelled span of its kind. The recognizers were written after a look at the labelled texts of
generated_large; those of synth_dataset_v2 were looked at for the first values of each type alone.
Presidio runs from the environment `presidio` in the folder $TACIT_PEERS, without network, on a blank spaCy pipeline:

    python -m venv $TACIT_PEERS/presidio && $TACIT_PEERS/presidio/bin/pip install -r bench/peers/presidio.txt
"""

import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from row import Row, main, row
from tacit.anonymize.identify import identify_columns
from tacit.anonymize.text import Spans, find_spans

SETS = ("generated_large", "synth_dataset_v2")
KINDS = {
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "ssn",
    "PHONE_NUMBER": "phone",
    "EMAIL_ADDRESS": "e-mail",
    "IP_ADDRESS": "ip",
    "DOMAIN_NAME": "url",
    "DATE_TIME": "date",
    "US_DRIVER_LICENSE": "licence",
    "ZIP_CODE": "postcode",
    "AGE": "age",
    "PERSON": "name",
}
"""Labelled types that tacit looks for. Not looked for: addresses, places, organizations, titles, nationalities."""

FASTER = 50
VALUES = 500  # of each column, for Presidio; tacit gets ROWS
ROWS = 20_000
SEED = 20_261_122

Place = tuple[int, int, int, str]


def labelled(name: str) -> tuple[list[str], list[Place]]:
    """Return a set's texts and their labelled spans: text number, start, end, kind; "" for a type that is not looked for."""
    folder = Path(os.environ.get("TACIT_DATA") or Path(__file__).parents[2] / "shared" / "data") / "presidio-synth"
    text = gzip.decompress((folder / f"{name}.json.gz").read_bytes()).decode("utf-8")
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    spans = [
        (number, span["start_position"], span["end_position"], KINDS.get(span["entity_type"], ""))
        for number, one in enumerate(rows)
        for span in one["spans"]
    ]
    return [one["full_text"] for one in rows], spans


def scores(found: list[Place], truth: list[Place]) -> dict[str, tuple[int, float, int, float]]:
    """Return kind -> labelled spans, the share of them found, finds, the share of them right."""
    return {
        kind: (*_overlapping(truth, found, kind), *_overlapping(found, truth, kind))
        for kind in dict.fromkeys(KINDS.values())
        if any(one[3] == kind for one in truth)
    }


def _overlapping(some: list[Place], others: list[Place], kind: str) -> tuple[int, float]:
    near = defaultdict(list)
    for row_, start, end, of in others:
        if of == kind:
            near[row_].append((start, end))
    asked = [one for one in some if one[3] == kind]
    hit = sum(any(start < two and one < end for one, two in near[row_]) for row_, start, end, _ in asked)
    return len(asked), hit / max(len(asked), 1)


def columns(rows: int) -> pa.Table:
    """Return invented columns of the kinds that both know, every value another one."""
    random = np.random.default_rng(SEED)
    digits = [f"{number:016d}" for number in random.choice(10**15, rows, replace=False)]
    return pa.table(
        {
            "a": [f"{one[-6:]}{place}@example.org" for place, one in enumerate(digits)],
            "b": [f"+44 20 {one[-8:-4]} {one[-4:]}" for one in digits],
            "c": [f"4{one[1:]}" for one in digits],
            "d": [f"GB{one[2:4]}ABCD{one[2:]}" for one in digits],
            "e": [f"10.{int(one[3:9]) % 256}.{int(one[9:12]) % 256}.{int(one[12:]) % 256}" for one in digits],
            "f": [f"{1900 + int(one[8:10])}-{int(one[10:12]) % 12 + 1:02d}-{int(one[12:14]) % 28 + 1:02d}" for one in digits],
            "g": [f"{one[1:4]}-{one[4:6]}-{one[6:10]}" for one in digits],
            "h": [f"http://example.org/{one}" for one in digits],
        }
    )


def seconds(action: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(quick: bool) -> list[Row]:
    rows: list[Row] = []
    table = columns(ROWS)
    texts = [text for name in SETS for text in labelled(name)[0]]
    few = VALUES // 10 if quick else VALUES
    values = [one for name in table.column_names for one in table[name][:few].to_pylist()]
    theirs = _presidio(texts[:: 20 if quick else 1], values)
    for name in SETS:
        rows += _quality(name)
    if not quick and not isinstance(theirs, str):
        rows += _their_quality(theirs)
    repeats = 3 if quick else 7
    of_columns = seconds(lambda: identify_columns(table), repeats) / (table.num_rows * table.num_columns)
    of_texts = seconds(lambda: find_spans(texts), repeats) / len(texts)
    rows.append(row("recognize a column, time per value", of_columns * 1e6, "us"))
    rows.append(row("search a text, time per text", of_texts * 1e6, "us"))
    rows += _beside(theirs, of_columns, of_texts)
    return rows


def _quality(name: str) -> Iterator[Row]:
    texts, truth = labelled(name)
    for kind, (spans, recall, finds, precision) in scores(_places(find_spans(texts)), truth).items():
        yield row(f"{name}: {kind}, recall of {spans}", recall, "share")
        if finds:
            yield row(f"{name}: {kind}, precision of {finds}", precision, "share")
    other = SETS[1 - SETS.index(name)]
    with_list = find_spans(texts, kinds=["name"], names=_names(other))
    spans, recall, finds, precision = scores(_places(with_list), truth)["name"]
    yield row(f"{name}: name, listed are those of {other}, recall of {spans}", recall, "share")
    yield row(f"{name}: name, listed are those of {other}, precision of {finds}", precision, "share")


def _their_quality(theirs: dict[str, Any]) -> Iterator[Row]:
    peer, first = f"Presidio ({theirs['version']})", 0
    for name in SETS:
        texts, truth = labelled(name)
        found = [(number - first, *rest) for number, *rest in theirs["spans"] if first <= number < first + len(texts)]
        first += len(texts)
        for kind, (spans, recall, finds, precision) in scores(found, truth).items():
            yield row(f"{name}: {kind}, Presidio's recall of {spans}", recall, "share", peer=peer)
            if finds:
                yield row(f"{name}: {kind}, Presidio's precision of {finds}", precision, "share", peer=peer)


def _places(spans: Spans) -> list[Place]:
    return [(one.row, one.start, one.end, one.kind) for one in spans]


def _names(name: str) -> list[str]:
    texts, truth = labelled(name)
    return [texts[place][start:end] for place, start, end, kind in truth if kind == "name"]


def _presidio(texts: list[str], values: list[str]) -> Any:
    """Return what Presidio finds and how long it takes, or the reason why it did not run."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "given.json"
        file.write_text(json.dumps({"texts": texts, "values": values}), encoding="utf-8")
        try:
            return _in_its_environment(file) | {"texts": len(texts), "values": len(values)}
        except RuntimeError as reason:
            return str(reason)


def _in_its_environment(file: Path) -> dict[str, Any]:
    python = Path(os.environ.get("TACIT_PEERS", "")) / "presidio" / "bin" / "python"
    if not ("TACIT_PEERS" in os.environ and python.exists()):
        raise RuntimeError("no environment 'presidio' in $TACIT_PEERS")
    command = [str(python), "-m", "peers.with_presidio", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=Path(__file__).parent, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1])
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _beside(theirs: Any, of_columns: float, of_texts: float) -> Iterator[Row]:
    if isinstance(theirs, str):
        print(f"Presidio not run: {theirs}", file=sys.stderr)
        yield row(f"Presidio, not run: {theirs}"[:120], 1, "failure", peer="Presidio")
        return
    peer = f"Presidio ({theirs['version']})"
    value, text = theirs["seconds_values"] / theirs["values"], theirs["seconds_texts"] / theirs["texts"]
    yield row("Presidio, time per value", value * 1e6, "us", peer=peer)
    yield row("Presidio, time per text", text * 1e6, "us", peer=peer)
    yield row("columns: Presidio / tacit, time per value", value / of_columns, "ratio", goal=FASTER, better="higher", peer=peer)
    yield row("texts: Presidio / tacit, time per text", text / of_texts, "ratio", peer=peer)


if __name__ == "__main__":
    main("recognition", measure, packages=("numpy", "pyarrow"))
