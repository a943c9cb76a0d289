"""Output perturbation: the minimum by scikit-learn, the sensitivity on neighbours, the certificate by a slow gradient."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.grid import clip_target
from tacit.train.linear.output_perturbation import LogisticObjective

Floats = NDArray[np.float64]


def rows(n: int, d: int, classes: int, seed: int = 1) -> tuple[Floats, NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    x = generator.uniform(-1, 1, size=(n, d))
    return x, np.digitize(x[:, 0] + generator.normal(scale=0.5, size=n), np.linspace(-1, 1, classes + 1)[1:-1])


def objective(**more: Any) -> LogisticObjective:
    return LogisticObjective(**({"features": 3, "classes": 2, "n": 300, "row_norm": 2.0, "regularization": 0.01} | more))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_minimum_is_the_one_scikit_learn_finds(classes: int) -> None:
    x, y = rows(300, 3, classes)
    found = objective(classes=classes).minimum(x, y).reshape(-1, 4)
    twin = LogisticRegression(C=1 / (300 * 0.01), fit_intercept=False, tol=1e-12, max_iter=10_000)
    np.testing.assert_allclose(found, twin.fit(np.hstack([x, np.ones((300, 1))]), y).coef_, atol=2e-3 * 3 / 0.01 / 300)


def test_one_row_has_its_minimum_where_the_derivative_says() -> None:
    """n = 1, z = (1, 1), class 1: w = (a, a) with 2 a reg = 2 / (1 + exp(2 a)), solved by bisection."""
    a = brentq(lambda w: 0.1 * w - 1 / (1 + math.exp(2 * w)), 0, 10, xtol=1e-14)
    one = objective(features=1, n=1, row_norm=1.0, regularization=0.1)
    found = one.minimum(np.ones((1, 1)), np.ones(1, dtype=np.int64))
    np.testing.assert_allclose(found, [a, a], atol=1e-3 * math.sqrt(2) / 0.1)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("row_norm", [2.0, 0.5])
def test_what_is_released_has_a_certified_gradient(classes: int, row_norm: float) -> None:
    x, y = rows(300, 3, classes)
    one = objective(classes=classes, row_norm=row_norm)
    w = one.minimum(x, y).reshape(-1, 4)
    gradient = 0.01 * w
    for features, label in zip(x, y, strict=True):
        z = np.append(features, 1.0)
        weight = min(1.0, math.sqrt(row_norm**2 + 1) / float(np.linalg.norm(z)))
        logits = [0.0, float(w[0] @ z)] if classes == 2 else [float(row @ z) for row in w]
        p = np.exp(logits) / np.sum(np.exp(logits))
        share = (p - np.eye(classes)[label])[1 if classes == 2 else 0 :]
        assert np.linalg.norm(np.outer(share, z) * weight) <= one.lipschitz
        gradient = gradient + np.outer(share, z) * weight / 300
    assert np.linalg.norm(gradient) <= 1e-3 * one.lipschitz / 300


@pytest.mark.parametrize("classes", [2, 3])
def test_zeroing_a_row_moves_the_minimum_by_at_most_the_sensitivity(classes: int) -> None:
    one = objective(classes=classes, n=30, regularization=0.02)
    x, y = rows(30, 3, classes)
    whole = one.minimum(x, y)
    for gone in range(30):
        zeroed = one.minimum(np.delete(x, gone, axis=0), np.delete(y, gone))
        assert np.linalg.norm(whole - zeroed) <= one.sensitivity <= clip_target(one.clip_norm)


def test_the_sensitivity_is_reached_up_to_the_factor_that_one_row_alone_explains() -> None:
    """One row among none, weakly pulled: w moves from 0 to nearly L / (n reg). Half of the noise would not cover it."""
    one = objective(features=1, n=1000, row_norm=1.0, regularization=1.0)
    moved = float(np.linalg.norm(one.minimum(np.ones((1, 1)), np.ones(1, dtype=np.int64))))
    exact = math.sqrt(2) / 1000 * 0.5  # the residual at w = 0 is one half
    assert moved == pytest.approx(exact, rel=5e-3)
    assert one.sensitivity == pytest.approx(math.sqrt(2) / 1000 * 1.002, rel=1e-9)


def test_a_wrong_label_the_model_is_sure_about_reaches_nearly_all_of_it() -> None:
    """999 rows say class 0 at z = (1, 1); the row that says 1 has a residual near 1, and only its own pull holds it."""
    one = objective(features=1, n=1000, row_norm=1.0, regularization=0.001)
    x, y = np.ones((1000, 1)), np.zeros(1000, dtype=np.int64)
    y[0] = 1
    moved = np.linalg.norm(one.minimum(x, y) - one.minimum(x[1:], y[1:]))
    assert moved <= one.sensitivity
    assert moved > 0.05 * one.sensitivity


def test_the_default_regularization_depends_on_public_values_and_falls_with_rows() -> None:
    def default(**more: Any) -> float:
        known: dict[str, Any] = {"n": 1000, "classes": 2, "row_norm": 1.0, "noise_multiplier": 4.0, "weight_norm": 10.0}
        return LogisticObjective.default_regularization(**(known | more))

    def cost(reg: float) -> float:
        noise = 4.0 * math.sqrt(2) / (1000 * reg)
        return reg / 2 * 10.0**2 / 2 + noise**2 * 2 / 8

    best = default()
    assert cost(best) < min(cost(best * 1.01), cost(best / 1.01))
    assert default(n=10_000) < best < default(classes=3)
    assert best < default(row_norm=2.0)
    assert default(weight_norm=20.0) < best < default(noise_multiplier=8.0)


@pytest.mark.parametrize("name", ["row_norm", "regularization"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        objective(**{name: value})


def test_what_float64_cannot_certify_is_refused_before_anything_is_paid() -> None:
    with pytest.raises(PrivacyError, match="cannot certify"):
        objective(n=10**12)


def test_a_point_without_a_certificate_is_never_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    import tacit.train.linear.output_perturbation as module

    monkeypatch.setattr(module, "MOST_ITERATIONS", 1)
    with pytest.raises(PrivacyError, match="nothing was released"):
        objective().minimum(*rows(300, 3, 2))
