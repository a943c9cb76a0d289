"""Every metric against its definition, computed row by row, on random small releases; and by hand."""

import math
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from anonymize.utility.row_by_row import Rows, Tree, release
from tacit.anonymize.utility import (
    Ambiguity,
    AverageClassSize,
    Discernibility,
    EntropyLoss,
    Height,
    KullbackLeibler,
    Loss,
    NonUniformEntropy,
    PrecisionLoss,
)
from tacit.errors import ConfigError

SLIDERS = (0.0, 0.2, 0.5, 0.7, 1.0)


def random_rows(seed: int) -> Rows:
    generator = random.Random(seed)
    trees: list[Tree] = []
    for _ in range(generator.randint(1, 3)):
        depth, leaves = generator.randint(1, 3), generator.randint(2, 7)
        tree = {}
        for leaf in range(leaves):
            tree[f"v{leaf}"] = [f"v{leaf}", *(f"{level}:{leaf >> level}" for level in range(1, depth)), "*"]
        trees.append(tree)
    raw = [tuple(generator.choice(sorted(tree)) for tree in trees) for _ in range(generator.randint(1, 30))]
    levels = tuple(generator.randrange(len(tree["v0"])) for tree in trees)
    return release(raw, trees, levels, k=generator.randint(1, 4))


def factors(slider: float) -> tuple[float, float]:
    """gFactor and sFactor, as the page writes them."""
    return (1.0 if slider <= 0.5 else 1 - 2 * (slider - 0.5)), (2 * slider if slider < 0.5 else 1.0)


def slow_precision(rows: Rows, slider: float, monotonic: bool) -> list[float]:
    g, s = factors(slider)
    columns = []
    for tree, level in zip(rows.trees, rows.levels, strict=True):
        height = len(next(iter(tree.values()))) - 1
        columns.append(sum(g * level / height if monotonic or kept else s for kept in rows.kept) / len(rows.raw))
    return columns


def slow_classes(rows: Rows) -> dict[tuple[str, ...], tuple[int, bool]]:
    kept = dict(zip(rows.coarse, rows.kept, strict=True))
    return {row: (size, kept[row]) for row, size in Counter(rows.coarse).items()}


def slow_discernibility(rows: Rows, monotonic: bool) -> float:
    return sum(size * (size if kept or monotonic else len(rows.raw)) for size, kept in slow_classes(rows).values())


def slow_average(rows: Rows, slider: float) -> float:
    g, s = factors(slider)
    kept = sum(kept for _, kept in slow_classes(rows).values())
    groups = s * kept + (g if not all(rows.kept) else 0)
    return len(rows.raw) / groups if groups else math.inf


def slow_entropy(rows: Rows, slider: float, monotonic: bool) -> list[float]:
    g, s = factors(slider)
    columns = []
    for j in range(len(rows.trees)):
        before, after = Counter(row[j] for row in rows.raw), Counter(row[j] for row in rows.coarse)
        label = dict(zip((row[j] for row in rows.raw), (row[j] for row in rows.coarse), strict=True))
        total = -g * math.fsum(count * math.log2(count / after[label[value]]) for value, count in before.items())
        dropped = Counter(row[j] for row, kept in zip(rows.coarse, rows.kept, strict=True) if not kept)
        if not monotonic:
            total -= s * math.fsum(count * math.log2(count / dropped.total()) for count in dropped.values())
        columns.append(total)
    return columns


def slow_areas(rows: Rows) -> list[float]:
    sizes = [len(tree) for tree in rows.trees]
    return [
        math.prod((share if kept else 1.0) * size for share, size in zip(shares, sizes, strict=True))
        for shares, kept in zip(rows.row_shares(), rows.kept, strict=True)
    ]


def slow_divergence(rows: Rows) -> float:
    n, sizes, total = len(rows.raw), Counter(rows.coarse), 0.0
    dropped = rows.kept.count(False)
    area = dict(zip(rows.raw, slow_areas(rows), strict=True))
    where = dict(zip(rows.raw, zip(rows.coarse, rows.kept, strict=True), strict=True))
    for row, count in Counter(rows.raw).items():
        coarse, kept = where[row]
        g = (sizes[coarse] if kept else dropped) / n / area[row]
        total += count / n * math.log2(count / n / g)
    return total


def slow_entropy_loss(rows: Rows, slider: float) -> float:
    g, s = factors(slider)
    most = sum(math.log10(len(tree)) for tree in rows.trees)
    return math.fsum(
        g * (1 + sum(math.log10(share) for share in shares) / most) if kept else s
        for shares, kept in zip(rows.row_shares(), rows.kept, strict=True)
    )


