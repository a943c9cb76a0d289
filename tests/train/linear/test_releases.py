"""A paid Gaussian release: its price by another method, its noise by measurement, its order by the ledger."""

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from mpmath import erfc, exp, mp, mpf, sqrt

from tacit.errors import BudgetExceeded, ConfigError, PrivacyError
from tacit.noise.grid import clip_norm_for, clip_target
from tacit.noise.source import OsSource, SeededSource, Source, Zeros
from tacit.privacy.block import Block
from tacit.privacy.events import GaussianEvent, PoissonSampled
from tacit.privacy.ledger import Ledger
from tacit.privacy.pricing import price
from tacit.train.releases import Releases, vector_block


def exact_delta(noise: float, epsilon: float) -> float:
    """Balle & Wang 2018, arXiv:1805.06530, Theorem 8, at 50 digits; both directions of zero-out are the same curve."""
    with mp.workdps(50):
        s, e = mpf(noise), mpf(epsilon)

        def tail(z: mpf) -> mpf:
            return erfc(-z / sqrt(2)) / 2

        return float(tail(1 / (2 * s) - e * s) - exp(e) * tail(-1 / (2 * s) - e * s))


@pytest.mark.parametrize(("epsilon", "delta", "steps"), [(1.0, 1e-5, 1), (4.0, 1e-6, 1), (1.0, 1e-5, 100)])
def test_the_noise_is_the_least_that_the_exact_curve_allows(epsilon: float, delta: float, steps: int) -> None:
    block = vector_block(epsilon=epsilon, delta=delta, length=10, steps=steps)
    assert isinstance(block.event, GaussianEvent)
    together = block.event.noise_multiplier / math.sqrt(steps)
    assert exact_delta(together, epsilon) <= delta
    assert exact_delta(together * 0.997, epsilon) > delta
    assert (block.steps, block.spare_steps) == (steps, 0)
    assert block.guarantee.epsilon <= epsilon


def test_longer_vectors_are_priced_for_their_draws() -> None:
    """The missing tail of more draws counts in delta, so a release is priced for at least its own length."""
    short, long = (vector_block(epsilon=12.0, delta=1e-12, length=length) for length in (4096, 2**20))
    assert short.event != long.event
    assert isinstance(long.event, GaussianEvent)
    assert long.guarantee == price(long.event, steps=1, spare_steps=0, checkpoint_every=1, delta=1e-12, draws=2**20).guarantee
    assert (short.draws, long.draws) == (4096, 2**20)
    with pytest.raises(ConfigError, match="at least one value"):
        vector_block(epsilon=1.0, delta=1e-5, length=0)


@pytest.mark.parametrize("length", [1e-9, 0.1, 1 / 3, 1.0, math.sqrt(2), 12345.678])
def test_a_clip_norm_covers_its_length_and_hardly_more(length: float) -> None:
    norm = clip_norm_for(length)
    assert clip_target(norm) >= length
    assert clip_target(norm * (1 - 1e-12)) < length


def releases(ledger: Ledger, block: Block, source: Source, **more: str) -> Releases:
    settings = {"budget": "people", "request_id": "mine", "purpose": "test"} | more
    return Releases(block=block, ledger=ledger, source=source, **settings)


def test_the_noise_has_the_scale_that_was_paid_for(ledger: Ledger) -> None:
    """Fails by chance with probability <= 1e-9 (Dvoretzky-Kiefer-Wolfowitz-Massart, any n); half the noise is seen."""
    n, chance = 100_000, 1e-9
    block = vector_block(epsilon=1.0, delta=1e-5, length=n)
    total = np.linspace(-50, 50, n)
    with releases(ledger, block, OsSource.from_os()) as paid:
        noise = np.sort(paid.release(total, clip_norm=2.0) - total) / (2.0 * paid.noise_multiplier)
    assert paid.noise_multiplier == pytest.approx(3.731, rel=2e-3)  # exact curve above
    expected = np.array([math.erfc(-z / math.sqrt(2)) / 2 for z in noise])
    halved = np.array([math.erfc(-2 * z / math.sqrt(2)) / 2 for z in noise])
    bound = math.sqrt(math.log(2 / chance) / (2 * n))
    places = (np.arange(n) + 0.5) / n
    assert np.abs(expected - places).max() <= bound + 1 / n
    assert np.abs(halved - places).max() > 10 * bound


