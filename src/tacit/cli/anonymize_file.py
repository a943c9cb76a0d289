"""`tacit anonymize --memory-limit`: a file that need not fit into memory, which a database reads piece by piece."""

from collections.abc import Mapping
from typing import Any

from tacit.anonymize.scale import anonymize_file
from tacit.anonymize.scale.profile import first_rows
from tacit.cli.anonymize_asked import Asked, Made
from tacit.cli.anonymize_options import refuse_identifiers
from tacit.cli.anonymize_remarks import remarks
from tacit.cli.anonymize_view import searching
from tacit.cli.release_files import drafted
from tacit.errors import ConfigError

_LOOKED_AT = 100_000
"""Rows in which columns released as they are must not be seen to name people; what is remarked of columns is of these."""


def check_file_options(asked: Asked, alone: Mapping[str, Any]) -> None:
    """Raise ConfigError for a request that takes the whole table in memory. alone -- options that do, None where not given."""
    for option, value in alone.items():
        if value is not None:
            raise ConfigError(
                f"{option} needs the whole table in memory, and --memory-limit reads it piece by piece, so one of the two would be ignored. "
                "Leave one out."
            )
    if asked.out.suffix.lower() != ".parquet":
        raise ConfigError(
            f"with --memory-limit the release is written as Parquet, got --out {str(asked.out)!r}. It may be too large for anything else. "
            "Name a .parquet file."
        )
    if asked.data.is_dir() and asked.out.parent.samefile(asked.data):
        raise ConfigError(
            f"--out {str(asked.out)!r} lies in the folder that is read, and would be taken for a part of the table next time. Name a file "
            "in another folder."
        )


def release_file(asked: Asked, memory_limit: int) -> Made:
    """Anonymize the file with a database of `memory_limit` bytes, record the release, and give it and its manifest their names.

    The file is drafted first, as the entry holds its hash; whatever fails after the entry, that stays, and no file does.
    """
    first = first_rows(asked.data, _LOOKED_AT, memory_limit=memory_limit)
    refuse_identifiers(first, asked.shown_as_is)
    with drafted(asked.out, asked.manifest, source=asked.data) as draft:
        with searching(silent=asked.silent) as moved:
            result = anonymize_file(
                asked.data,
                draft.table,
                quasi={name: asked.declared.get(name) for name in asked.quasi},
                memory_limit=memory_limit,
                on_progress=moved,
                **asked.settings,
            )
        told, book = result.manifest(), asked.book
        if book is not None:
            told["ledger"] = book.record(result)
        draft.finish(told)
    released = {*asked.quasi, *asked.shown_as_is}
    return Made(
        figures=result,
        told=told,
        automatic=result.automatic,
        left_out=[name for name in first.column_names if name not in released],
        remarks=remarks(first, asked.quasi, asked.shown_as_is, first=_LOOKED_AT),
        where=f"by {result.backend}, piece by piece",
    )
