"""What is written down about a release: its settings, its findings, and the manifest that travels with it."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tacit.anonymize.shown_losses import shown_losses, shown_score
from tacit.anonymize.utility.loss import Loss
from tacit.models.finding import Basis, Finding

if TYPE_CHECKING:
    from tacit.anonymize.figures import Figures
    from tacit.anonymize.outcome import LocalRecoding
    from tacit.anonymize.request import Request
    from tacit.anonymize.search import Metric

CLAIM = "a syntactic property of this table; not differential privacy"

_TELLS = {  # what a released value of each recoding tells beyond its class
    "full-domain": "labels of the hierarchies; every value of a column at one level",
    "local": "labels of the hierarchies",
    "mondrian": "an interval [a, b] is exact: a and b are the smallest and the largest value of people in its class",
    "microaggregation": "a number is exact: the mean over the people in its class",
    "cell suppression": 'labels of the hierarchies, and "*" in single cells',
}


def describe_settings(
    request: "Request", metric: "Metric", recoding: "LocalRecoding", time_limit: float | None
) -> dict[str, Any]:
    """Return everything that was asked for, as JSON values; each hierarchy with its SHA-256."""
    forms = {name: hierarchy.to_json() for name, hierarchy in request.hierarchies.items()}
    to_json = getattr(metric, "to_json", None)
    return {
        "models": [model.to_json() for model in request.require],
        "suppression_limit": request.suppression_limit,
        "metric": to_json() if to_json else {"metric": type(metric).__name__},
        "recoding": recoding if isinstance(recoding, str) else recoding.to_json(),
        "time_limit": time_limit,
        "missing": "a category of its own",
        "sensitive": list(request.sensitive),
        "keep": list(request.keep),
        "subset": request.subset is not None,
        "population": None if request.population is None else request.population.num_rows,
        "hierarchies": {name: {**form, "sha256": _digest(form)} for name, form in forms.items()},
    }


def findings_of(result: "Figures") -> tuple[Finding, ...]:
    """Return the figures of a release. Exact statistics of private rows: for the custodian."""

    def finding(name: str, value: Any, unit: str = "", **more: Any) -> Finding:
        return Finding(kind="anonymization", name=name, value=value, unit=unit, basis=Basis.EXACT, **more)

    score = result.score if isinstance(result.score, float) else " ".join(f"{part:.4f}" for part in result.score)
    name, unit = ("information lost", "share") if result.settings["metric"]["metric"] == "loss" else ("score of the metric", "")
    return (
        finding("rows released", result.rows - result.suppressed, "rows", n=result.rows),
        finding("rows suppressed", result.suppressed / result.rows, "share", n=result.rows),
        finding("smallest class", result.smallest_class, "rows"),
        finding(name, score, unit, method=result.search, details={"levels": dict(result.levels)}),
        finding("independent check", "passed", method="; ".join(result.verification.checks)),
    )


def manifest_of(result: "Figures", *, sha256: str) -> dict[str, Any]:
    """Return what travels with the table: a function of that table, the number of original rows and what was declared, and of nothing else.

    Two inputs that differ in rows that were left out and give the same table give the same manifest. So it has no levels, no gap and
    no count of what was searched; losses and score are those of shown_losses.py; a hierarchy or a model that lists values is told by its
    SHA-256, one that was built from the data by that alone; and with a research subset `rows` and `suppressed` are None, since how many rows
    could be released is a count of people. `custodian_record` has all of it.
    """
    settings, rows, score = result.settings, result.rows, shown_score(result)
    return {
        "sha256": sha256,
        "claim": CLAIM,
        "rows": None if settings["subset"] else rows,
        "suppressed": None if settings["subset"] else result.suppressed,
        "released": rows - result.suppressed,
        "classes": result.classes,
        "smallest_class": result.smallest_class,
        "median_class": result.median_class,
        "largest_class": result.largest_class,
        "losses": shown_losses(result),
        "score": list(score) if isinstance(score, tuple) else score,
        "search": _search(result),
        "risks": _risks(result),
        "tells": _TELLS[_name_of(settings["recoding"])],
        "settings": {
            **settings,
            "models": [_told_model(form) for form in settings["models"]],
            "hierarchies": {name: _told_hierarchy(form) for name, form in settings["hierarchies"].items()},
        },
        "verified": list(result.verification.checks),
    }


def custodian_record(result: "Figures") -> dict[str, Any]:
    """Return all figures of a release and its hierarchies in full, as JSON values. Exact statistics of private rows: never for release."""
    losses = Loss().columns(result.recoded)
    return {
        "levels": dict(result.levels),
        "top_levels": dict(result.top_levels),
        "rows": result.rows,
        "suppressed": result.suppressed,
        "score": result.score if isinstance(result.score, float) else list(result.score),
        "search": result.search,
        "optimal": result.optimal,
        "gap": result.gap,
        "checked": result.checked,
        "nodes": result.nodes,
        "losses": dict(zip(result.recoded.names, losses.tolist(), strict=True)),
        "settings": dict(result.settings),
    }


def model_words(form: Mapping[str, Any]) -> str:
    """Return a privacy model's form as `--require` writes it, "k-anonymity (k 5)"; lists of values are left out."""
    given = {key: value for key, value in form.items() if key != "model" and not isinstance(value, list | Mapping)}
    return f"{form['model']} ({', '.join(f'{key} {value}' for key, value in given.items())})"


