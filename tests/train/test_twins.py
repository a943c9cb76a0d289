"""Audit twins run the plan's own sampler, mechanism and source."""

import numpy as np

from simple_training import plan
from tacit.noise.grid import clip_target
from tacit.noise.source import OsSource, Source, Zeros
from tacit.train.plan import Plan
from tacit.train.torch.twins import CanaryTwins


def twins(a_plan: Plan, source: Source, **more: object) -> CanaryTwins:
    generator = np.random.default_rng(0)
    features, labels = generator.uniform(-1, 1, size=(a_plan.n, 5)), generator.integers(0, 2, size=a_plan.n)
    return CanaryTwins(plan=a_plan, features=features, labels=labels, source=source, **more)  # type: ignore[arg-type]


def test_without_noise_a_twin_counts_how_often_its_canary_was_drawn() -> None:
    present = np.zeros((40, 3), dtype=bool)
    present[:20] = True
    seen = twins(plan(200, 40, steps=50, clip_norm=0.5, noise=1.0), Zeros())(present)
    assert (seen[20:] == 0).all(), "an absent canary leaves no trace, and no ordinary row touches its coordinate"
    counts = seen[:20] / clip_target(1.0)
    np.testing.assert_allclose(counts, np.rint(counts), atol=0.1)
    assert abs(counts.mean() - 10) < 6.2 * np.sqrt(50 * 0.2 * 0.8 / 60)  # 60 binomial(50, 0.2) counts; chance < 1e-9


def test_with_noise_a_canary_coordinate_has_the_plans_deviation() -> None:
    """4,000 sums of 25 steps: deviation noise * sqrt(25) within 7.5%, 6.7 standard errors; 20% too little would be seen."""
    noise, steps = 2.0, 25
    seen = twins(plan(50, 10, steps=steps, noise=noise), OsSource.from_os())(np.zeros((200, 20), dtype=bool))
    ratio = seen.std() / (noise * np.sqrt(steps))
    assert abs(ratio - 1) < 0.075
    assert abs(0.8 * ratio - 1) > 0.075


def test_ordinary_rows_are_clipped_and_the_twins_learn() -> None:
    a_plan = plan(300, 300, noise=0.5)
    generator = np.random.default_rng(0)
    features = generator.uniform(-1, 1, size=(300, 2))
    learner = CanaryTwins(plan=a_plan, features=features, labels=(features[:, 0] > 0).astype(np.int64), source=OsSource.from_os())
    weights = np.zeros((1, 3))
    rows = np.hstack([features, np.ones((300, 1))])
    assert np.linalg.norm(learner._gradients(100 * rows, weights)) <= 300 * a_plan.clip_norm
    moved = -learner._gradients(rows, weights)[0]
    assert moved[0] > 3 * abs(moved[1]), "the gradient points to the coordinate that decides"


def test_progress_is_told_step_by_step() -> None:
    heard: list[tuple[int, int]] = []
    twins(plan(20, 5, steps=4, noise=1.0), Zeros(), on_step=lambda step, steps: heard.append((step, steps)))(
        np.ones((2, 1), dtype=bool)
    )
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
