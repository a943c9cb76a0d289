"""Writes a commented study file after looking at a table: suggestions as values, what was seen as comments.

Nothing that a mechanism would take as public is copied from the data: bounds, categories and the number of rows are left for
someone who knows them without looking.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tacit.anonymize import ColumnFinding, identify_columns
from tacit.errors import ConfigError
from tacit.privacy.ledger import durable
from tacit.tables import ColumnProfile, Kind, Role, profile, read_table

_HEAD = """\
# A study for {data}, written by `tacit init`. Read it, declare what is missing, then:
#   tacit check {out}
#   tacit ledger grant ledger.sqlite {name} --epsilon 3 --delta 1e-5      (the data owner's decision)
#   tacit run {out}
# Comments that start with "seen" are exact statistics of private rows: delete them before you share this file.
# Bounds, categories and the number of rows are public inputs of the guarantee. Declare them from what you know about the
# questionnaire, the law or the world, never from the data.

[study]
name = "{name}"

[data]
path = {path}
# rows = ...                   # declare the number of people; seen: {rows}
{id}
{encoding}
"""

_TAIL = """\
[anonymize]
k = 5
suppression_limit = 0.05

{train}
[ledger]
path = "ledger.sqlite"
dataset = "{name}"
"""

_TRAIN = """\
{off}[train]                        # a model that predicts the label, with differential privacy for one row
{off}epsilon = 3.0
{off}delta = 1e-5
"""


def write_study(data: Path, out: Path, *, encoding: str | None = None) -> list[str]:
    """Write a study file for the table at `data` and return what is left to declare, a line each.

    encoding -- of a text file; UTF-8 by default.
    Raises DataError when the data cannot be read, ConfigError when `out` exists.
    """
    table = read_table(data, encoding=encoding)
    if out.exists():
        raise ConfigError(
            f"{out} exists already and may hold your work, so it was not overwritten. Give another name: --out FILE."
        )
    found = {column.column: column for column in identify_columns(table)}
    profiles = list(profile(table))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", data.name.split(".")[0]).strip("-._") or "study"
    text = _HEAD.format(
        data=data.name,
        out=out.name,
        name=name,
        path=_quoted(_relative(data, out)),
        rows=table.num_rows,
        id=_id_line(profiles, found),
        encoding=f"encoding = {_quoted(encoding)}\n" if encoding else "",
    )
    text += "\n" + "\n".join("\n".join(_column(one, found[one.name])) + "\n" for one in profiles)
    label = any(column.role is Role.LABEL for column in found.values())
    text += "\n" + _TAIL.format(name=name, train=_TRAIN.format(off="" if label else "# "))
    durable.replace(out, text.encode())  # 0600: its comments hold exact statistics
    return _to_declare(profiles, found, label)


def _column(one: ColumnProfile, found: ColumnFinding) -> Iterator[str]:
    yield f"[columns.{_key(one.name)}]"
    why = f"{found.kind} ({'; '.join(found.reasons)})" if found.kind else "nothing points to personal data"
    yield f'role = "{found.role.value}"'.ljust(30) + f" # {why}"
    if found.role is Role.IDENTIFIER:
        yield '# treat = "pseudonymize"'.ljust(30) + " # a keyed one-way token; dropped when this line stays a comment"
        if one.kind is not Kind.CATEGORICAL:
            yield f'kind = "{one.kind.value}"'
        return
    yield f'kind = "{one.kind.value}"'.ljust(30) + f" # seen: {one.distinct} different values, {one.missing} missing"
    if found.role in (Role.IGNORE, Role.UNIT) or one.kind is Kind.TEXT:
        return
    if one.kind is Kind.NUMERIC:
        yield "# bounds = [LOW, HIGH]".ljust(30) + f" # declare; seen: {one.minimum} to {one.maximum}"
    else:
        seen = ", ".join(_quoted(str(value)) for value, _ in one.top)
        yield "# categories = [...]".ljust(30) + f" # declare; seen: {seen}{', ...' if one.distinct > len(one.top) else ''}"
    if found.role is Role.QUASI:
        example = "{ widths = [5, 10, 20] }" if one.kind is Kind.NUMERIC else "{ groups = { some = [...], others = [...] } }"
        yield f"# hierarchy = {example}".ljust(30) + " # how it is made coarser; a default is used without it"


def _to_declare(profiles: list[ColumnProfile], found: dict[str, ColumnFinding], label: bool) -> list[str]:
    lines = ["[data] rows: the number of people, as publicly known"]
    for one in profiles:
        if found[one.name].role in (Role.QUASI, Role.SENSITIVE, Role.FEATURE, Role.LABEL) and one.kind is not Kind.TEXT:
            lines.append(f"[columns.{_key(one.name)}] {'bounds' if one.kind is Kind.NUMERIC else 'categories'}")
    if not label:
        lines.append('the label, if a model is wanted: give one column role = "label" and uncomment [train]')
    return lines


def _id_line(profiles: list[ColumnProfile], found: dict[str, ColumnFinding]) -> str:
    names = [one.name for one in profiles if one.distinct == one.n and found[one.name].role is Role.IDENTIFIER]
    return (
        f"id = {_quoted(names[0])}".ljust(30) + " # names a row, for the keyed split"
        if names
        else "# id = ...".ljust(30) + " # a column that names each row"
    )


def _relative(data: Path, out: Path) -> str:
    try:
        return data.resolve().relative_to(out.resolve().parent).as_posix()
    except ValueError:
        return data.resolve().as_posix()


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _quoted(text: str) -> str:
    """Return a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in escaped) + '"'