def _search(result: "Figures") -> str:
    """Return what is proved of the search. Within a time limit that depends on all rows and on the machine, so it is not told."""
    if result.settings["recoding"] != "full-domain":
        return "best found; a local recoding has no proof"
    proved = result.optimal and result.settings["time_limit"] is None
    return f"full-domain search, {'proved optimal' if proved else 'best found'}"


def _risks(result: "Figures") -> dict[str, float]:
    return {
        "prosecutor, highest": 1 / result.smallest_class,
        "prosecutor, average": result.classes / (result.rows - result.suppressed),
    }


def _name_of(recoding: str | Mapping[str, Any]) -> str:
    return recoding if isinstance(recoding, str) else str(recoding["recoding"])


def _told_hierarchy(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return a hierarchy as it may travel.

    Bounds, cuts, periods and redactions are declared numbers and travel whole. A list of values is often written from the data, and
    names values of rows that were left out: its SHA-256 travels, and the table shows those of its labels that are released. Of a hierarchy
    that was built from the data not even that, as a hash of private values lets anyone test a guess.
    """
    if form.get("origin") == "data":
        return {"origin": "data"}
    return {"levels": len(form["rows"][0]), "sha256": form["sha256"]} if "rows" in form else dict(form)


def _told_model(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return a privacy model as it may travel: an order or a tree of sensitive values by its SHA-256."""
    return {key: {"sha256": _digest(value)} if isinstance(value, list | Mapping) else value for key, value in form.items()}


def table_digest(table: pa.Table) -> str:
    """Return the SHA-256 of a table's column names, types and values; the same however Arrow cuts it into chunks."""
    digest = hashlib.sha256(json.dumps([[field.name, str(field.type)] for field in table.schema]).encode())
    for column in table.columns:
        digest.update(f"\n{column.type}\n".encode())
        for value in column.to_pylist() if pa.types.is_nested(column.type) else _texts(column):
            digest.update(json.dumps(value, default=str).encode())
    return digest.hexdigest()


def _texts(column: pa.ChunkedArray) -> list[str]:
    """Return a column as one text: its distinct values in order of appearance, and the codes of the rows."""
    coded = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode(null_encoding="encode")
    codes = np.asarray(coded.indices.to_numpy(zero_copy_only=False)).astype("<i8")
    return [json.dumps(coded.dictionary.to_pylist(), default=str), hashlib.sha256(codes.tobytes()).hexdigest()]


def _digest(form: Any) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()
