"""Exact amounts: spending rounds up, granting down, and sums are whole numbers."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.privacy.ledger.units import Budget, granting, spending

epsilons = st.floats(0, 1e6)
deltas = st.floats(0, 1, exclude_max=True)


@given(epsilons, deltas)
def test_spending_is_never_below_and_granting_never_above_what_was_written(epsilon: float, delta: float) -> None:
    written = Fraction(repr(epsilon)), Fraction(repr(delta))
    for spent, granted, exact, digits in zip(spending(epsilon, delta), granting(epsilon, delta), written, (9, 18), strict=True):
        assert granted <= exact * 10**digits <= spent
        assert spent - granted <= 1


@pytest.mark.parametrize(
    ("epsilon", "delta", "up", "down"),
    [
        (3.0, 1e-5, (3_000_000_000, 10**13), (3_000_000_000, 10**13)),
        (0.1, 0.1, (100_000_000, 10**17), (100_000_000, 10**17)),
        (0.1 + 0.2, 1e-19, (300_000_001, 1), (300_000_000, 0)),
        (1e-300, 0.0, (1, 0), (0, 0)),
    ],
)
def test_units_of_known_amounts(epsilon: float, delta: float, up: tuple[int, int], down: tuple[int, int]) -> None:
    assert spending(epsilon, delta) == up
    assert granting(epsilon, delta) == down


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_plan_for_exactly_what_is_left_fits(epsilon: int, delta: int) -> None:
    left = Budget.from_units(epsilon, delta)
    assert spending(left.epsilon, left.delta) == (epsilon, delta)