@pytest.mark.parametrize("seed", range(60))
def test_every_metric_is_its_definition(seed: int) -> None:
    rows = random_rows(seed)
    recoded, slider = rows.recoded(), SLIDERS[seed % len(SLIDERS)]
    for monotonic in (False, True):
        precision = PrecisionLoss(generalization_vs_suppression=slider, monotonic=monotonic)
        assert precision.columns(recoded) == pytest.approx(slow_precision(rows, slider, monotonic), rel=1e-12)
        assert precision.score(recoded) == pytest.approx(np.mean(slow_precision(rows, slider, monotonic)), rel=1e-12)
        assert Discernibility(monotonic=monotonic).score(recoded) == slow_discernibility(rows, monotonic)
        entropy = NonUniformEntropy(generalization_vs_suppression=slider, monotonic=monotonic)
        assert entropy.columns(recoded) == pytest.approx(slow_entropy(rows, slider, monotonic), abs=2e-10)
        assert entropy.score(recoded) == pytest.approx(sum(slow_entropy(rows, slider, monotonic)), abs=1e-9)
    assert Height().score(recoded) == sum(rows.levels)
    assert AverageClassSize(generalization_vs_suppression=slider).score(recoded) == pytest.approx(slow_average(rows, slider))
    assert Ambiguity().score(recoded) == pytest.approx(sum(slow_areas(rows)), rel=1e-12)
    assert KullbackLeibler().score(recoded) == pytest.approx(slow_divergence(rows), rel=1e-9, abs=1e-12)
    expected = slow_entropy_loss(rows, slider)
    assert EntropyLoss(generalization_vs_suppression=slider).score(recoded) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_random_releases_have_all_there_is_to_have() -> None:
    made = [random_rows(seed) for seed in range(60)]
    assert sum(not any(rows.kept) for rows in made) >= 3
    assert sum(all(rows.kept) for rows in made) >= 10
    assert sum(0 < rows.kept.count(False) < len(rows.raw) for rows in made) >= 10


BY_HAND = release(  # 4 rows a, a, b, c; a and b are x, c is y; k = 2 suppresses the one row of y
    [("a",), ("a",), ("b",), ("c",)],
    [{"a": ["a", "x", "*"], "b": ["b", "x", "*"], "c": ["c", "y", "*"], "d": ["d", "y", "*"]}],
    (1,),
    k=2,
).recoded()


def test_by_hand() -> None:
    # precision: 3 rows at level 1 of 2, one suppressed: (3 * 1/2 + 1) / 4
    assert PrecisionLoss().score(BY_HAND) == 0.625
    assert PrecisionLoss(monotonic=True).score(BY_HAND) == 0.5
    assert Height().score(BY_HAND) == 1
    # DM: 3^2 + 4 * 1; DM*: 3^2 + 1^2
    assert (Discernibility().score(BY_HAND), Discernibility(monotonic=True).score(BY_HAND)) == (13, 10)
    # one class and the suppressed: 4 / 2
    assert AverageClassSize().score(BY_HAND) == 2
    # a: 2 rows of 3, b: 1 of 3 -> 2 log2(3/2) + log2 3 = 3 log2 3 - 2; c is alone under y; one suppressed row adds nothing
    assert NonUniformEntropy().score(BY_HAND) == pytest.approx(3 * math.log2(3) - 2, abs=1e-10)
    # x and y each stand for 2 of 4 values: 3 rows of 2, and 4 for the suppressed one
    assert Ambiguity().score(BY_HAND) == 3 * 2 + 4
    # a: 1/2 log2((1/2) / (3/4 / 2)), b: 1/4 log2((1/4) / (3/8)), c: 1/4 log2((1/4) / (1/4 / 4))
    expected = 0.5 * math.log2(4 / 3) + 0.25 * math.log2(2 / 3) + 0.25 * 2
    assert KullbackLeibler().score(BY_HAND) == pytest.approx(expected)
    # IL = 1 + log(1/2) / log 4 = 1/2 for 3 rows, 1 for the suppressed
    assert EntropyLoss().score(BY_HAND) == pytest.approx(2.5)


def test_the_slider_exchanges_the_factors_of_the_average_class_size_on_purpose() -> None:
    assert AverageClassSize(generalization_vs_suppression=0.25).score(BY_HAND) == 4 / (0.5 * 1 + 1)
    assert AverageClassSize(generalization_vs_suppression=0.75).score(BY_HAND) == 4 / (1 + 0.5)


