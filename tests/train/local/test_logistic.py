import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError, PrivacyError, ShapeError
from tacit.noise import OsSource, SeededSource, Source
from tacit.privacy.local import BoundedVector, Reports
from tacit.train.local import LocalLogisticRegression, Progress

SETTINGS: dict[str, Any] = {"epsilon": 4.0, "features": 2, "classes": ("no", "yes"), "rounds": 4}
Floats = NDArray[np.float64]


def walk(regression: LocalLogisticRegression, features: Floats, labels: NDArray[Any], source: Source) -> Progress:
    """Deal the people out and let every group answer once."""
    progress = regression.start()
    for group in regression.groups(len(features), source):
        progress = regression.step(progress, regression.answer(progress, features[group], labels[group], source))
    return progress


def loss(weights: Floats, row: Floats, target: float) -> float:
    score = float(row @ weights[:-1] + weights[-1])
    return math.log1p(math.exp(score)) - target * score


def test_a_person_reports_the_gradient_of_its_own_loss() -> None:
    """The gradient by central differences of the loss; then what the mechanism makes of it with the same randomness."""
    regression = LocalLogisticRegression(**SETTINGS, clip_norm=5.0)
    weights, row = np.array([0.3, -0.7, 0.2]), np.array([0.5, 0.9])
    progress = Progress(weights=weights, summed=np.zeros(3))
    for label, target in (("no", 0.0), ("yes", 1.0)):
        steps = 1e-6 * np.eye(3)
        gradient = [(loss(weights + step, row, target) - loss(weights - step, row, target)) / 2e-6 for step in steps]
        seen = regression.answer(progress, row[None], [label], SeededSource(8)).values
        assert seen == pytest.approx(regression.mechanism.randomize([gradient], SeededSource(8)).values, abs=1e-6)


def test_a_report_is_one_release_of_the_stated_mechanism() -> None:
    regression = LocalLogisticRegression(**SETTINGS, clip_norm=0.5)
    assert regression.mechanism == BoundedVector(epsilon=4.0, dimension=3, radius=0.5)
    progress = regression.start()
    reports = regression.answer(progress, [[1.0, 2.0]], ["yes"], OsSource.from_os())
    assert reports.guarantee == regression.mechanism.guarantee == regression.guarantee(progress)


@pytest.mark.parametrize("far", [1e3, 1e300])
def test_a_long_gradient_counts_no_more_than_the_clip_norm(far: float) -> None:
    regression = LocalLogisticRegression(**SETTINGS)
    reports = regression.answer(regression.start(), [[far, 0.0]], ["yes"], SeededSource(1))
    assert np.linalg.norm(regression.mechanism.unbiased(reports)) <= 1 / regression.mechanism.unit.norm + 1e-9


def test_a_step_follows_the_mean_report_and_the_model_averages_the_second_half() -> None:
    regression = LocalLogisticRegression(**SETTINGS, learning_rate=0.1)
    progress, length = regression.start(), 1 / regression.mechanism.unit.norm
    for place in (0, 1, 2, 2):
        direction = -np.eye(4)[[place, 3]]  # two people: one along a weight, one along the coordinate that is dropped
        progress = regression.step(progress, Reports(values=direction, mechanism=regression.mechanism, private=True))
    step = 0.1 * length / 2
    assert progress.weights == pytest.approx([step, step, 2 * step])
    model = regression.model(progress)
    assert model.weights[0] == pytest.approx(np.array([[step, step]]))
    assert model.biases[0] == pytest.approx(np.array([1.5 * step]))
    assert model.classes == ("no", "yes")


def test_weights_stay_within_their_norm() -> None:
    regression = LocalLogisticRegression(**SETTINGS, weight_norm=0.5, learning_rate=1e6)
    reports = Reports(values=np.eye(4)[:1], mechanism=regression.mechanism, private=True)
    assert np.linalg.norm(regression.step(regression.start(), reports).weights) == pytest.approx(0.5)


@pytest.mark.parametrize("people", [4, 10, 1001])
def test_every_person_is_in_exactly_one_group(people: int) -> None:
    groups = LocalLogisticRegression(**SETTINGS).groups(people, OsSource.from_os())
    assert sorted(np.concatenate(groups)) == list(range(people))
    sizes = [len(group) for group in groups]
    assert len(sizes) == 4
    assert max(sizes) - min(sizes) <= 1