def test_nothing_is_released_that_was_not_paid_for(ledger: Ledger) -> None:
    block, total = vector_block(epsilon=1.0, delta=1e-5, length=4, steps=2), np.zeros(4)
    paid = releases(ledger, block, SeededSource(1))
    with pytest.raises(PrivacyError, match="nothing was paid"):
        paid.release(total, clip_norm=1.0)
    with paid:
        assert ledger.spent("people").epsilon == pytest.approx(block.guarantee.epsilon, abs=1e-8)
        paid.release(total, clip_norm=1.0)
        paid.release(total, clip_norm=1.0)
        with pytest.raises(BudgetExceeded, match="all 2 steps"):
            paid.release(total, clip_norm=1.0)
    with pytest.raises(PrivacyError, match="ended"):
        paid.release(total, clip_norm=1.0)
    with pytest.raises(ConfigError, match="mine"), releases(ledger, block, SeededSource(1)):
        pass
    with pytest.raises(BudgetExceeded), releases(ledger, block, SeededSource(1), budget="nobody", request_id="other"):
        pass


def test_only_vector_blocks_are_released_this_way(ledger: Ledger) -> None:
    """A plain block does not say how many values its price covers."""
    gaussian, sampled = (
        GaussianEvent(noise_multiplier=3.0),
        PoissonSampled(probability=0.1, event=GaussianEvent(noise_multiplier=3.0)),
    )
    for event in (gaussian, sampled):
        block = price(event, steps=1, spare_steps=0, checkpoint_every=1, delta=1e-5, draws=4)
        with pytest.raises(ConfigError, match="Gaussian releases"):
            releases(ledger, block, SeededSource(1))
    with pytest.raises(ConfigError, match="Gaussian releases"):
        replace(vector_block(epsilon=1.0, delta=1e-5, length=4), event=sampled)


def test_a_vector_longer_than_its_price_is_refused_uncounted(ledger: Ledger) -> None:
    with releases(ledger, vector_block(epsilon=1.0, delta=1e-5, length=2000), SeededSource(1)) as paid:
        for total in (np.zeros(4097), np.zeros((2, 4096))):
            with pytest.raises(PrivacyError, match="tail"):
                paid.release(total, clip_norm=1.0)
        assert paid.steps_left == 1
        assert paid.release(np.zeros(4096), clip_norm=1.0).shape == (4096,)


def test_what_was_charged_is_what_is_released(ledger: Ledger) -> None:
    """A cheaper block put in the dear one's place would be charged for the dear one's noise."""
    dear, cheap = (vector_block(epsilon=epsilon, delta=1e-5, length=4) for epsilon in (1.0, 0.1))
    paid = releases(ledger, dear, SeededSource(1))
    for name, value in (("block", cheap), ("ledger", None), ("budget", "other"), ("source", Zeros())):
        with pytest.raises(FrozenInstanceError):
            setattr(paid, name, value)
    with paid:
        assert ledger.spent("people").epsilon == pytest.approx(dear.guarantee.epsilon, abs=1e-8)
        assert paid.noise_multiplier == dear.noise_multiplier < cheap.noise_multiplier


@pytest.mark.parametrize("draws", [0, -1, True, 1.5])
def test_a_block_says_how_many_values_it_covers(draws: int) -> None:
    with pytest.raises(ConfigError, match="draws must be"):
        replace(vector_block(epsilon=1.0, delta=1e-5, length=4), draws=draws)
