"""What the options of `tacit anonymize` say: privacy models, hierarchies, weights, the rows of a research subset."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column
from tacit.anonymize.hierarchies import Hierarchy, TreeHierarchy
from tacit.anonymize.hierarchy_spec import hierarchy_for
from tacit.anonymize.identify import identify_columns
from tacit.anonymize.local import CellSuppression, Microaggregation
from tacit.anonymize.outcome import LocalRecoding, Named
from tacit.anonymize.privacy_models import KAnonymity, PrivacyModel, model_from_json
from tacit.anonymize.utility.loss import Aggregate, Loss
from tacit.errors import ConfigError, DataError, PrivacyError
from tacit.tables import Column, Kind, Role

_CERTAIN = 0.9
_SETTINGS = {"microaggregation": {"k", "block"}, "cell-suppression": {"limit"}}
_SIZES = {"mb": 10**6, "gb": 10**9, "tb": 10**12, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def models(k: int | None, texts: Sequence[str]) -> list[PrivacyModel]:
    """Return the privacy models asked for. Raises ConfigError when there is none or one is written wrongly."""
    if k is None and not texts:
        raise ConfigError(
            "no privacy model was asked for, so nothing would be promised. Add --k 5, or --require NAME:KEY=VALUE,... "
            "for another model."
        )
    return [*([] if k is None else [KAnonymity(k)]), *(_model(text) for text in texts)]


def _model(text: str) -> PrivacyModel:
    """Read NAME:KEY=VALUE,... or {"model": NAME, ...}."""
    if text.lstrip().startswith("{"):
        try:
            form = json.loads(text)
        except ValueError as error:
            raise ConfigError(
                f'--require {text!r} starts like JSON and is none ({error}). Write {{"model": "...", ...}}.'
            ) from None
        return model_from_json(form)
    return model_from_json(_form(text, option="--require", key="model", example="k-anonymity:k=5"))


def _form(text: str, *, option: str, key: str, example: str) -> dict[str, Any]:
    """Read NAME:KEY=VALUE,... with the name under `key`; a value is JSON where it can be, else a text; a column is a text."""
    name, _, rest = text.partition(":")
    form: dict[str, Any] = {key: name.strip()}
    for part in re.split(r",(?=\s*\w+\s*=)", rest) if rest else []:
        what, found, value = part.partition("=")
        what = what.strip()
        if not found or what in form:
            fault = f"{part!r} has no value" if not found else f"{what!r} stands there twice"
            raise ConfigError(f"{option} takes NAME:KEY=VALUE,..., got {text!r}: {fault}. For example {example}.")
        form[what] = value.strip() if what == "column" else _value(value.strip())
    return form


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def hierarchy_files(texts: Sequence[str]) -> dict[str, Path]:
    """Return the file of each column from COLUMN=FILE. Raises ConfigError for another form or a column named twice."""
    files: dict[str, Path] = {}
    for text in texts:
        name, found, file = text.rpartition("=")
        if not (found and name and file) or name in files:
            fault = "the column has a hierarchy already" if name in files else "a column or a file is missing"
            raise ConfigError(f"--hierarchy takes COLUMN=FILE, got {text!r}: {fault}. Give one file for each column.")
        files[name] = Path(file)
    return files


def hierarchies(files: Mapping[str, Path], quasi: Sequence[str]) -> dict[str, Hierarchy]:
    """Return the hierarchies in the files. Raises ConfigError, naming column and file, when one is of no quasi-identifier or wrong."""
    twice = sorted({name for name in quasi if list(quasi).count(name) > 1})
    if twice:
        raise ConfigError(f"the quasi-identifiers {twice} are named twice; a column has one hierarchy. Name each once.")
    unknown = [name for name in files if name not in quasi]
    if unknown:
        raise ConfigError(
            f"the hierarchies of {unknown} are of no quasi-identifier, so they would be ignored. Add --quasi for each, or leave them out."
        )
    return {name: _hierarchy(name, file) for name, file in files.items()}


def _hierarchy(name: str, file: Path) -> Hierarchy:
    try:
        if file.suffix.lower() != ".json":
            return TreeHierarchy.from_csv(file)
        spec = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(spec, dict):
            raise ConfigError('it must be one object, as in a study file: {"widths": [5, 10], "low": 0, "high": 100}.')
        return hierarchy_for(Column(name=name, role=Role.QUASI, kind=Kind.CATEGORICAL), spec, folder=file.parent)
    except (OSError, ValueError) as error:  # ValueError: no JSON, or no UTF-8
        why = error.strerror if isinstance(error, OSError) else "it is not JSON in UTF-8"
        raise ConfigError(f"--hierarchy {name}={file}: the file cannot be read: {why}. Correct it or its path.") from None
    except ConfigError as error:
        raise ConfigError(f"--hierarchy {name}={file}: {error}") from None


def recoding(text: str, models: Sequence[PrivacyModel]) -> LocalRecoding:
    """Return the recoding of that name: NAME, or NAME:KEY=VALUE,... where it has settings.

    models -- those asked for: microaggregation takes its k from a k-anonymity among them when it is not given.
    Raises ConfigError when there is no such recoding, or no such setting of it.
    """
    form = _form(text, option="--recoding", key="name", example="cell-suppression:limit=0.05")
    name, given = form["name"], {key: value for key, value in form.items() if key != "name"}
    if name in get_args(Named) and not given:
        return cast(Named, name)
    if name not in _SETTINGS or not _SETTINGS[name].issuperset(given):
        known = [*get_args(Named), *(f"{known}[:{'=..., '.join(sorted(keys))}=...]" for known, keys in _SETTINGS.items())]
        raise ConfigError(f"--recoding knows {', '.join(known)}; got {text!r}. See tacit anonymize --help.")
    if name == "cell-suppression":
        if not isinstance(given.get("limit"), int | float) or isinstance(given["limit"], bool):
            raise ConfigError(
                f"--recoding cell-suppression needs the share of cells that may become *, got {text!r}. Without it no cell would. "
                "For example cell-suppression:limit=0.05."
            )
        return CellSuppression(limit=given["limit"])
    k = given.get("k", max((model.k for model in models if isinstance(model, KAnonymity)), default=Microaggregation.k))
    block = given.get("block", max(1000, 4 * k) if isinstance(k, int) else 1000)
    return Microaggregation(k=k, block=block)


def loss(aggregate: str, weights: Sequence[str], generalization_vs_suppression: float) -> Loss:
    """Return what the search minimizes. Raises ConfigError when a name or number is not one that the loss knows."""
    return Loss(
        aggregate=cast(Aggregate, aggregate),  # refused there, with the names it knows
        weights=_weights(weights),
        generalization_vs_suppression=generalization_vs_suppression,
    )


def _weights(texts: Sequence[str]) -> dict[str, float]:
    """Return the weight of each column from COLUMN=NUMBER. Raises ConfigError for another form or a column named twice."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if not name or name in found or value != value:
            raise ConfigError(f"--weight takes COLUMN=NUMBER, each column once, got {text!r}. For example age=2.")
        found[name] = value
    return found


