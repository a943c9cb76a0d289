"""From a study file to checked settings, with errors that name the line and the key that was meant."""

import difflib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from tacit.errors import ConfigError, TacitError
from tacit.study.settings import StudySettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """A checked study file. Paths in it are relative to the file's folder."""

    path: Path
    settings: StudySettings

    def beside(self, name: str) -> Path:
        """Return a path that the study names, relative to the study file."""
        return self.path.parent / name

    def with_epsilon(self, epsilon: float) -> "Study":
        """Return the study with another epsilon for this release. Raises ConfigError when it does not train or epsilon <= 0."""
        if self.settings.train is None:
            raise ConfigError(f"--epsilon was given, but {self.path} has no [train] table, so nothing would use it.")
        if not epsilon > 0:
            raise ConfigError(f"--epsilon must be > 0, got {epsilon}.")
        train = self.settings.train.model_copy(update={"epsilon": epsilon})
        return replace(self, settings=self.settings.model_copy(update={"train": train}))


def load_study(path: Path) -> Study:
    """Read and check a study file. Raises ConfigError with file, line, what is wrong and what to write instead."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"there is no study file {path}. `tacit init data.csv` writes one for your data.") from None
    except (IsADirectoryError, PermissionError, UnicodeDecodeError) as error:
        raise ConfigError(f"the study file {path} cannot be read ({error}). It must be a UTF-8 text file in TOML.") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path} is not valid TOML: {error}. Strings need quotes, and each table starts with its [name]."
        ) from None
    try:
        settings = StudySettings.model_validate(data)
        _ = settings.table_schema, settings.origins  # building them checks bounds, categories and origins
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(path, text, one) for one in error.errors()[:5])) from None
    except TacitError as error:
        raise ConfigError(f"{path}: {error}") from None
    return Study(path=path, settings=settings)


_EXAMPLES = {
    "rows": "rows = 1500, the number of people as it is publicly known",
    "path": 'path = "people.csv"',
    "name": 'name = "survey"',
    "role": 'role = "quasi"',
    "epsilon": "epsilon = 3.0",
}


def _explain(path: Path, text: str, error: Any) -> str:
    location = [str(part) for part in error["loc"]]
    where = f"{path}{_line(text, location)}"
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        close = difflib.get_close_matches(location[-1], known, n=1)
        meant = f"Did you mean `{close[0]}`?" if close else f"Known here: {', '.join(known)}."
        return f"{where}: unknown key `{key}`. {meant} A key that is not understood is never ignored."
    if error["type"] == "missing":
        example = _EXAMPLES.get(location[-1], "a value")
        return f"{where}: `{key}` is missing, and every study must state it. Write for example {example}."
    close = difflib.get_close_matches(str(error["input"]), _choices(error), n=1)
    if close:
        return f"{where}: `{key}` cannot be {error['input']!r}. Did you mean {close[0]!r}? Known: {', '.join(_choices(error))}."
    message = str(error["msg"]).removeprefix("Value error, ")
    given = f", got {error['input']!r}" if isinstance(error.get("input"), str | int | float | bool) else ""
    return f"{where}: {f'`{key}`: ' if key else ''}{message[:1].lower()}{message[1:]}{given}."


def _choices(error: Any) -> list[str]:
    """Return the values that an enumeration or a literal would have accepted."""
    return re.findall(r"'([^']+)'", str(error.get("ctx", {}).get("expected", "")))


def _known_keys(location: Sequence[str]) -> list[str]:
    model: Any = StudySettings
    for part in location:
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:  # a column's name: the table below it is a ColumnTable
            continue
        inner = [*getattr(field.annotation, "__args__", ()), field.annotation]
        model = next((one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)), model)
    return list(model.model_fields)


def _line(text: str, location: Sequence[str]) -> str:
    """Return ":line" of the key, found by its table and name, or "" when it cannot be told."""
    table, found = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[([^\]]+)\]", line)
        if header:
            table = re.sub(r"[\"'\s]", "", header.group(1))
            if table == ".".join(location):
                found = f":{number}"
        entry = re.match(r"\s*[\"']?([^=\"'#]+?)[\"']?\s*=", line)
        if (
            entry
            and not header
            and [*filter(None, table.split(".")), entry.group(1)] == list(location[: len(table.split(".")) + 1])
        ):
            return f":{number}"
    return found
