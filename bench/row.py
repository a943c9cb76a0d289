"""How every bench speaks: rows of {name, value, unit, goal, met, peer} as JSON, and a table on screen."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

Row = dict[str, Any]


def row(
    name: str,
    value: float,
    unit: str,
    *,
    goal: float | None = None,
    better: Literal["lower", "higher"] = "lower",
    peer: str | None = None,
) -> Row:
    """Return one row; `met` is computed: value <= goal when lower is better, value >= goal when higher is."""
    met = None if goal is None else (value <= goal if better == "lower" else value >= goal)
    return {"name": name, "value": value, "unit": unit, "goal": goal, "met": met, "peer": peer}


def main(bench: str, measure: Callable[[bool], list[Row]], packages: tuple[str, ...] = ("numpy",)) -> None:
    """Parse --quick and --json FILE, call measure(quick), print the rows and write the JSON."""
    parser = argparse.ArgumentParser(prog=f"bench/{bench}.py")
    parser.add_argument("--quick", action="store_true", help="end within a minute; every printed row is still measured")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON here instead of standard output")
    options = parser.parse_args()
    rows = measure(options.quick)
    for one in rows:
        mark = {None: " ", True: "✓", False: "✗"}[one["met"]]
        goal = "" if one["goal"] is None else f"goal {one['goal']:g}"
        print(f"{mark} {one['name']:<58} {one['value']:>12.4g} {one['unit']:<14} {goal}", file=sys.stderr)
    text = json.dumps({"bench": bench, "machine": _machine(packages), "rows": rows}, indent=2)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


def _machine(packages: tuple[str, ...]) -> dict[str, Any]:
    versions = {name: metadata.version(name) for name in packages}
    return {"cores": os.cpu_count(), "processor": _processor(), "versions": {"python": platform.python_version(), **versions}}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
