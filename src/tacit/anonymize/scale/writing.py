"""The released file: written beside its final name, and given that name only when it is complete and checked."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tacit.errors import ConfigError
from tacit.privacy.ledger.durable import sync_folder

_PIECE = 1 << 20


def check_target(target: Path) -> None:
    """Raise ConfigError unless `target` can become a Parquet file."""
    if not target.name.lower().endswith((".parquet", ".pq")):
        raise ConfigError(
            f"a release is written as Parquet, got the name {target}. Its readers go by the ending: write .parquet."
        )
    if not target.parent.is_dir():
        raise ConfigError(f"the folder {target.parent} does not exist, so nothing can be written there. Create it first.")
    if target.is_dir():
        raise ConfigError(f"{target} is a folder, and a release is one file. Name a file in it.")


def check_apart(target: Path, sources: Iterable[Path]) -> None:
    """Raise ConfigError when `target` is one of the sources, by whatever name, or would lie among the parts of one."""
    for source in sources:
        if (target.exists() and target.samefile(source)) or target.resolve() == source.resolve():
            raise ConfigError(f"{target} is the input, which is never written to. Name another file for the release.")


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Give a name beside `target`; what is written there becomes `target` when the block ends well, and vanishes otherwise.

    The file is private to its owner (0600) and on disk before it gets its name.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield draft
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(draft, target)
        sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)


def write_parquet(batches: pa.RecordBatchReader, names: Sequence[str], order: Sequence[str], file: Path) -> None:
    """Write the batches, whose columns are those of `names`, with their columns in this order. Holds one batch at a time."""
    places = [names.index(name) for name in order]
    schema = pa.schema([batches.schema.field(place).with_name(names[place]) for place in places])
    with pq.ParquetWriter(file, schema) as writer:
        for batch in batches:
            writer.write_batch(pa.RecordBatch.from_arrays([batch.column(place) for place in places], schema=schema))


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
