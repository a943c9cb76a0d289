"""A release on disk: the table and its manifest, both whole or neither, and never in the place of another file."""

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tacit.cli.release_drafts import Stop, clear_dead, draft_folder, stopping
from tacit.errors import ConfigError
from tacit.privacy.ledger import durable

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # FAT and some network drives know no second name


def check_target(out: Path, *, inputs: Sequence[Path]) -> Path:
    """Return where the manifest of the release goes; what a killed run left beside it is cleared away first.

    Raises ConfigError when the release has no known format, no folder, or would take the place of a file, an input above all.
    """
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise ConfigError(f"the release {str(out)!r} must end in .csv or .parquet, which says how it is written. Rename it.")
    if not out.parent.is_dir():
        raise ConfigError(f"there is no folder {str(out.parent)!r} for the release. Make it, or name another place.")
    clear_dead(out.parent)
    manifest = out.with_name(f"{out.name}.manifest.json")
    for path in (out, manifest):
        if any(path.exists() and one.exists() and path.samefile(one) for one in inputs):
            raise ConfigError(f"{path} is what the release is made from, and is never touched. Name another file: --out FILE.")
        if os.path.lexists(path):
            raise ConfigError(
                f"{path} exists already and may hold your work, so it is not overwritten. Name another file: --out FILE."
            )
    return manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A release that has no name yet. table -- where its table is to be written; out, manifest -- what the two will be called."""

    table: Path
    out: Path
    manifest: Path
    stop: Stop

    def finish(self, told: Mapping[str, Any]) -> None:
        """Write the manifest beside the table, which is whole, and give both their names: the manifest's first, the table's last.

        No file system names two files at once. In this order a table is never seen without its manifest, and a manifest without its
        table, which is all that a kill between the two can leave, promises nothing and is removed by the next release into that folder.
        """
        beside = self.table.with_name(self.manifest.name)
        beside.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        for path in (self.table, beside):
            _sync(path)
        with self.stop.held():
            _name(beside, self.manifest)
            try:
                _name(self.table, self.out)
            except BaseException:
                self.manifest.unlink(missing_ok=True)
                raise


@contextmanager
def drafted(out: Path, manifest: Path, *, source: Path | None = None) -> Iterator[Draft]:
    """Give a draft of the release, which is gone when the block ends, whether or not it got its names in `finish`.

    source -- the file that is read meanwhile, if any.
    Raises ConfigError when a name was taken meanwhile, OSError when the disk is full; neither file is there then, nor a draft.
    A signal to stop ends it likewise, before the first has its name or after both have.
    """
    with stopping() as stop, draft_folder(out.parent, stop) as folder:
        try:
            yield Draft(table=folder / out.name, out=out, manifest=manifest, stop=stop)
        except OSError as error:  # a reader knows the release's name, not the draft's
            if source is not None and str(error.filename) == str(source):
                raise
            raise OSError(error.errno, error.strerror or str(error), str(out)) from None


def write_release(table: pa.Table, out: Path, told: Mapping[str, Any], manifest: Path) -> None:
    """Write both files aside and whole, then give them their names. Raises as `drafted` does."""
    with drafted(out, manifest) as draft:
        _write_table(table, draft.table)
        draft.finish(told)


def _write_table(table: pa.Table, path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    if path.suffix.lower() == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path)


def _name(complete: Path, path: Path) -> None:
    """Give a complete draft its name, durably, unless the name is taken."""
    try:
        os.link(complete, path)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise _taken(path) from None
        os.rename(complete, path)
    durable.sync_folder(path.parent)


def _taken(path: Path) -> ConfigError:
    return ConfigError(f"{path} was made meanwhile by something else, so it is not overwritten. Name another file: --out FILE.")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
