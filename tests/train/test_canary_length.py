"""A canary is a record like any other: clipped to the same length, so that the audit sees what the mechanism bounds."""

import numpy as np
import pytest

from simple_training import plan
from tacit.noise.grid import clip_target
from tacit.noise.source import Zeros
from tacit.train.torch.twins import CanaryTwins


@pytest.mark.parametrize("clip_norm", [0.5, 1.0, 4.0])
def test_a_canary_has_the_length_that_a_clipped_record_has(clip_norm: float) -> None:
    """Everyone is drawn in every step: the score is steps x clip target, in clip norms; the margin is 40 times the tolerance."""
    steps = 3
    features, labels = np.linspace(-1, 1, 40).reshape(20, 2), np.arange(20) % 2
    twins = CanaryTwins(
        plan=plan(20, 20, steps=steps, clip_norm=clip_norm, noise=1.0), features=features, labels=labels, source=Zeros()
    )
    seen = twins(np.ones((4, 5), dtype=bool))
    np.testing.assert_allclose(seen, steps * clip_target(clip_norm) / clip_norm, rtol=5e-5)
