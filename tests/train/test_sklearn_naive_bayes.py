"""Naive Bayes from noisy histograms: counts by hand, probabilities by scikit-learn, noise that does not break it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.naive_bayes import CategoricalNB

from tacit.errors import ConfigError
from tacit.noise.grid import clip_target
from tacit.privacy.ledger import Ledger
from tacit.train.bayes import Histograms
from train.estimators import estimator, people


def test_counts_are_those_counted_by_hand() -> None:
    one = Histograms(classes=2, bins=(2, 3))
    rows = np.array([[-1.0, -1.0], [1.0, 0.0], [0.5, 1.0]])
    assert one.total(rows, np.array([0, 1, 1])).tolist() == [1, 0, 1, 0, 0, 0, 2, 0, 1, 1]


@pytest.mark.parametrize("m", [2, 3, 7, 42])
def test_codes_have_a_bin_each(m: int) -> None:
    codes = np.arange(m) / (m - 1) * 2 - 1
    assert Histograms(classes=2, bins=(m,)).total(codes[:, None], np.zeros(m, dtype=np.int64)).tolist() == [1] * m + [0] * m


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_every_row_counts_once_in_each_feature_and_that_is_its_length(bins: list[int], seed: int) -> None:
    one, generator = Histograms(classes=3, bins=tuple(bins)), np.random.default_rng(seed)
    rows, numbers = generator.uniform(-1, 1, size=(5, len(bins))), generator.integers(0, 3, size=5)
    gone = one.total(rows, numbers) - one.total(rows[1:], numbers[1:])
    assert gone.sum() == len(bins)
    assert np.linalg.norm(gone) == pytest.approx(math.sqrt(len(bins)))
    assert np.linalg.norm(gone) <= clip_target(one.clip_norm) < np.linalg.norm(gone) * 1.0001


def test_without_noise_the_probabilities_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    codes, numbers = generator.integers(0, 4, size=(500, 3)), generator.integers(0, 3, size=500)
    rows = codes / 3 * 2 - 1
    one = Histograms(classes=3, bins=(4, 4, 4))
    found = one.fitted(one.total(rows, numbers), noise=0.0, smoothing=1.0)
    twin = CategoricalNB(alpha=1.0, min_categories=4).fit(codes, numbers)
    np.testing.assert_allclose(found.log_probabilities(rows), twin.predict_log_proba(codes), atol=1e-10)


def test_noise_alone_gives_finite_probabilities_that_add_up(ledger: Ledger) -> None:
    x, y = people("PrivateNaiveBayes", 20)
    fitted = estimator("PrivateNaiveBayes", ledger, epsilon=0.1).fit(x, y)
    probabilities = fitted.predict_proba(x)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_bins_are_one_number_or_one_for_each_feature(ledger: Ledger) -> None:
    x, y = people("PrivateNaiveBayes", 20)
    for bins in ([2, 3], 0, [2, 3, 0]):
        with pytest.raises(ConfigError, match="bins"):
            estimator("PrivateNaiveBayes", ledger, bins=bins).fit(x, y)
    with pytest.raises(ConfigError, match="smoothing"):
        estimator("PrivateNaiveBayes", ledger, smoothing=math.nan).fit(x, y)
    assert ledger.spent("people").epsilon == 0
    assert estimator("PrivateNaiveBayes", ledger, bins=[2, 3, 4]).fit(x, y).model_.histograms.bins == (2, 3, 4)
