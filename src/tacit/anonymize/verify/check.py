"""The check of one release: requirements, suppression, recoding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.verify.columns import plain_table
from tacit.anonymize.verify.crowds import crowds_of, population_rows
from tacit.anonymize.verify.domains import domains_of
from tacit.anonymize.verify.evidence import Domains, Evidence, Missing
from tacit.anonymize.verify.recoding import Recoding, recoding_problems
from tacit.anonymize.verify.requirements import requirement_problems
from tacit.anonymize.verify.verification import Verification
from tacit.errors import PrivacyError


def verify_release(
    released: pa.Table,
    *,
    quasi: Sequence[str],
    require: Sequence[Mapping[str, Any]],
    original_rows: int,
    suppression_limit: float,
    recoding: Recoding | None = None,
    original: pa.Table | None = None,
    subset: NDArray[np.bool_] | Sequence[bool] | None = None,
    population: pa.Table | None = None,
    missing: Missing = "own category",
    combinations: Sequence[Sequence[str]] = (),
    domains: Domains | None = None,
) -> Verification:
    """Return whether a released table keeps its promise. What cannot be confirmed is a problem.

    quasi             -- the quasi-identifiers: rows equal in all of them are one class.
    require           -- privacy models in their JSON form: {"model": "k-anonymity", "k": 5}.
    original_rows     -- rows before suppression; suppression_limit -- largest share of them that may be missing.
    recoding          -- when given, also checks that every released row is an original row made coarser, no row more often than
                         there. k-map and delta-presence need it, to know what the population's rows become.
    original          -- the table before, where there is no recoding (whose own counts); models that compare with the whole input
                         need one of the two, with as many rows as stated.
    subset            -- truth value per original row: only these could be released; the others are their population.
    population        -- a table with the same quasi-identifiers in raw values, for k-map; without it, the original where a subset
                         is given.
    missing           -- "own category": a missing cell equals missing cells only. "wildcard": a missing or "*" cell may be anything;
                         then each row must be covered by as many rows that tell no more than it does.
    combinations      -- sets of quasi-identifiers that must each be k-anonymous by themselves too.
    domains           -- what the released values cover, for profitability, where there is no recoding (which tells it).
    """
    checks = [*(str(form.get("model")) for form in require), "suppression limit"]
    checks += ["combinations"] if combinations else []
    checks += [] if recoding is None else ["recoding"]
    problems = _wrong_question(released, quasi, require, missing, recoding)
    before = original if recoding is None else recoding.original
    allowed = None if before is None else _allowed(before, subset)
    if not problems and before is not None and (allowed is None or int(allowed.sum()) != original_rows):
        problems = [f"the original has not the {original_rows} rows that could be released; a subset must say which they are"]
    if problems:
        suppression = _suppression_problems(released.num_rows, original_rows, suppression_limit)
        return Verification(checks=tuple(checks), problems=(*problems, *suppression))
    evidence = Evidence(
        released=plain_table(released),
        quasi=tuple(quasi),
        rows=original_rows,
        missing=missing,
        input=before if before is None or subset is None else before.filter(pa.array(allowed)),
        domains=domains,
    )
    people = population if population is not None or subset is None else before
    evidence, problems = _with_population(evidence, require, recoding, allowed, people, population)
    for form in require:
        problems += _confirmed(partial(requirement_problems, form, evidence))
    for names in combinations:
        problems += _confirmed(partial(_combination_problems, evidence, names, require))
    problems += _suppression_problems(released.num_rows, original_rows, suppression_limit)
    if recoding is not None and allowed is not None:
        problems += _confirmed(partial(recoding_problems, evidence.released, quasi, recoding, allowed))
    return Verification(checks=tuple(checks), problems=tuple(problems))


def _wrong_question(
    released: pa.Table, quasi: Sequence[str], require: Sequence[Mapping[str, Any]], missing: str, recoding: Recoding | None
) -> list[str]:
    """Return why a question has no answer."""
    names = released.column_names
    absent = [name for name in quasi if name not in names]
    problems = [f"the quasi-identifiers {absent} are not in the release"] if absent else []
    problems += [] if quasi else ["no quasi-identifier was named"]
    problems += [] if len(set(names)) == len(names) else ["two columns of the release have one name"]
    problems += [] if require else ["no privacy model was required"]
    problems += [] if missing in get_args(Missing) else [f"missing is one of {', '.join(get_args(Missing))}, not {missing!r}"]
    stated = [] if recoding is None else [recoding.hierarchies, *([] if recoding.levels is None else [recoding.levels])]
    if any(name not in given for given in stated for name in quasi if name in names):
        problems.append("the recoding states no hierarchy, or no level, for some quasi-identifiers")
    return problems


def _allowed(before: pa.Table, subset: Any) -> NDArray[np.bool_] | None:
    """Return which original rows could be released, shape (n,); None when the subset does not fit."""
    chosen = np.ones(before.num_rows, dtype=bool) if subset is None else np.asarray(subset)
    return chosen if chosen.dtype == np.bool_ and chosen.shape == (before.num_rows,) else None


def _with_population(
    evidence: Evidence,
    require: Sequence[Mapping[str, Any]],
    recoding: Recoding | None,
    allowed: NDArray[np.bool_] | None,
    people: pa.Table | None,
    together: pa.Table | None,
) -> tuple[Evidence, list[str]]:
    """Return the evidence with what the population becomes, where a model asks for it, and what could not be found out.

    together -- the population table that was recoded with the original, if there was one.
    """
    asked = [form.get("model") for form in require]
    problems: list[str] = []
    if "delta-presence" in asked:
        try:
            evidence = replace(evidence, crowds=crowds_of(evidence, recoding, allowed))
        except (PrivacyError, pa.ArrowException) as error:
            problems.append(_unconfirmed(error))
    if people is not None and ("k-map" in asked or any(form.get("attacker") == "journalist" for form in require)):
        try:
            evidence = replace(evidence, population_rows=population_rows(evidence, recoding, people))
        except (PrivacyError, pa.ArrowException) as error:
            problems.append(_unconfirmed(error))
    if "profitability" in asked and (recoding is not None or evidence.domains is None):
        try:
            evidence = replace(evidence, domains=domains_of(evidence, recoding, together))
        except (PrivacyError, pa.ArrowException) as error:
            problems.append(_unconfirmed(error))
    return evidence, problems


def _combination_problems(evidence: Evidence, names: Sequence[str], require: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows equal in some of the quasi-identifiers are k too, whichever were protected last."""
    sizes = [form for form in require if form.get("model") == "k-anonymity"]
    if not sizes or not names or not set(names) <= set(evidence.quasi):
        return [f"the combination {list(names)} names no quasi-identifiers, or there is no k-anonymity that it should have"]
    part = replace(evidence, quasi=tuple(names))
    return [f"of the combination {list(names)}, {problem}" for form in sizes for problem in requirement_problems(form, part)]


def _suppression_problems(kept: int, rows: int, limit: float) -> list[str]:
    """Rows left out may be at most floor(limit * rows), with limit as the decimal number it is written as."""
    most = int(Decimal(str(limit)) * rows)
    if not 0 <= rows - kept <= most:
        return [f"{rows - kept} of {rows} rows are left out, where {most} may be"]
    return []


def _confirmed(measure: Callable[[], list[str]]) -> list[str]:
    """Return the problems that a measurement finds; that it cannot be made is one."""
    try:
        return measure()
    except (PrivacyError, pa.ArrowException, ValueError) as error:
        return [_unconfirmed(error)]


def _unconfirmed(error: Exception) -> str:
    """Return a failure in words; those of others' errors may hold values of the data, so only their kind is told."""
    return str(error) if isinstance(error, PrivacyError) else f"something could not be measured ({type(error).__name__})"
