"""Parameters out of range are refused with a reason; a model and its JSON form are the same thing."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from tacit.anonymize import privacy_models as models
from tacit.anonymize.classes import Classes
from tacit.errors import ConfigError, DataError

ONE_OF_EACH: list[Any] = [
    models.AlphaKAnonymity("s", 0.5, 3),
    models.AverageRisk(0.1),
    models.BasicBetaLikeness("s", 1),
    models.DeltaDisclosure("s", 1.5, 2),
    models.DeltaDisclosure("s", 1.5, "e"),
    models.DeltaPresence(0.1, 0.5),
    models.DistinctLDiversity("s", 3),
    models.EnhancedBetaLikeness("s", 2.5),
    models.EntropyLDiversity("s", 2.5),
    models.EstimatedKMap(5, population_size=1000, significance=0.05, estimator="poisson"),
    models.GrassbergerLDiversity("s", 2),
    models.KAnonymity(5),
    models.KMap(5),
    models.LKCPrivacy("s", 2, 5, 0.5),
    models.NoProfitableAttack(300, 4),
    models.NoProfitableAttack(300, 4, "journalist"),
    models.PopulationUniqueness(0.01, population_size=1000, estimator="snb"),
    models.Profitability(1200, 300, 300, 4),
    models.Profitability(1200, 0, 300, 4, "journalist"),
    models.RecursiveLDiversity("s", 3, 2),
    models.SampleUniqueness(0.05),
    models.TCloseness("s", 0.2),
    models.TCloseness("s", 0.2, order=["low", 2, 3.0, None]),
    models.TCloseness("s", 0.2, order="numeric"),
    models.TCloseness("s", 0.2, tree=[["a", "g", "*"], ["b", "g", "*"]]),
]


def test_there_is_one_of_each() -> None:
    assert {model.to_json()["model"] for model in ONE_OF_EACH} == set(models.MODELS)


@pytest.mark.parametrize("model", ONE_OF_EACH, ids=str)
def test_a_model_comes_back_from_its_json_form(model: Any) -> None:
    form = model.to_json()
    again = models.model_from_json(json.loads(json.dumps(form)))
    assert again == model
    assert again.to_json() == form
    assert hash(again) == hash(model)
    assert (model.columns == ("s",)) == ("column" in form)


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (lambda: models.DistinctLDiversity("", 2), "needs the name of a sensitive column"),
        (lambda: models.DistinctLDiversity("s", 1), r"l must be a whole number >= 2, got 1: one value .* Common choices"),
        (lambda: models.DistinctLDiversity("s", 2.5), "whole number"),  # type: ignore[arg-type]
        (lambda: models.DistinctLDiversity("s", True), "whole number"),
        (lambda: models.EntropyLDiversity("s", 1), r"l must be a number in \(1, inf\), got 1"),
        (lambda: models.GrassbergerLDiversity("s", float("nan")), "got nan"),
        (lambda: models.RecursiveLDiversity("s", 0, 2), r"c must be a number in \(0, inf\)"),
        (lambda: models.RecursiveLDiversity("s", 2, 1), "whole number >= 2"),
        (lambda: models.AlphaKAnonymity("s", 1, 2), r"alpha must be a number in \(0, 1\)"),
        (lambda: models.AlphaKAnonymity("s", 0.5, 1), "k must be a whole number >= 2"),
        (lambda: models.BasicBetaLikeness("s", 0), r"beta must be a number in \(0, inf\)"),
        (lambda: models.EnhancedBetaLikeness("s", float("inf")), "got inf"),
        (lambda: models.DeltaDisclosure("s", 0, 2), "delta must be a number"),
        (lambda: models.DeltaDisclosure("s", 1, 10), "base must be one of 2, 'e', got 10"),  # type: ignore[arg-type]
        (lambda: models.DeltaPresence(0.5, 0.2), "d_min <= d_max"),
        (lambda: models.DeltaPresence(0, 1), "every class the whole one"),
        (lambda: models.DeltaPresence(-0.1, 0.2), r"d_min must be a number in \[0, 1\]"),
        (lambda: models.DeltaPresence(0, 1.1), "d_max must be a number"),
        (lambda: models.KMap(1), "k must be a whole number >= 2"),
        (lambda: models.EstimatedKMap(1, population_size=9, significance=0.1, estimator="poisson"), "k must be a whole number"),
        (lambda: models.EstimatedKMap(3, population_size=1, significance=0.1, estimator="poisson"), "population_size must be"),
        (lambda: models.EstimatedKMap(3, population_size=9, significance=0, estimator="poisson"), "significance must be"),
        (lambda: models.EstimatedKMap(3, population_size=9, significance=0.1, estimator="normal"), "estimator must be one"),  # type: ignore[arg-type]
        (lambda: models.LKCPrivacy("s", 0, 2, 0.5), "l must be a whole number >= 1"),
        (lambda: models.LKCPrivacy("s", 2, 1, 0.5), "k must be a whole number >= 2"),
        (lambda: models.LKCPrivacy("s", 2, 2, 0), r"c must be a number in \(0, 1\]"),
        (lambda: models.TCloseness("s", 1), r"t must be a number in \[0, 1\), got 1"),
        (lambda: models.TCloseness("s", -0.1), "t must be a number"),
        (lambda: models.AverageRisk(0), r"threshold must be a number in \(0, 1\)"),
        (lambda: models.NoProfitableAttack(0, 4), r"gain must be a number in \(0, inf\)"),
        (lambda: models.NoProfitableAttack(300, 0), "cost must be a number .* always pays"),
        (lambda: models.NoProfitableAttack(300, 4, "neighbour"), "attacker must be one of"),  # type: ignore[arg-type]
        (lambda: models.Profitability(0, 300, 300, 4), "benefit must be a number"),
        (lambda: models.Profitability(1200, -1, 300, 4), "loss must be a number"),
        (lambda: models.Profitability(1200, 300, 300, 0), "cost must be a number"),
        (lambda: models.SampleUniqueness(1), r"threshold must be a number in \[0, 1\)"),
        (lambda: models.PopulationUniqueness(0.1, population_size=0), "population_size must be"),
        (lambda: models.PopulationUniqueness(0.1, population_size=9, estimator="guess"), "estimator must be one of"),  # type: ignore[arg-type]
        (lambda: models.PopulationUniqueness("0.1", population_size=9), "threshold must be a number"),  # type: ignore[arg-type]
    ],
)
def test_a_parameter_out_of_range_is_refused_with_a_reason(build: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        build()


@pytest.mark.parametrize("model", ONE_OF_EACH, ids=str)
def test_whole_numbers_of_any_type_are_taken_and_become_pythons_own(model: Any) -> None:
    whole = [one.name for one in dataclasses.fields(model) if one.type in (int, "int")]
    again = dataclasses.replace(model, **{name: np.int64(getattr(model, name)) for name in whole})
    assert again == model
    assert json.loads(json.dumps(again.to_json())) == model.to_json()


def test_most_models_have_a_whole_number() -> None:
    assert sum(any(one.type in (int, "int") for one in dataclasses.fields(model)) for model in ONE_OF_EACH) >= 8


@pytest.mark.parametrize(
    ("form", "what"),
    [
        ({"model": "magic"}, "'magic' is no privacy model"),
        ({}, "None is no privacy model"),
        ({"model": "k-anonymity"}, "does not take the parameters"),
        ({"model": "k-anonymity", "k": 5, "l": 2}, "does not take the parameters"),
        ({"model": "k-anonymity", "k": 1}, "k must be"),
        ({"model": "t-closeness", "column": "s", "t": 0.1, "distance": "ordered"}, "needs an explicit order"),
        ({"model": "delta-disclosure", "column": "s", "delta": 1}, "does not take the parameters"),  # T8: no default base
    ],
)
def test_a_form_that_is_none_is_refused(form: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        models.model_from_json(form)


def test_what_a_model_needs_and_does_not_get_is_named() -> None:
    classes = Classes(sizes=np.array([3, 4]), rows=7)
    for model, what in (
        (models.DistinctLDiversity("disease", 2), "sensitive column 'disease'"),
        (models.DeltaPresence(0, 0.5), "research subset"),
        (models.KMap(3), "population table"),
        (models.Profitability(1200, 300, 300, 4), "information each class loses"),
        (models.NoProfitableAttack(9, 2, "journalist"), "population table"),
    ):
        with pytest.raises(ConfigError, match=what):
            model.holds(classes)


def test_a_sample_larger_than_its_population_is_refused() -> None:
    classes = Classes(sizes=np.array([1, 9]), rows=10)
    with pytest.raises(DataError, match="more than the population of 9"):
        models.EstimatedKMap(3, population_size=9, significance=0.1, estimator="poisson").holds(classes)
    with pytest.raises(DataError, match="no more rows than people"):
        models.PopulationUniqueness(0.1, population_size=9).holds(classes)
