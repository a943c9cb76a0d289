"""The requirements this check knows, by the names of their JSON form; anything else is a problem."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.anonymize.verify.closeness import t_closeness
from tacit.anonymize.verify.diversity import alpha_k, distinct, entropy, grassberger, recursive
from tacit.anonymize.verify.evidence import Evidence
from tacit.anonymize.verify.knowledge import lkc
from tacit.anonymize.verify.likeness import basic_beta, delta_disclosure, enhanced_beta
from tacit.anonymize.verify.population import delta_presence, k_map
from tacit.anonymize.verify.profit import no_profitable_attack, profitability
from tacit.anonymize.verify.sets import km_anonymity
from tacit.anonymize.verify.sizes import average_risk, estimated_k_map, k_anonymity, sample_uniqueness
from tacit.anonymize.verify.uniqueness import population_uniqueness
from tacit.errors import PrivacyError

_Fits = Callable[[Any], bool]


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A model: how it is measured, and what its parameters may be.

    wildcard -- whether more rows that somebody may be can only help, so that the least of them decides under missing="wildcard".
    """

    problems: Callable[..., list[str]]
    parameters: Mapping[str, _Fits]
    optional: Mapping[str, _Fits] = field(default_factory=dict)
    wildcard: bool = False


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _above_one(value: Any) -> bool:
    return _number(value) and value > 1


def _name(value: Any) -> bool:
    return isinstance(value, str)


def _list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _one_of(*values: Any) -> _Fits:
    return lambda value: not isinstance(value, bool) and value in values


_MODELS: dict[str, _Known] = {
    "k-anonymity": _Known(problems=k_anonymity, parameters={"k": _whole}, wildcard=True),
    "average-risk": _Known(problems=average_risk, parameters={"threshold": _number}, wildcard=True),
    "sample-uniqueness": _Known(problems=sample_uniqueness, parameters={"threshold": _number}, wildcard=True),
    "estimated-k-map": _Known(
        problems=estimated_k_map,
        parameters={
            "k": _whole,
            "population_size": _whole,
            "significance": _number,
            "estimator": _one_of("poisson", "zero-truncated poisson"),
        },
        wildcard=True,
    ),
    "distinct-l-diversity": _Known(problems=distinct, parameters={"column": _name, "l": _whole}, wildcard=True),
    "entropy-l-diversity": _Known(problems=entropy, parameters={"column": _name, "l": _above_one}),
    "grassberger-l-diversity": _Known(problems=grassberger, parameters={"column": _name, "l": _above_one}),
    "recursive-l-diversity": _Known(problems=recursive, parameters={"column": _name, "c": _number, "l": _whole}),
    "alpha-k": _Known(problems=alpha_k, parameters={"column": _name, "alpha": _number, "k": _whole}),
    "t-closeness": _Known(
        problems=t_closeness,
        parameters={"column": _name, "t": _number, "distance": _one_of("equal", "ordered", "hierarchical")},
        optional={"order": lambda value: _list(value) or value == "numeric", "tree": _list},
    ),
    "basic-beta-likeness": _Known(problems=basic_beta, parameters={"column": _name, "beta": _number}),
    "enhanced-beta-likeness": _Known(problems=enhanced_beta, parameters={"column": _name, "beta": _number}),
    "delta-disclosure": _Known(
        problems=delta_disclosure, parameters={"column": _name, "delta": _number, "base": _one_of(2, "e")}
    ),
    "lkc": _Known(problems=lkc, parameters={"column": _name, "l": _whole, "k": _whole, "c": _number}),
    "delta-presence": _Known(problems=delta_presence, parameters={"d_min": _number, "d_max": _number}),
    "km-anonymity": _Known(problems=km_anonymity, parameters={"k": _whole, "m": _whole}),
    "k-map": _Known(problems=k_map, parameters={"k": _whole}),
    "no-profitable-attack": _Known(
        problems=no_profitable_attack,
        parameters={"gain": _number, "cost": _number, "attacker": _one_of("prosecutor", "journalist")},
    ),
    "profitability": _Known(
        problems=profitability,
        parameters={
            "benefit": lambda value: _number(value) and value > 0,
            **dict.fromkeys(("loss", "gain", "cost"), _number),
            "attacker": _one_of("prosecutor", "journalist"),
        },
    ),
    "population-uniqueness": _Known(
        problems=population_uniqueness,
        parameters={
            "threshold": _number,
            "population_size": _whole,
            "estimator": _one_of("dankar", "pitman", "zayatz", "snb"),
        },
    ),
}


def requirement_problems(form: Mapping[str, Any], evidence: Evidence) -> list[str]:
    """Return in what a release misses one requirement in its JSON form; a requirement that cannot be measured is missed."""
    name, given = form.get("model"), {key: value for key, value in form.items() if key != "model"}
    known = _MODELS.get(name) if isinstance(name, str) else None
    if known is None or not _fit(known, given):
        return [f"the requirement {name!r} with the parameters {sorted(map(str, given))} is not one this check knows"]
    if evidence.missing == "wildcard" and not known.wildcard:
        return [f"{name} has no least case where missing is a wildcard, so it cannot be confirmed; ask for it as a category"]
    try:
        return known.problems(evidence, **given)
    except PrivacyError as error:
        return [f"{name} cannot be confirmed: {error}"]


def _fit(known: _Known, given: Mapping[str, Any]) -> bool:
    every = {**known.parameters, **known.optional}
    return known.parameters.keys() <= given.keys() <= every.keys() and all(every[key](value) for key, value in given.items())
