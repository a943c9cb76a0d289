"""Steps of a paid block: priced by another method, counted one by one, and worth the noise they buy."""

import math
from typing import Any

import numpy as np
import pytest
from mpmath import erfc, exp, mp, mpf, sqrt
from scipy.special import ndtr

from tacit.anonymize.private.spending import DRAWS, Spending, steps_block
from tacit.errors import BudgetExceeded, ConfigError, PrivacyError
from tacit.noise.grid import clip_norm_for, clip_target
from tacit.noise.source import OsSource, SeededSource, Source
from tacit.privacy.events import GaussianEvent, PoissonSampled
from tacit.privacy.ledger import Ledger
from tacit.privacy.mechanisms.exponential import Exponential
from tacit.privacy.pricing import price


def exact_delta(noise: float, epsilon: float) -> float:
    """Balle & Wang 2018, arXiv:1805.06530, Theorem 8, at 50 digits; both directions of zero-out are the same curve."""
    with mp.workdps(50):
        s, e = mpf(noise), mpf(epsilon)

        def tail(z: mpf) -> mpf:
            return erfc(-z / sqrt(2)) / 2

        return float(tail(1 / (2 * s) - e * s) - exp(e) * tail(-1 / (2 * s) - e * s))


@pytest.mark.parametrize(("epsilon", "delta", "steps"), [(1.0, 1e-5, 1), (1.0, 1e-5, 2400), (4.0, 1e-6, 42)])
def test_all_steps_together_cost_what_was_asked_and_hardly_less(epsilon: float, delta: float, steps: int) -> None:
    block = steps_block(epsilon=epsilon, delta=delta, steps=steps)
    assert isinstance(block.event, GaussianEvent)
    together = block.event.noise_multiplier / math.sqrt(steps)
    assert exact_delta(together, epsilon) <= delta < exact_delta(together * 0.997, epsilon)
    assert (block.steps, block.spare_steps, block.guarantee.delta) == (steps, 0, delta)
    assert block.guarantee.epsilon <= epsilon


def spending(ledger: Ledger, steps: int, source: Source | None = None, **more: Any) -> Spending:
    settings = {"budget": "people", "request_id": "mine", "purpose": "test"} | more
    block = steps_block(epsilon=1.0, delta=1e-5, steps=steps)
    return Spending(block=block, ledger=ledger, source=SeededSource(0) if source is None else source, **settings)


def test_nothing_is_released_that_was_not_paid_for(ledger: Ledger) -> None:
    paid = spending(ledger, 10)
    with pytest.raises(PrivacyError, match="nothing was paid for"):
        paid.noisy(np.zeros(3), sensitivity=1.0, steps=1)
    with pytest.raises(PrivacyError, match="nothing was paid for"):
        paid.choice([1.0, 2.0], sensitivity=1.0, steps=1)
    with paid:
        assert ledger.spent("people").delta == 1e-5
        paid.noisy(np.zeros(3), sensitivity=1.0, steps=4)
        paid.choice([1.0, 2.0], sensitivity=1.0, steps=3)
        assert paid.steps_left == 3
        with pytest.raises(BudgetExceeded):
            paid.noisy(np.zeros(3), sensitivity=1.0, steps=4)
        with pytest.raises(BudgetExceeded):
            paid.choice([1.0, 2.0], sensitivity=1.0, steps=1)
    with pytest.raises(PrivacyError):
        paid.choice([1.0, 2.0], sensitivity=1.0, steps=1)


@pytest.mark.parametrize(("more", "error"), [({"budget": "nobody"}, BudgetExceeded), ({"request_id": "taken"}, ConfigError)])
def test_a_refused_budget_releases_nothing(ledger: Ledger, more: dict[str, Any], error: type[Exception]) -> None:
    with spending(ledger, 1, request_id="taken"):
        pass
    refused = spending(ledger, 1, **more)
    with pytest.raises(error), refused:
        pass
    with pytest.raises(PrivacyError):
        refused.noisy(np.zeros(3), sensitivity=1.0, steps=1)


def test_noise_has_the_deviation_that_its_steps_buy(ledger: Ledger) -> None:
    """Fails by chance with probability <= 2e-9 (Dvoretzky-Kiefer-Wolfowitz-Massart), and sees a deviation off by 15 %."""
    n, chance = 9 * DRAWS, 1e-9
    bound = math.sqrt(math.log(2 / chance) / (2 * n))  # 0.017
    with spending(ledger, 18, OsSource.from_os()) as paid:
        for sensitivity in (1.0, math.sqrt(15)):
            values, deviation = paid.noisy(np.full(n, 1000.0), sensitivity=sensitivity, steps=9)
            expected = steps_block(epsilon=1.0, delta=1e-5, steps=18).event
            assert isinstance(expected, GaussianEvent)
            assert deviation == pytest.approx(expected.noise_multiplier / 3 * sensitivity / (1 - 2.0**-9), rel=1e-12)
            assert largest_gap(values - 1000.0, deviation) <= bound
            for wrong in (deviation / 2, deviation * 0.85, deviation * 1.15):  # the sensitivity halved, among others
                assert largest_gap(values - 1000.0, wrong) > bound


def largest_gap(values: np.ndarray, scale: float) -> float:
    ordered = np.sort(values)
    expected = ndtr(ordered / scale)
    places = np.arange(len(ordered)) / len(ordered)
    return float(max(np.abs(expected - places).max(), np.abs(expected - places - 1 / len(ordered)).max()))


def test_a_choice_is_that_of_the_mechanism_its_steps_buy(ledger: Ledger) -> None:
    scores = [float(place * 3) for place in range(50)]
    with spending(ledger, 40, SeededSource(5)) as paid:
        found = [paid.choice(scores, sensitivity=1.0, steps=10) for _ in range(4)]
        event = GaussianEvent(noise_multiplier=paid.noise_multiplier(10))
    source = SeededSource(5)
    assert found == [Exponential.costing(event).choose(scores, sensitivity=1.0, source=source) for _ in range(4)]


def test_more_counts_than_the_price_covers_are_refused(ledger: Ledger) -> None:
    with spending(ledger, 3) as paid:
        with pytest.raises(PrivacyError, match="tail"):
            paid.noisy(np.zeros(2 * DRAWS + 1), sensitivity=1.0, steps=2)
        for steps in (0, -1):
            with pytest.raises(ConfigError, match="steps >= 1"):
                paid.choice([1.0], sensitivity=1.0, steps=steps)
        assert paid.steps_left == 3


def test_only_gaussian_steps_are_spent(ledger: Ledger) -> None:
    event = PoissonSampled(probability=0.5, event=GaussianEvent(noise_multiplier=5.0))
    block = price(event, steps=1, spare_steps=0, checkpoint_every=1, delta=1e-5)
    with pytest.raises(ConfigError, match="Use gaussian_block"):
        Spending(block=block, ledger=ledger, budget="people", request_id=None, purpose="test", source=SeededSource(0))


@pytest.mark.parametrize("length", [1.0, math.sqrt(2), math.sqrt(15) * (1 + 2.0**-50), 1e-9])
def test_a_clip_norm_covers_its_length_and_hardly_more(length: float) -> None:
    norm = clip_norm_for(length)
    assert clip_target(norm) >= length > clip_target(norm * (1 - 1e-12))
