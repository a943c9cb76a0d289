import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.evaluate import accuracy_difference, utility
from tacit.evaluate.intervals import newcombe_paired
from tacit.models.finding import Basis, Finding
from tacit.models.wilson import wilson

CLASSES = ("no", "yes")
LABELS = np.array([0, 0, 0, 1, 1, 0])
SURE = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.6, 0.4], [0.5, 0.5]])  # right: 0, 1, 3, 5 (tie: first class)


def by_kind(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.kind: finding for finding in findings}


def test_accuracy_majority_and_auc_are_those_counted_by_hand() -> None:
    found = by_kind(utility(SURE, LABELS, CLASSES))
    assert found["accuracy"].value == pytest.approx(4 / 6)
    assert found["accuracy"].interval == pytest.approx(wilson(4 / 6, 6, 0.95))
    assert found["majority"].value == pytest.approx(4 / 6)
    assert found["majority"].details["class"] == "no"
    assert found["accuracy-difference"].value == 0.0
    # pairs yes > no: 0.7 beats 0.1, 0.2, 0.6, 0.5; 0.4 beats 0.1, 0.2 only
    assert found["auc"].value == pytest.approx(6 / 8)


def test_every_number_says_how_sure_it_is_and_about_which_model() -> None:
    for finding in utility(SURE, LABELS, CLASSES, model="non-private"):
        assert finding.interval is not None
        assert isinstance(finding.value, float)
        assert finding.interval[0] <= finding.value <= finding.interval[1]
        assert (finding.confidence, finding.n, finding.ceiling, finding.basis) == (0.95, 6, 1.0, Basis.EXACT)
        assert finding.assumption
        assert finding.method
        assert finding.details["model"] == "non-private"
        assert "non-private" in finding.name
        assert Finding.from_json(json.loads(json.dumps(finding.to_json(), allow_nan=False))) == finding


def test_the_names_of_two_models_findings_do_not_collide() -> None:
    names = [f.name for model in ("private", "non-private") for f in utility(SURE, LABELS, CLASSES, model=model)]
    assert len(set(names)) == len(names) == 8


def test_three_classes_have_no_auc() -> None:
    found = by_kind(utility(np.eye(3), [0, 1, 1], ("a", "b", "c")))
    assert found["accuracy"].value == pytest.approx(2 / 3)
    assert "auc" not in found


def test_the_loss_against_the_twin_is_paired_and_positive_when_privacy_costs() -> None:
    twin = np.eye(2)[LABELS]  # always right
    lost = accuracy_difference(SURE, twin, LABELS, CLASSES)
    assert lost.value == pytest.approx(2 / 6)
    assert lost.interval == pytest.approx(newcombe_paired(4, 2, 0, 0, 0.95))
    assert accuracy_difference(twin, SURE, LABELS, CLASSES).value == pytest.approx(-2 / 6)
    assert accuracy_difference(SURE, SURE, LABELS, CLASSES).value == 0.0
    assert lost.basis is Basis.EXACT


@pytest.mark.parametrize(
    "change", [{"confidence": 0.9}, {"basis": Basis.PUBLIC}, {"model": "other"}, {"classes": ("no", "perhaps")}]
)
def test_every_setting_changes_the_findings(change: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"classes": CLASSES}
    assert utility(SURE, LABELS, **{**settings, **change}) != utility(SURE, LABELS, **settings)
    if "confidence" in change or "basis" in change:
        twin = np.eye(2)[LABELS]
        assert accuracy_difference(SURE, twin, LABELS, CLASSES, **change) != accuracy_difference(SURE, twin, LABELS, CLASSES)


@pytest.mark.parametrize(
    ("probabilities", "labels", "classes", "error", "message"),
    [
        (np.zeros((0, 2)), [], CLASSES, DataError, "empty"),
        (SURE, np.zeros(6, int), CLASSES, DataError, "one class only"),
        (SURE, [0, 0, 0, 1, 1, np.nan], CLASSES, DataError, "NaN"),
        (SURE, [0, 0, 0, 1, 1, np.inf], CLASSES, DataError, "class numbers"),
        (SURE, [0, 0, 0, 1, 1, 0.5], CLASSES, DataError, "fractions"),
        (SURE, [0, 0, 0, 1, 1, 2], CLASSES, DataError, "other classes"),
        (SURE, [0, 0, 0, 1, 1, -1], CLASSES, DataError, "other classes"),
        (SURE, list("001100"), CLASSES, DataError, "Number the classes"),
        (SURE, [0, 1], CLASSES, ShapeError, "one per row"),
        (SURE * 1.01, LABELS, CLASSES, DataError, "add up to 1"),
        (SURE * np.nan, LABELS, CLASSES, DataError, "between 0 and 1"),
        (SURE - 0.5, LABELS, CLASSES, DataError, "between 0 and 1"),
        (SURE[:, 1], LABELS, CLASSES, ShapeError, "one column per class"),
        (SURE, LABELS, ("a", "b", "c"), ShapeError, r"\(n, 3\)"),
        (SURE, LABELS, ("a",), ConfigError, "two different classes"),
        (SURE, LABELS, ("a", "a"), ConfigError, "two different classes"),
    ],
)
def test_bad_input_is_refused_with_a_reason(
    probabilities: NDArray[np.float64], labels: Any, classes: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        utility(probabilities, labels, classes)


def test_rounding_of_float32_probabilities_is_accepted() -> None:
    logits = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    soft = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert len(utility(soft, np.arange(1000) % 2, CLASSES)) == 4


def test_models_that_predicted_different_rows_are_not_compared() -> None:
    with pytest.raises(DataError, match="same rows"):
        accuracy_difference(SURE, SURE[:5], LABELS, CLASSES)
    with pytest.raises(ConfigError, match="confidence"):
        utility(SURE, LABELS, CLASSES, confidence=1.0)