def test_groups_are_dealt_by_the_source_alone() -> None:
    regression = LocalLogisticRegression(**SETTINGS)
    first, again, other = (np.concatenate(regression.groups(1000, SeededSource(seed))) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_it_learns_a_line_and_says_that_a_test_source_protects_nobody() -> None:
    """Seeded, so it never fails by chance; labels split by a line, half of each, so a coin gets 0.5."""
    generator = np.random.default_rng(0)
    features = generator.uniform(-1, 1, size=(8000, 2))
    labels = np.where(features[:, 0] > features[:, 1], "yes", "no")
    regression = LocalLogisticRegression(**{**SETTINGS, "rounds": 40})
    progress = walk(regression, features, labels, SeededSource(3))
    assert np.mean(regression.model(progress).predict(features) == labels) > 0.9
    assert regression.guarantee(progress) is None
    shuffled = walk(regression, features, generator.permutation(labels), SeededSource(3))
    assert np.mean(regression.model(shuffled).predict(features) == labels) < 0.9


def test_nobody_is_asked_again_after_the_last_round_and_no_model_comes_before_it() -> None:
    regression = LocalLogisticRegression(**{**SETTINGS, "rounds": 1})
    reports = regression.answer(regression.start(), [[0.0, 0.0]], ["no"], OsSource.from_os())
    with pytest.raises(ConfigError, match="0 of 1 rounds"):
        regression.model(regression.start())
    done = regression.step(regression.start(), reports)
    with pytest.raises(PrivacyError, match="asked again"):
        regression.step(done, reports)


def test_reports_of_another_regression_are_refused() -> None:
    regression = LocalLogisticRegression(**SETTINGS)
    other = LocalLogisticRegression(**{**SETTINGS, "epsilon": 8.0})
    reports = other.answer(other.start(), [[0.0, 0.0]], ["no"], SeededSource(1))
    with pytest.raises(ConfigError, match="do not fit"):
        regression.step(regression.start(), reports)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epsilon", 0.0),
        ("epsilon", math.nan),
        ("features", 0),
        ("features", 2.0),
        ("rounds", 0),
        ("rounds", True),
        ("learning_rate", 0.0),
        ("learning_rate", math.inf),
        ("clip_norm", -1.0),
        ("clip_norm", math.nan),
        ("weight_norm", 0.0),
        ("classes", ("no",)),
        ("classes", ("a", "b", "c")),
    ],
)
def test_bad_settings_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError):
        LocalLogisticRegression(**{**SETTINGS, name: value})


def test_bad_rows_are_refused_before_anything_is_reported() -> None:
    regression = LocalLogisticRegression(**SETTINGS)
    progress, source = regression.start(), SeededSource(1)
    for features, labels in (([[1.0]], ["no"]), ([1.0, 2.0], ["no"]), ([[1.0, 2.0]], ["no", "no"]), (np.empty((0, 2)), [])):
        with pytest.raises(ShapeError):
            regression.answer(progress, features, labels, source)
    for row, label in (([math.nan, 0.0], "no"), ([math.inf, 0.0], "no"), ([0.0, 0.0], "maybe"), ([0.0, 0.0], None)):
        with pytest.raises(DataError):
            regression.answer(progress, [row], [label], source)
    for people in (3, 4.0, True):
        with pytest.raises(ConfigError, match="people"):
            regression.groups(people, source)  # type: ignore[arg-type]


def test_progress_cannot_be_changed_in_place() -> None:
    progress = LocalLogisticRegression(**SETTINGS).start()
    with pytest.raises(ValueError, match="read-only"):
        progress.weights[0] = 1.0
    assert replace(progress, private=False).private is False


@pytest.mark.data
def test_adult_at_epsilon_eight_beats_the_majority(real_data: Path) -> None:
    """Seeded, so it never fails by chance. Majority .764; without privacy the same seven features reach .842."""
    from tacit.tables import read_table

    def rows(name: str) -> tuple[Floats, NDArray[Any]]:
        data = read_table(real_data / f"adult/{name}.csv.gz")
        column = {one: np.array(data[one].to_pylist()) for one in ("age", "education-num", "hours-per-week", "capital-gain")}
        married = np.array(data["marital-status"].to_pylist()) == "Married-civ-spouse"
        features = [column["age"] / 100, (column["education-num"] - 1) / 15, column["hours-per-week"] / 100]
        more = [column["capital-gain"] > 5000, np.array(data["capital-loss"].to_pylist()) > 1000, married]
        male = np.array(data["sex"].to_pylist()) == "Male"
        labels = np.array([str(one).rstrip(".") for one in data["income"].to_pylist()])
        return np.column_stack([*features, *more, male]).astype(np.float64), labels

    features, labels = rows("adult_train")
    regression = LocalLogisticRegression(epsilon=8.0, features=7, classes=("<=50K", ">50K"), rounds=50)
    progress = walk(regression, features, labels, SeededSource(1))
    tests, truth = rows("adult_test")
    assert np.mean(regression.model(progress).predict(tests) == truth) > 0.79