def test_nothing_changed_costs_nothing_and_everything_star_costs_all() -> None:
    raw = [("a", "p"), ("a", "q"), ("b", "q")]
    trees: list[Tree] = [{"a": ["a", "*"], "b": ["b", "*"]}, {"p": ["p", "*"], "q": ["q", "*"], "r": ["r", "*"]}]
    untouched, star = release(raw, trees, (0, 0), 1).recoded(), release(raw, trees, (1, 1), 1).recoded()
    metrics: list[Any] = [PrecisionLoss(), NonUniformEntropy(), EntropyLoss(), KullbackLeibler(), Height()]
    assert [metric.score(untouched) for metric in metrics] == pytest.approx([0, 0, 0, 0, 0], abs=1e-12)
    assert [metric.score(star) for metric in metrics] == pytest.approx([1, 6 * (math.log2(3) - 2 / 3), 3, math.log2(2), 2])
    assert (Ambiguity().score(untouched), Ambiguity().score(star)) == (3, 18)


def test_numbers_whose_raw_values_cover_no_share_have_area_one() -> None:
    """An interval hierarchy says 0 for the share of a raw number; the area of a raw tuple is 1, never 0."""
    recoded = release([("1",), ("2",)], [{"1": ["1", "*"], "2": ["2", "*"]}], (0,), 1).recoded()
    numbers = type(recoded)(**{**vars(recoded), "shares": np.zeros((2, 1)), "leaf_shares": np.zeros(1)})
    assert Ambiguity().score(numbers) == 2
    assert KullbackLeibler().score(numbers) == 0
    assert EntropyLoss().score(numbers) == 0


def test_t5_only_ratios_of_weights_matter_and_the_aggregates_are_those_of_the_loss() -> None:
    recoded = release(
        [("a", "p"), ("b", "q")], [{"a": ["a", "x", "*"], "b": ["b", "x", "*"]}, {"p": ["p", "*"], "q": ["q", "*"]}], (1, 1), 1
    )
    for aggregate, expected in (
        ("sum", 0.5 + 0.5),  # weights 1 and 1/2: 1 * 0.5 and 0.5 * 1
        ("arithmetic mean", 0.5),
        ("geometric mean", 0.5),
        ("maximum", 0.5),
        ("rank", (0.5, 0.5)),
    ):
        for scale in (1.0, 7.0):
            metric = PrecisionLoss(aggregate=aggregate, weights={"c0": 2 * scale, "c1": scale})  # type: ignore[arg-type]
            assert metric.score(recoded.recoded()) == pytest.approx(expected)


def test_the_lower_bounds_never_exceed_what_they_bound() -> None:
    for seed in range(60):
        recoded = random_rows(seed).recoded()
        for bound, metric in (
            (PrecisionLoss(monotonic=True), PrecisionLoss()),
            (Discernibility(monotonic=True), Discernibility()),
            (NonUniformEntropy(monotonic=True), NonUniformEntropy()),
        ):
            assert bound.score(recoded) <= metric.score(recoded)  # type: ignore[operator]


def test_wrong_settings_are_refused() -> None:
    makers: list[Any] = [PrecisionLoss, NonUniformEntropy, EntropyLoss, AverageClassSize]
    for make in makers:
        for slider in (-0.1, 1.1, math.nan):
            with pytest.raises(ConfigError, match="generalization_vs_suppression"):
                make(generalization_vs_suppression=slider)
    with pytest.raises(ConfigError, match="aggregate"):
        PrecisionLoss(aggregate="median")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="weights"):
        NonUniformEntropy(weights={"a": -1.0})
    with pytest.raises(ConfigError, match="not quasi-identifiers"):
        NonUniformEntropy(weights={"absent": 1.0}).score(BY_HAND)


def test_every_metric_says_what_it_is_in_its_record() -> None:
    metrics: list[Any] = [
        Loss(), PrecisionLoss(), PrecisionLoss(monotonic=True), Height(), Discernibility(), Discernibility(monotonic=True),
        AverageClassSize(), AverageClassSize(generalization_vs_suppression=0.1), NonUniformEntropy(), EntropyLoss(), Ambiguity(),
        KullbackLeibler(),
    ]  # fmt: skip
    records = [str(metric.to_json()) for metric in metrics]
    assert len(set(records)) == len(records)
