"""The released file: written beside its final name, and given that name only when it is complete and checked."""

import hashlib
import os
import secrets
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from tacit.errors import ConfigError
from tacit.privacy.ledger.durable import link, sync_folder

_PIECE = 1 << 20


def check_target(target: Path, *, overwrite: bool) -> None:
    """Raise ConfigError unless `target` can become a Parquet file; one that is there only when it may be replaced."""
    if not target.name.lower().endswith((".parquet", ".pq")):
        raise ConfigError(
            f"a release is written as Parquet, got the name {target}. Its readers go by the ending: write .parquet."
        )
    if not target.parent.is_dir():
        raise ConfigError(f"the folder {target.parent} does not exist, so nothing can be written there. Create it first.")
    if target.is_dir():
        raise ConfigError(f"{target} is a folder, and a release is one file. Name a file in it.")
    if not overwrite and os.path.lexists(target):
        raise _taken(target)


def check_apart(target: Path, sources: Iterable[Path], folder: Path | None) -> None:
    """Raise ConfigError when `target` is one of the sources, by whatever name, or would lie among them in the folder that is read."""
    if folder is not None and target.parent.samefile(folder):
        raise ConfigError(
            f"{target} lies in the folder that is read, and would be taken for a part of the table next time. Name a file in another folder."
        )
    for source in sources:
        if (target.exists() and target.samefile(source)) or target.resolve() == source.resolve():
            raise ConfigError(f"{target} is the input, which is never written to. Name another file for the release.")


def _taken(target: Path) -> ConfigError:
    return ConfigError(
        f"{target} exists already and may hold your work, so it is not replaced. Nothing was released. "
        "Name another file, or say overwrite=True."
    )


@contextmanager
def unfinished(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a name beside `target`; what is written there becomes `target` when the block ends well, and vanishes otherwise.

    The file is private to its owner (0600) and on disk before it gets its name.
    Raises ConfigError when the name was taken meanwhile and may not be.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield draft
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        if overwrite:
            os.replace(draft, target)
            sync_folder(target.parent)
        elif not link(draft, target):
            raise _taken(target)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM (exit code 143) and Ctrl-C end the block as exceptions do, so that what holds private rows is removed.

    Where the program handles SIGTERM itself its handler stays, and outside the main thread Python can set none.
    DuckDB hands on an exception raised in the middle of a query as the cause of a RuntimeError; here it is itself again.
    """
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__cause__, SystemExit | KeyboardInterrupt):
            raise error.__cause__ from None
        raise
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, frame: Any) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # a second one must not stop the cleaning up
    raise SystemExit(128 + number)


def write_parquet(
    batches: pa.RecordBatchReader, names: Sequence[str], order: Sequence[str], types: Mapping[str, pa.DataType], file: Path
) -> None:
    """Write the batches, whose columns are those of `names`, with their columns in this order. Holds one batch at a time.

    types -- of the columns that are not written in the type that the batches have.
    """
    places = [names.index(name) for name in order]
    schema = pa.schema(
        [(name, types.get(name, batches.schema.field(place).type)) for name, place in zip(order, places, strict=True)]
    )
    with pq.ParquetWriter(file, schema) as writer:
        for batch in batches:
            columns = [batch.column(place).cast(one) for place, one in zip(places, schema.types, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
