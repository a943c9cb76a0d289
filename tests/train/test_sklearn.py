"""PrivateClassifier: scikit-learn's manners, tacit's rules."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tacit.errors import BudgetExceeded, ConfigError, DataError
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.train.sklearn import PrivateClassifier


def people(n: int = 500) -> tuple[NDArray[np.float64], NDArray[Any]]:
    generator = np.random.default_rng(1)
    x = generator.uniform(0, 10, size=(n, 3))
    return x, np.where(x[:, 0] - x[:, 1] > 0, "yes", "no")


def classifier(ledger: Ledger, **more: Any) -> PrivateClassifier:
    settings: dict[str, Any] = {"budget": "people", "bounds": (0, 10), "classes": ["no", "yes"], "epsilon": 3.0, "epochs": 5}
    return PrivateClassifier(ledger=ledger, **(settings | more))


def test_it_fits_predicts_and_says_what_it_cost(ledger: Ledger) -> None:
    x, y = people()
    fitted = classifier(ledger).fit(x, y)
    assert fitted.score(x, y) > 0.85
    np.testing.assert_allclose(fitted.predict_proba(x).sum(axis=1), 1)
    assert set(fitted.predict(x)) <= {"no", "yes"}
    assert fitted.guarantee_ is not None
    assert 2.9 < fitted.guarantee_.epsilon <= 3.0
    assert ledger.spent("people").epsilon == pytest.approx(fitted.guarantee_.epsilon, abs=1e-8)


def test_every_fit_is_charged_and_the_budget_ends(ledger: Ledger) -> None:
    x, y = people(60)
    for _ in range(3):
        classifier(ledger).fit(x, y)
    with pytest.raises(BudgetExceeded):
        classifier(ledger).fit(x, y)


def test_without_a_ledger_nothing_is_fitted() -> None:
    with pytest.raises(ConfigError, match="needs a ledger"):
        PrivateClassifier(classes=["no", "yes"]).fit(*people(20))


def test_it_works_in_a_pipeline_and_can_be_cloned(ledger: Ledger) -> None:
    base = pytest.importorskip("sklearn.base", reason="not run: scikit-learn")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    copy = base.clone(classifier(ledger, epsilon=2.5))
    assert copy.get_params()["epsilon"] == 2.5
    x, y = people()
    pipeline = make_pipeline(FunctionTransformer(), copy).fit(x, y)
    assert pipeline.score(x, y) > 0.85
    assert base.is_classifier(copy)


def test_every_parameter_changes_an_output_an_event_or_a_refusal(ledger: Ledger) -> None:
    """None is accepted and ignored."""
    x, y = people(60)
    ledger.grant("others", epsilon=1e6, delta=0.5)

    def outcome(**more: Any) -> tuple[Any, ...]:
        steps: list[int] = []
        settings = {"source": SeededSource(1), "budget": "others", "on_step": None, "epsilon": 0.3, "epochs": 1} | more
        if settings["on_step"] == "count":
            settings["on_step"] = lambda step, _: steps.append(step)
        fitted = classifier(ledger, **settings).fit(x, y)
        last = list(ledger.entries())
        request = [entry.request_id for entry in last if entry.kind == "dp"][-1]
        weights = tuple(float(w.sum()) for w in fitted.network_.weights)
        return (fitted.plan_, weights, tuple(fitted.classes_), len(steps), request if "request_id" in more else "")

    plain = outcome(hidden=(4,))
    changes: dict[str, Any] = {
        "budget": "people",
        "bounds": (0, 20),
        "classes": ["no", "yes", "maybe"],
        "epsilon": 0.4,
        "delta": 1e-6,
        "hidden": (5,),
        "activation": "relu",
        "clip_norm": 0.5,
        "batch_size": 20,
        "epochs": 2,
        "learning_rate": 0.1,
        "momentum": 0.5,
        "n": 70,
        "request_id": "mine",
        "source": SeededSource(2),
        "on_step": "count",
    }
    before = ledger.spent("people")
    for name, value in changes.items():
        changed = outcome(**{"hidden": (4,), name: value})
        if name == "budget":
            assert ledger.spent("people") != before
        else:
            assert changed != plain, name
    assert set(changes) | {"ledger"} == set(PrivateClassifier().get_params()), "a parameter is not tried here"


def test_bad_input_is_answered_with_what_to_do(ledger: Ledger) -> None:
    x, y = people(30)
    with pytest.raises(DataError, match="not among the declared classes"):
        classifier(ledger, classes=["no", "never"]).fit(x, y)
    with pytest.raises(DataError, match="NaN"):
        classifier(ledger).fit(np.where(x > 9, np.nan, x), y)
    with pytest.raises(DataError, match="Expected 2D array"):
        classifier(ledger).fit(x[:, 0], y)
    with pytest.raises(ConfigError, match="low < high"):
        classifier(ledger, bounds=(5, 5)).fit(x, y)
    with pytest.raises(ConfigError, match="at least two labels"):
        classifier(ledger, classes=["no"]).fit(x, y)
    with pytest.raises(ConfigError, match="not fitted"):
        classifier(ledger).predict(x)
    with pytest.raises(ValueError, match="Invalid parameter 'epsilonn'"):
        classifier(ledger).set_params(epsilonn=1)
    assert ledger.spent("people").epsilon == 0
