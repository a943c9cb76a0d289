"""What every private estimator keeps: it pays first, takes nothing as public on its own word, and fits into scikit-learn."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tacit.errors import BudgetExceeded, ConfigError, DataError
from tacit.noise.arithmetic import Library
from tacit.noise.grid import clip_target
from tacit.noise.normal import Draws
from tacit.noise.source import OsSource, SeededSource
from tacit.privacy.ledger import Ledger
from tacit.train.releases import Releases
from tacit.train.trainer import Network
from train.estimators import NAMES, ONE_RELEASE, REGRESSORS, estimator, people

every = pytest.mark.parametrize("name", NAMES)
STATISTICS = {
    "PrivateBoostedTrees": "tacit.train.trees.boosting.Boosting.total",
    "PrivateLinearRegression": "tacit.train.linear.moments.Moments.total",
    "PrivateLogisticRegression": "tacit.train.linear.output_perturbation.LogisticObjective.minimum",
    "PrivateNaiveBayes": "tacit.train.bayes.Histograms.total",
}
"""What each computes from the rows' values, apart from the two that train by DP-SGD, whose order test_trainer.py watches."""


class Watched(SeededSource):
    """A source whose noise fails the test unless something was paid."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(1)
        self.ledger, self.releases = ledger, 0

    def draws(self, *, by: Library = "numpy") -> Draws:
        assert self.ledger.spent("people").epsilon > 0, "noise is drawn before anything is paid"
        self.releases += 1
        return super().draws(by=by)


@pytest.mark.parametrize("name", STATISTICS)
def test_it_pays_before_anything_is_computed_from_the_rows(name: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    module, kind, function = STATISTICS[name].rsplit(".", 2)
    owner = getattr(__import__(module, fromlist=[kind]), kind)
    original, seen = getattr(owner, function), []

    def watched(self: Any, *arguments: Any) -> Any:
        assert ledger.spent("people").epsilon > 1.9, "a statistic of the rows is computed before it is paid for"
        seen.append(function)
        return original(self, *arguments)

    monkeypatch.setattr(owner, function, watched)
    source = Watched(ledger)
    estimator(name, ledger, source=source).fit(*people(name, 60))
    assert len(seen) == source.releases >= 1
    seen.clear()
    with pytest.raises(BudgetExceeded):
        estimator(name, ledger, epsilon=50.0).fit(*people(name, 60))
    assert seen == []


@every
def test_a_fit_costs_what_it_says_and_the_ledger_says_what_for(name: str, ledger: Ledger) -> None:
    fitted = estimator(name, ledger, bounds="public: the form", request_id="mine").fit(*people(name, 60))
    assert fitted.guarantee_ is not None
    assert 1.9 < fitted.guarantee_.epsilon <= 2.0
    assert ledger.spent("people").epsilon == pytest.approx(fitted.guarantee_.epsilon, abs=1e-8)
    entry = ledger.find("mine")
    assert entry is not None
    assert entry.content["purpose"] == f"train {name}; read off the data, stated to be public: bounds (public: the form)"
    assert fitted.origins_["bounds"] == "public: the form"
    assert set(fitted.origins_.values()) <= {"public: the form", "declared", "number of rows given"}


@every
def test_what_is_public_must_be_said_to_be(name: str, ledger: Ledger) -> None:
    x, y = people(name, 60)
    target = "target_bounds" if name in REGRESSORS else "classes"
    for parameter in ("bounds", target):
        for value in (None, "public:", "the data"):
            with pytest.raises(ConfigError, match=parameter):
                estimator(name, ledger, **{parameter: value}).fit(x, y)
    for bounds in ((5, 5), (0, np.inf), (0, np.nan), ([0, 0], [1, 1]), (1, 2, 3)):
        with pytest.raises(ConfigError, match="bounds must be"):
            estimator(name, ledger, bounds=bounds).fit(x, y)
    assert ledger.spent("people").epsilon == 0


@every
def test_no_bounds_are_there_by_default_and_the_refusal_names_the_remedy(name: str, ledger: Ledger) -> None:
    """Bounds of (-1, 1) that nobody declared turned rows of 0 to 100 into ones, and spent the budget on them."""
    one = estimator(name, ledger)
    bare = type(one)(**{key: value for key, value in one.get_params(deep=False).items() if key != "bounds"})
    assert bare.get_params()["bounds"] is None
    with pytest.raises(
        ConfigError, match=r'^bounds is not given.*Declare them, bounds=\(0, 100\), .*bounds="public: the codebook"'
    ):
        bare.fit(*people(name, 60))
    assert all(entry.kind != "dp" for entry in ledger.entries())
    assert ledger.spent("people").epsilon == 0


@every
def test_bounds_read_off_the_data_are_the_ones_a_user_would_declare(name: str, ledger: Ledger) -> None:
    x, y = people(name, 60)
    read = estimator(name, ledger, bounds="public: the form", source=3).fit(x, y)
    declared = estimator(name, ledger, bounds=(x.min(axis=0), x.max(axis=0)), source=3).fit(x, y)
    np.testing.assert_array_equal(read.predict(x), declared.predict(x))


@every
def test_a_test_seed_repeats_and_is_called_by_its_name(name: str, ledger: Ledger) -> None:
    x, y = people(name, 60)
    first = estimator(name, ledger, source=3, request_id="a").fit(x, y)
    again = clone(first).set_params(request_id="b").fit(x, y)
    np.testing.assert_array_equal(first.predict(x), again.predict(x))
    assert first.guarantee_ is None
    entry = ledger.find("a")
    assert entry is not None
    assert "protects nobody" in entry.content["purpose"]


@every
def test_weights_and_other_extras_are_refused_with_a_reason(name: str, ledger: Ledger) -> None:
    x, y = people(name, 60)
    one = estimator(name, ledger)
    with pytest.raises(ConfigError, match="multiplies how far its row can move a sum"):
        one.fit(x, y, sample_weight=np.ones(60))
    with pytest.raises(ConfigError, match="got also groups"):
        one.fit(x, y, groups=np.ones(60))
    with pytest.raises(ConfigError, match=r"delta is 0\.02, and there are 60 rows"):
        estimator(name, ledger, delta=0.02).fit(x, y)
    with pytest.raises(ConfigError, match="needs a ledger"):
        estimator(name, None).fit(x, y)
    assert ledger.spent("people").epsilon == 0
    one.fit(x, y, sample_weight=None)  # as a Pipeline may pass it on


@every
def test_rows_that_cannot_be_used_are_refused_without_repeating_a_value(name: str, ledger: Ledger) -> None:
    x, y = people(name, 60)
    with pytest.raises(DataError, match="NaN"):
        estimator(name, ledger).fit(np.where(x > 9, np.nan, x), y)
    texts = x.astype(object)
    texts[7, 1] = "secret illness"
    with pytest.raises(DataError, match="not a number") as refusal:
        estimator(name, ledger).fit(texts, y)
    assert "secret" not in str(refusal.value)
    if name not in REGRESSORS:
        with pytest.raises(DataError, match="not among the declared classes"):
            estimator(name, ledger).fit(x, np.where(x[:, 0] > 5, "other", y))
    assert ledger.spent("people").epsilon == 0


@every
def test_both_kinds_of_errors_catch_a_refusal(name: str) -> None:
    x, y = people(name, 60)
    for kind in (ConfigError, ValueError):
        with pytest.raises(kind, match="needs a ledger"):
            estimator(name, None).fit(x, y)
    for kind in (ConfigError, NotFittedError):
        with pytest.raises(kind, match="not fitted"):
            estimator(name, None).predict(x)


@every
def test_it_fits_into_pipelines_takes_named_columns_and_shows_itself(name: str, ledger: Ledger) -> None:
    x, y = people(name, 60)
    frame = pd.DataFrame(x, columns=["age", "pay", "dose"])
    fitted = make_pipeline(FunctionTransformer(), estimator(name, ledger, source=2)).fit(frame, y)
    one = fitted[-1]
    assert list(one.feature_names_in_) == ["age", "pay", "dose"]
    assert one.n_features_in_ == 3
    assert is_regressor(one) if name in REGRESSORS else is_classifier(one)
    table = pa.table(dict(zip(frame.columns, x.T, strict=True)))
    from_arrow = estimator(name, ledger, source=2).fit(table, y)
    np.testing.assert_array_equal(from_arrow.predict(table), fitted.predict(frame))
    with pytest.raises(DataError, match=r"[Ff]eature names"):
        one.predict(frame[["pay", "age", "dose"]])
    assert name in one._repr_html_()
    if name not in REGRESSORS:
        np.testing.assert_allclose(one.predict_proba(frame).sum(axis=1), 1)
        assert list(one.classes_) == ["no", "yes"]


@every
def test_a_pickle_holds_what_was_learned_and_neither_ledger_nor_source(name: str, ledger: Ledger) -> None:
    x, y = people(name, 60)
    fitted = estimator(name, ledger, source=OsSource.from_os()).fit(x, y)
    copy = pickle.loads(pickle.dumps(fitted))  # noqa: S301 (what it would hold is what is tested)
    np.testing.assert_array_equal(copy.predict(x), fitted.predict(x))
    assert (copy.ledger, copy.source) == (None, None)
    assert fitted.ledger is ledger


def first_release(name: str, ledger: Ledger, x: Any, y: Any, monkeypatch: pytest.MonkeyPatch, **more: Any) -> tuple[Any, float]:
    """Return (total, clip_norm) of the first release of a fit, before its noise."""
    seen: list[tuple[Any, float]] = []
    original = Releases.release

    def watched(self: Releases, total: Any, *, clip_norm: float) -> Any:
        seen.append((total.copy(), clip_norm))
        return original(self, total, clip_norm=clip_norm)

    with monkeypatch.context() as patch:
        patch.setattr(Releases, "release", watched)
        estimator(name, ledger, source=5, **more).fit(x, y)
    return seen[0]


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("row_norm", [None, 0.7])
def test_zeroing_the_worst_row_moves_what_is_released_by_at_most_what_the_noise_covers(
    name: str, row_norm: float | None, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intercept and the count are zeroed with the row. Where the bound is exact, the worst row reaches it."""
    more: dict[str, Any] = {}
    if name in ("PrivateLinearRegression", "PrivateLogisticRegression"):
        more["row_norm"] = row_norm
    if name == "PrivateLogisticRegression":
        more |= {"n": 40, "regularization": 0.05}
    ledger.grant("people", epsilon=100, delta=0.01)
    x, y = people(name, 40)
    shares = []
    for corner in ((0, 0, 0), (10, 0, 10), (5, 5, 5), (10, 10, 10)):
        x[0], y[0] = corner, (-10 if name in REGRESSORS else "no")
        whole, clip_norm = first_release(name, ledger, x, y, monkeypatch, **more)
        zeroed, same = first_release(name, ledger, x[1:], y[1:], monkeypatch, **more)
        assert clip_norm == same
        shares.append(float(np.linalg.norm(whole - zeroed)) / clip_target(clip_norm))
    assert max(shares) <= 1 + 1e-9
    reached = {"PrivateLinearRegression": 1, "PrivateNaiveBayes": 1, "PrivateBoostedTrees": np.sqrt(0.5)}
    if name in reached:
        assert max(shares) == pytest.approx(reached[name], abs=1e-6)
    else:
        assert max(shares) > 0.02  # far below 1: other rows hold the minimum in place


