"""Parameters out of range are refused with a reason; a model and its JSON form are the same thing."""

import json
from typing import Any

import numpy as np
import pytest

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models import (
    MODELS,
    AlphaKAnonymity,
    AverageRisk,
    BasicBetaLikeness,
    DeltaDisclosure,
    DeltaPresence,
    DistinctLDiversity,
    EnhancedBetaLikeness,
    EntropyLDiversity,
    EstimatedKMap,
    GrassbergerLDiversity,
    KAnonymity,
    KMap,
    LKCPrivacy,
    PopulationUniqueness,
    RecursiveLDiversity,
    SampleUniqueness,
    TCloseness,
    model_from_json,
)
from tacit.errors import ConfigError, DataError

ONE_OF_EACH: list[Any] = [
    AlphaKAnonymity("s", 0.5, 3),
    AverageRisk(0.1),
    BasicBetaLikeness("s", 1),
    DeltaDisclosure("s", 1.5, 2),
    DeltaDisclosure("s", 1.5, "e"),
    DeltaPresence(0.1, 0.5),
    DistinctLDiversity("s", 3),
    EnhancedBetaLikeness("s", 2.5),
    EntropyLDiversity("s", 2.5),
    EstimatedKMap(5, population_size=1000, significance=0.05, estimator="poisson"),
    GrassbergerLDiversity("s", 2),
    KAnonymity(5),
    KMap(5),
    LKCPrivacy("s", 2, 5, 0.5),
    PopulationUniqueness(0.01, population_size=1000, estimator="snb"),
    RecursiveLDiversity("s", 3, 2),
    SampleUniqueness(0.05),
    TCloseness("s", 0.2),
    TCloseness("s", 0.2, order=["low", 2, 3.0, None]),
    TCloseness("s", 0.2, order="numeric"),
    TCloseness("s", 0.2, tree=[["a", "g", "*"], ["b", "g", "*"]]),
]


def test_there_is_one_of_each() -> None:
    assert {model.to_json()["model"] for model in ONE_OF_EACH} == set(MODELS)


@pytest.mark.parametrize("model", ONE_OF_EACH, ids=str)
def test_a_model_comes_back_from_its_json_form(model: Any) -> None:
    form = model.to_json()
    again = model_from_json(json.loads(json.dumps(form)))
    assert again == model
    assert again.to_json() == form
    assert hash(again) == hash(model)
    assert (model.columns == ("s",)) == ("column" in form)


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (lambda: DistinctLDiversity("", 2), "needs the name of a sensitive column"),
        (lambda: DistinctLDiversity("s", 1), r"l must be a whole number >= 2, got 1: one value .* Common choices"),
        (lambda: DistinctLDiversity("s", 2.5), "whole number"),  # type: ignore[arg-type]
        (lambda: DistinctLDiversity("s", True), "whole number"),
        (lambda: EntropyLDiversity("s", 1), r"l must be a number in \(1, inf\), got 1"),
        (lambda: GrassbergerLDiversity("s", float("nan")), "got nan"),
        (lambda: RecursiveLDiversity("s", 0, 2), r"c must be a number in \(0, inf\)"),
        (lambda: RecursiveLDiversity("s", 2, 1), "whole number >= 2"),
        (lambda: AlphaKAnonymity("s", 1, 2), r"alpha must be a number in \(0, 1\)"),
        (lambda: AlphaKAnonymity("s", 0.5, 1), "k must be a whole number >= 2"),
        (lambda: BasicBetaLikeness("s", 0), r"beta must be a number in \(0, inf\)"),
        (lambda: EnhancedBetaLikeness("s", float("inf")), "got inf"),
        (lambda: DeltaDisclosure("s", 0, 2), "delta must be a number"),
        (lambda: DeltaDisclosure("s", 1, 10), "base must be one of 2, 'e', got 10"),  # type: ignore[arg-type]
        (lambda: DeltaPresence(0.5, 0.2), "d_min <= d_max"),
        (lambda: DeltaPresence(0, 1), "every class the whole one"),
        (lambda: DeltaPresence(-0.1, 0.2), r"d_min must be a number in \[0, 1\]"),
        (lambda: DeltaPresence(0, 1.1), "d_max must be a number"),
        (lambda: KMap(1), "k must be a whole number >= 2"),
        (lambda: EstimatedKMap(1, population_size=9, significance=0.1, estimator="poisson"), "k must be a whole number"),
        (lambda: EstimatedKMap(3, population_size=1, significance=0.1, estimator="poisson"), "population_size must be"),
        (lambda: EstimatedKMap(3, population_size=9, significance=0, estimator="poisson"), "significance must be"),
        (lambda: EstimatedKMap(3, population_size=9, significance=0.1, estimator="normal"), "estimator must be one"),  # type: ignore[arg-type]
        (lambda: LKCPrivacy("s", 0, 2, 0.5), "l must be a whole number >= 1"),
        (lambda: LKCPrivacy("s", 2, 1, 0.5), "k must be a whole number >= 2"),
        (lambda: LKCPrivacy("s", 2, 2, 0), r"c must be a number in \(0, 1\]"),
        (lambda: TCloseness("s", 1), r"t must be a number in \[0, 1\), got 1"),
        (lambda: TCloseness("s", -0.1), "t must be a number"),
        (lambda: AverageRisk(0), r"threshold must be a number in \(0, 1\)"),
        (lambda: SampleUniqueness(1), r"threshold must be a number in \[0, 1\)"),
        (lambda: PopulationUniqueness(0.1, population_size=0), "population_size must be"),
        (lambda: PopulationUniqueness(0.1, population_size=9, estimator="guess"), "estimator must be one of"),  # type: ignore[arg-type]
        (lambda: PopulationUniqueness("0.1", population_size=9), "threshold must be a number"),  # type: ignore[arg-type]
    ],
)
def test_a_parameter_out_of_range_is_refused_with_a_reason(build: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        build()


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
        model_from_json(form)


def test_what_a_model_needs_and_does_not_get_is_named() -> None:
    classes = Classes(sizes=np.array([3, 4]), rows=7)
    for model, what in (
        (DistinctLDiversity("disease", 2), "sensitive column 'disease'"),
        (DeltaPresence(0, 0.5), "research subset"),
        (KMap(3), "population table"),
    ):
        with pytest.raises(ConfigError, match=what):
            model.holds(classes)


def test_a_sample_larger_than_its_population_is_refused() -> None:
    classes = Classes(sizes=np.array([1, 9]), rows=10)
    with pytest.raises(DataError, match="more than the population of 9"):
        EstimatedKMap(3, population_size=9, significance=0.1, estimator="poisson").holds(classes)
    with pytest.raises(DataError, match="no more rows than people"):
        PopulationUniqueness(0.1, population_size=9).holds(classes)
