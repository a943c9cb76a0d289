"""MST and AIM: everything read from rows is paid for and moves no further than was paid for; choices are chance, and serve."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from anonymize.private.conftest import people
from tacit.anonymize.private.aim import AIM
from tacit.anonymize.private.domain import Domain
from tacit.anonymize.private.junction_tree import tree_cells
from tacit.anonymize.private.marginals import Marginals
from tacit.anonymize.private.mst import MST
from tacit.anonymize.private.spending import Spending, steps_block
from tacit.anonymize.private.synthesis import Method
from tacit.errors import ConfigError
from tacit.noise.source import OsSource, SeededSource, Source, Zeros
from tacit.privacy.ledger import Ledger

METHODS = [MST(iterations=20), AIM(rounds=6, iterations=5), AIM(degree=2, rounds=2, iterations=5, most_cells=30)]


class Script(Spending):
    """Releases that do not depend on the rows: neighbours see the same outcomes, and what they would have been is kept."""

    def start(self, seed: int) -> "Script":
        self.random, self.left, self.asked = (
            np.random.default_rng(seed),
            self.block.paid_steps,
            list[tuple[NDArray[np.float64], float]](),
        )
        return self

    @property
    def steps_left(self) -> int:
        return self.left

    def noisy(self, counts: NDArray[np.float64], *, sensitivity: float, steps: int) -> tuple[NDArray[np.float64], float]:
        self._keep(counts, sensitivity, steps)
        return self.random.normal(50, 20, counts.shape), self.noise_multiplier(steps) * sensitivity

    def choice(self, scores: Sequence[float], *, sensitivity: float, steps: int) -> int:
        self._keep(np.array([*scores]), -sensitivity, steps)
        return int(self.random.integers(len(scores)))

    def _keep(self, values: NDArray[np.float64], sensitivity: float, steps: int) -> None:
        assert 1 <= steps <= self.left
        self.left -= steps
        self.asked.append((values.copy(), sensitivity))


def scripted(method: Method, codes: NDArray[np.int64], sizes: tuple[int, ...], ledger: Ledger, seed: int) -> Script:
    block = steps_block(epsilon=1.0, delta=1e-5, steps=method.steps(sizes))
    script = Script(block=block, ledger=ledger, budget="people", request_id=None, purpose="test", source=SeededSource(0)).start(
        seed
    )
    method.fit(Marginals(codes=codes, sizes=sizes), script, total=100.0, on_round=lambda _: None)
    return script


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("row", [0, 41])
def test_zeroing_a_row_moves_nothing_further_than_was_paid_for(method: Method, row: int, domain: Domain, ledger: Ledger) -> None:
    """Every step is spent; sums move by at most their sensitivity in L2 and hardly less, no score by more than its own."""
    codes = domain.encode(people(100))
    runs = [scripted(method, one, domain.sizes, ledger, row) for one in (codes, np.delete(codes, row, axis=0))]
    used = {1: 0.0, -1: 0.0}
    assert runs[0].left == runs[1].left == 0
    assert len(runs[0].asked) == len(runs[1].asked)
    for (values, sensitivity), (others, same) in zip(runs[0].asked, runs[1].asked, strict=True):
        assert sensitivity == same
        moved = float(np.linalg.norm(values - others)) if sensitivity > 0 else float(np.abs(values - others).max())
        assert moved <= abs(sensitivity) * (1 + 1e-9)
        if sensitivity > 0:
            assert moved >= abs(sensitivity) * (1 - 1e-9)  # half of it would not cover the row
        used[1 if sensitivity > 0 else -1] = max(used[1 if sensitivity > 0 else -1], moved / abs(sensitivity))
    assert used[1] == pytest.approx(1)
    assert used[-1] == pytest.approx(1)


def fit(
    method: Method, codes: NDArray[np.int64], sizes: tuple[int, ...], ledger: Ledger, epsilon: float, source: Source
) -> tuple[tuple[int, ...], ...]:
    block = steps_block(epsilon=epsilon, delta=1e-3, steps=method.steps(sizes))
    with Spending(block=block, ledger=ledger, budget="people", request_id=None, purpose="test", source=source) as spending:
        model, chosen = method.fit(
            Marginals(codes=codes, sizes=sizes), spending, total=float(len(codes)), on_round=lambda _: None
        )
        assert spending.steps_left == 0
    assert model.total == len(codes)
    return chosen


def copies(n: int) -> NDArray[np.int64]:
    """Columns 0 and 1 alike, 2 and 3 alike, 4 of its own."""
    random = np.random.default_rng(0)
    first, second, own = (random.integers(0, 3, n) for _ in range(3))
    return np.stack([first, first, second, second, own], axis=1)


def test_the_tree_joins_what_belongs_together(ledger: Ledger) -> None:
    """The score gap is about 3,500, a sensitivity 1, so a wrong pair has a chance below e^-100."""
    for _ in range(3):
        chosen = fit(MST(iterations=10), copies(4000), (3,) * 5, ledger, 4.0, OsSource.from_os())
        assert {(0, 1), (2, 3)} <= set(chosen)
        assert len(chosen) == 4
        reached = {0}
        for _ in range(4):
            reached |= {one for pair in chosen if reached & set(pair) for one in pair}
        assert reached == set(range(5))


def test_the_first_marginals_are_those_that_are_most_wrong(ledger: Ledger) -> None:
    chosen = fit(AIM(rounds=8, iterations=10), copies(4000), (3,) * 5, ledger, 8.0, OsSource.from_os())
    joined = [set(one) for one in chosen[:4]]
    assert any({0, 1} <= one for one in joined)
    assert any({2, 3} <= one for one in joined)


@pytest.mark.parametrize("method", [MST(iterations=2), AIM(rounds=2, iterations=2)], ids=str)
def test_choices_are_chance_where_little_is_paid(method: Method, ledger: Ledger) -> None:
    """The largest score is not simply taken: fails by chance with probability <= 0.27^15 < 4e-9.

    Without noise on counts all scores are the same every time. With 30 rows and epsilon 0.05 those of one size differ by at most
    60 sensitivities, at a rate below 0.006. There are five or more of each size, so each has a chance below
    e^0.36 / (e^0.36 + 4) < 0.27; all 16 are alike when 15 are as the first.
    """
    first = {fit(method, copies(30), (3,) * 5, ledger, 0.05, Zeros())[0] for _ in range(16)}
    assert len(first) > 1


def test_the_model_stays_as_small_as_asked(ledger: Ledger) -> None:
    """Six columns that follow a seventh, unseen: every pair belongs together, and a tree of them has 180 cells."""
    random = np.random.default_rng(0)
    follows = random.random((3000, 6)) < 0.6
    codes = np.where(follows, random.integers(0, 6, (3000, 1)), random.integers(0, 6, (3000, 6)))
    sizes = (6,) * 6
    for most in (120, 10_000):
        chosen = fit(AIM(degree=2, rounds=8, iterations=5, most_cells=most), codes, sizes, ledger, 8.0, SeededSource(0))
        assert (tree_cells(sizes, chosen) <= 120) == (most == 120)
        assert max(map(len, chosen)) <= 2


def test_weights_count_what_a_candidate_shares_with_the_workload() -> None:
    weights = AIM(degree=2).candidates((2, 3, 4))
    assert weights == {(0,): 2.0, (1,): 2.0, (2,): 2.0, (0, 1): 4.0, (0, 2): 4.0, (1, 2): 4.0}
    assert set(AIM(degree=2, most_cells=7).candidates((2, 3, 4))) == {(0,), (1,), (2,), (0, 1)}
    assert set(AIM(degree=3).candidates((2, 3))) == {(0,), (1,), (0, 1)}


@pytest.mark.parametrize("method", [MST(iterations=5), AIM(rounds=2, iterations=2)], ids=str)
@pytest.mark.parametrize("columns", [1, 2])
def test_few_columns_are_enough(method: Method, columns: int, ledger: Ledger) -> None:
    chosen = fit(method, copies(50)[:, :columns], (3,) * columns, ledger, 1.0, SeededSource(0))
    assert all(max(one) < columns for one in chosen)


def test_a_round_of_choice_and_measuring_costs_ten_steps() -> None:
    assert AIM(rounds=16).steps((2,) * 15) == 2400
    assert MST().steps((2,) * 15) == 42
    assert math.isclose(9 / 10, 1 - AIM(rounds=2).rounds * 0.05)


@pytest.mark.parametrize(
    "wrong", [{"degree": 0}, {"degree": 5}, {"rounds": 1}, {"rounds": 1.5}, {"most_cells": 0}, {"iterations": True}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="whole number from"):
        AIM(**wrong)
    with pytest.raises(ConfigError, match="iterations"):
        MST(iterations=0)
