"""A release on disk: the table and its manifest, both whole or neither, and never in the place of another file."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tacit.errors import ConfigError
from tacit.privacy.ledger import durable


def check_target(out: Path, *, inputs: Sequence[Path]) -> Path:
    """Return where the manifest of the release goes.

    Raises ConfigError when the release has no known format, no folder, or would take the place of a file, an input above all.
    """
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise ConfigError(f"the release {str(out)!r} must end in .csv or .parquet, which says how it is written. Rename it.")
    if not out.parent.is_dir():
        raise ConfigError(f"there is no folder {str(out.parent)!r} for the release. Make it, or name another place.")
    manifest = out.with_name(f"{out.name}.manifest.json")
    for path in (out, manifest):
        if any(path.exists() and one.exists() and path.samefile(one) for one in inputs):
            raise ConfigError(f"{path} is what the release is made from, and is never touched. Name another file: --out FILE.")
        if os.path.lexists(path):
            raise ConfigError(
                f"{path} exists already and may hold your work, so it is not overwritten. Name another file: --out FILE."
            )
    return manifest


def write_release(table: pa.Table, out: Path, told: Mapping[str, Any], manifest: Path) -> None:
    """Write both files aside, then give them their names, the table last: nothing half-written is ever seen.

    Raises ConfigError when a name was taken meanwhile, OSError when the disk is full; neither file is there then.
    """
    import pyarrow.csv
    import pyarrow.parquet

    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".tacit-") as folder:
        release, beside = Path(folder) / "table", Path(folder) / "manifest"
        beside.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        if out.suffix.lower() == ".csv":
            pyarrow.csv.write_csv(table, release)
        else:
            pyarrow.parquet.write_table(table, release)
        for path in (release, beside):
            _sync(path)
        _name(beside, manifest)
        try:
            _name(release, out)
        except BaseException:
            manifest.unlink(missing_ok=True)
            raise


def _name(complete: Path, path: Path) -> None:
    if os.path.lexists(path):
        raise ConfigError(
            f"{path} was made meanwhile by something else, so it is not overwritten. Name another file: --out FILE."
        )
    os.rename(complete, path)
    durable.sync_folder(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