def memory(text: str) -> int:
    """Return the bytes of "4GB" or "512 MiB". Raises ConfigError for another form."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MGT]i?B)", text.strip(), re.IGNORECASE)
    if not found:
        raise ConfigError(
            f"--memory-limit takes a number and MB, GB, TB, MiB, GiB or TiB, got {text!r}, whose size is not known. For example 4GB."
        )
    return int(float(found[1]) * _SIZES[found[2].lower()])


def refuse_identifiers(table: pa.Table, names: Sequence[str]) -> None:
    """Raise PrivacyError when a column to be released as it is surely names people; those that the table lacks are left to others."""
    named = [name for name in dict.fromkeys(names) if name in table.column_names]
    for found in identify_columns(table.select(named)) if named else ():
        if found.role is Role.IDENTIFIER and found.confidence >= _CERTAIN:
            raise PrivacyError(
                f"column {found.column!r} would be released as it is, and it holds {found.kind} ({'; '.join(found.reasons)}): it would name "
                "people, whatever is generalized beside it. Leave it out, or replace it by pseudonyms before."
            )


def chosen_rows(table: pa.Table, name: str) -> NDArray[np.bool_]:
    """Return which rows a true/false column marks, shape (rows,). Raises DataError when it holds anything else or is missing."""
    column = get_column(table, name)
    texts = pc.utf8_lower(column.cast(pa.string()))
    if texts.null_count or not pc.all(pc.is_in(texts, value_set=pa.array(list(_TRUTH)))).as_py():
        raise DataError(
            f"column {name!r} marks the research subset, so it must hold true or false (or yes and no, 1 and 0) in every row, and "
            "it holds something else. Correct it, or name another column."
        )
    return np.asarray(pc.is_in(texts, value_set=pa.array([text for text, truth in _TRUTH.items() if truth])))
