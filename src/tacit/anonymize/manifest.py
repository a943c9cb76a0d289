"""What is written down about a release: its settings, its findings, and the manifest that travels with it."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tacit.anonymize.utility.loss import Loss
from tacit.models.finding import Basis, Finding

if TYPE_CHECKING:
    from tacit.anonymize.outcome import LocalRecoding
    from tacit.anonymize.release import Anonymization
    from tacit.anonymize.request import Request
    from tacit.anonymize.search import Metric

CLAIM = "a syntactic property of this table; not differential privacy"


def describe_settings(request: "Request", metric: "Metric", recoding: "LocalRecoding") -> dict[str, Any]:
    """Return everything that was asked for, as JSON values; each hierarchy with its SHA-256."""
    forms = {name: hierarchy.to_json() for name, hierarchy in request.hierarchies.items()}
    to_json = getattr(metric, "to_json", None)
    return {
        "models": [model.to_json() for model in request.require],
        "suppression_limit": request.suppression_limit,
        "metric": to_json() if to_json else {"metric": type(metric).__name__},
        "recoding": recoding if isinstance(recoding, str) else recoding.to_json(),
        "missing": "a category of its own",
        "sensitive": list(request.sensitive),
        "keep": list(request.keep),
        "subset": request.subset is not None,
        "population": None if request.population is None else request.population.num_rows,
        "hierarchies": {name: {**form, "sha256": _digest(form)} for name, form in forms.items()},
    }


def findings_of(result: "Anonymization") -> tuple[Finding, ...]:
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


def manifest_of(result: "Anonymization", *, sha256: str) -> dict[str, Any]:
    """Return what travels with the table. Its risks are those of the released table alone."""
    released = result.rows - result.suppressed
    losses = Loss().columns(result.recoded)
    return {
        "sha256": sha256,
        "levels": dict(result.levels),
        "top_levels": dict(result.top_levels),
        "rows": result.rows,
        "suppressed": result.suppressed,
        "score": result.score if isinstance(result.score, float) else list(result.score),
        "search": result.search,
        "gap": result.gap,
        "checked": result.checked,
        "nodes": result.nodes,
        "classes": result.classes,
        "smallest_class": result.smallest_class,
        "median_class": result.median_class,
        "largest_class": result.largest_class,
        "losses": dict(zip(result.recoded.names, losses.tolist(), strict=True)),
        "risks": {
            "prosecutor, highest": 1 / result.smallest_class,
            "prosecutor, average": result.classes / released,
        },
        "settings": {
            **result.settings,
            "hierarchies": {name: _outward(form) for name, form in result.settings["hierarchies"].items()},
        },
        "verified": list(result.verification.checks),
        "claim": CLAIM,
    }


def _outward(form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a hierarchy as it may travel: of one built from the data, which lists values of rows that were left out, its origin alone."""
    return {"origin": "data"} if form.get("origin") == "data" else form


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


def _digest(form: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()
