"""The one-run audit is acted on only where its own 2 m delta term leaves room (SOUNDNESS 18)."""

import pytest

from tacit.evaluate import OneRunAudit
from tacit.evaluate.canary import ACTED_ON
from tacit.privacy.guarantee import Guarantee


def every_guess_right(delta: float) -> OneRunAudit:
    """1,000 right guesses of 1,000 canaries: the most that one run can show."""
    claim = Guarantee(epsilon=3.0, delta=delta)
    return OneRunAudit(guarantee=claim, canaries=1000, guesses=1000, correct=1000, confidence=ACTED_ON, shown_confidence=0.95)


def test_at_delta_1e5_not_even_a_thousand_right_guesses_contradict() -> None:
    """P[Bin(1000, q) = 1000] at epsilon 3 is 7e-22, far below 1e-6: only the delta term forbids the contradiction."""
    audit = every_guess_right(1e-5)
    assert (audit.can_contradict, audit.contradicts) == (False, False)
    assert audit.p_value > 1e-6
    assert audit.shown > 3


@pytest.mark.parametrize("delta", [0.0, 1e-12])
def test_where_delta_leaves_room_the_same_guesses_do(delta: float) -> None:
    audit = every_guess_right(delta)
    assert (audit.can_contradict, audit.contradicts) == (True, True)
    assert audit.p_value < 1e-6
