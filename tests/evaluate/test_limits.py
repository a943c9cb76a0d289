import math
from statistics import NormalDist

import numpy as np
import pytest

from tacit.evaluate.limits import advantage_limit, attack_limit, auc_limit, limit_curve
from tacit.privacy.guarantee import Guarantee

PHI = NormalDist()
CLAIM = Guarantee(epsilon=1.0, delta=0.1)


def test_randomized_response_reaches_the_limit_exactly() -> None:
    pure = Guarantee(epsilon=1.0, delta=0.0)
    tpr, fpr = math.e / (1 + math.e), 1 / (1 + math.e)
    assert attack_limit(pure, fpr) == pytest.approx(tpr, rel=1e-12)
    assert advantage_limit(pure) == pytest.approx(tpr - fpr, rel=1e-12)
    assert auc_limit(pure) == pytest.approx(tpr, rel=1e-12)  # two straight pieces through (fpr, tpr): (1 + tpr - fpr) / 2 = tpr


def test_a_gaussian_stays_under_its_limit_and_touches_it_once() -> None:
    # mu = 1 is (1/2, 0.2384217)-DP, tightly: delta = Phi(-eps + 1/2) - e^eps Phi(-eps - 1/2)
    claim = Guarantee(epsilon=0.5, delta=PHI.cdf(0.0) - math.exp(0.5) * PHI.cdf(-1.0))
    gaps = [attack_limit(claim, f) - PHI.cdf(PHI.inv_cdf(f) + 1) for f in np.linspace(0.001, 0.999, 999)]
    assert min(gaps) == pytest.approx(0, abs=1e-5)
    assert min(gaps) >= -1e-12


def test_the_limits_agree_with_the_curve_they_summarize() -> None:
    rates = np.linspace(0, 1, 10_001)
    curve = np.array(limit_curve(CLAIM, rates))
    assert curve[:, 0] == pytest.approx(rates)
    assert advantage_limit(CLAIM) == pytest.approx(float((curve[:, 1] - curve[:, 0]).max()), abs=1e-3)
    assert auc_limit(CLAIM) == pytest.approx(float(np.trapezoid(curve[:, 1], rates)), abs=1e-6)
    assert curve[:, 1].max() <= 1


def test_without_privacy_there_is_no_limit_and_with_epsilon_0_no_attack() -> None:
    assert attack_limit(Guarantee(epsilon=2000.0, delta=0.0), 0.5) == 1.0
    assert auc_limit(Guarantee(epsilon=2000.0, delta=0.0)) == pytest.approx(1.0)
    nothing = Guarantee(epsilon=0.0, delta=0.0)
    assert (attack_limit(nothing, 0.3), advantage_limit(nothing), auc_limit(nothing)) == pytest.approx((0.3, 0.0, 0.5))