@pytest.mark.parametrize("name", ONE_RELEASE)
def test_one_fit_is_one_entry_of_one_step(name: str, ledger: Ledger) -> None:
    before = len(list(ledger.entries()))
    estimator(name, ledger, request_id="mine").fit(*people(name, 60))
    assert len(list(ledger.entries())) == before + 1
    entry = ledger.find("mine")
    assert entry is not None
    assert entry.content["block"]["steps"] == 1
    with pytest.raises(ConfigError, match="mine"):
        estimator(name, ledger, request_id="mine").fit(*people(name, 60))


CHANGES: dict[str, dict[str, Any]] = {
    "PrivateBoostedTrees": {"rounds": 21, "depth": 4, "learning_rate": 0.1, "classes": ["no", "yes", "maybe"]},
    "PrivateLinearRegression": {"target_bounds": (-20, 20), "row_norm": 0.5},
    "PrivateLogisticRegression": {
        "n": 70,
        "row_norm": 0.5,
        "regularization": 0.5,
        "weight_norm": 1.0,
        "classes": ["no", "yes", "x"],
    },
    "PrivateNaiveBayes": {"bins": 4, "smoothing": 3.0, "classes": ["no", "yes", "maybe"]},
    "PrivateRegressor": {
        "target_bounds": (-20, 20),
        "hidden": (4,),
        "clip_norm": 0.1,
        "batch_size": 20,
        "epochs": 3,
        "learning_rate": 0.01,
        "momentum": 0.1,
        "n": 70,
    },
}
COMMON: dict[str, Any] = {"bounds": (0, 20), "epsilon": 1.0, "delta": 1e-6, "source": 4}
ELSEWHERE = {"ledger", "budget", "request_id", "on_step", "activation"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n == "PrivateRegressor" else []) for n in CHANGES])
def test_every_parameter_changes_what_is_predicted(name: str, ledger: Ledger) -> None:
    ledger.grant("people", epsilon=100, delta=0.01)
    x, y = people(name, 60)

    def outcome(**more: Any) -> Any:
        fitted = estimator(name, ledger, **({"source": 3} | more)).fit(x, y)
        return (fitted.predict(x) if name in REGRESSORS else fitted.predict_proba(x)).tolist()

    plain = outcome()
    assert plain == outcome()
    for parameter, value in (COMMON | CHANGES[name]).items():
        assert outcome(**{parameter: value}) != plain, parameter
    assert set(COMMON | CHANGES[name]) | ELSEWHERE >= set(estimator(name, ledger).get_params())


@pytest.mark.parametrize("name", ["PrivateBoostedTrees", "PrivateRegressor"])
def test_progress_and_activation_are_heard(name: str, ledger: Ledger) -> None:
    x, y = people(name, 60)
    steps: list[tuple[int, int]] = []
    estimator(name, ledger, on_step=lambda step, of: steps.append((step, of))).fit(x, y)
    assert [step for step, _ in steps] == list(range(1, steps[0][1] + 1))
    if name == "PrivateRegressor":
        with pytest.raises(ConfigError, match="activation"):
            estimator(name, ledger, activation="step").fit(x, y)
        assert Network().activation == "tanh"
