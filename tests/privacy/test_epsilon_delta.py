"""A release known by its epsilon and delta alone: stored, priced, charged once, and never composed by more than addition."""

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest

from tacit.errors import BudgetExceeded, ConfigError, LedgerError
from tacit.privacy import Composed, Guarantee, Ledger, delta, epsilon, event_from_json, event_to_json, verify
from tacit.privacy.accounting import curve
from tacit.privacy.block import Block
from tacit.privacy.events import EpsilonDelta

EVENT = EpsilonDelta(epsilon=1.0, delta=1e-5)


def block(charged: float = 1.0, at: float = 1e-5) -> Block:
    return Block(event=EVENT, steps=1, spare_steps=0, checkpoint_every=1, guarantee=Guarantee(epsilon=charged, delta=at))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TACIT_KEYS", str(tmp_path / "keys"))
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as opened:
        opened.grant("people", epsilon=2.0, delta=1e-4)
        yield opened


def test_it_comes_back_from_json_and_nothing_else_does() -> None:
    text = json.dumps(event_to_json(EVENT))
    assert json.loads(text) == {"event": "epsilon-delta", "epsilon": 1.0, "delta": 1e-5}
    assert event_from_json(json.loads(text)) == EVENT
    for wrong in ({"delta": 0}, {"delta": 1}, {"epsilon": 0}, {"epsilon": "1"}, {"steps": 2}):
        with pytest.raises(LedgerError):
            event_from_json({**json.loads(text), **wrong})


def test_its_epsilon_holds_at_its_delta_and_above_and_at_none_below() -> None:
    assert epsilon(EVENT, 1e-5) == epsilon(EVENT, 0.1) == 1.0
    with pytest.raises(ConfigError, match="no finite epsilon"):
        epsilon(EVENT, 9.9e-6)


def test_its_delta_is_that_of_the_worst_release_by_brute_force() -> None:
    """With chance d all is told; else a coin that tells the truth with odds e^eps (here 3): the worst set of the four outcomes."""
    d, odds = Fraction(1, 8), 3
    one = [d, Fraction(0), (1 - d) * Fraction(odds, odds + 1), (1 - d) * Fraction(1, odds + 1)]
    other = [one[1], one[0], one[3], one[2]]
    import math

    stated = EpsilonDelta(epsilon=math.log(3), delta=0.125)
    for likelier in (Fraction(1), Fraction(3, 2), Fraction(2), Fraction(3), Fraction(4)):
        sets = [chosen for size in range(5) for chosen in combinations(range(4), size)]
        worst = max(sum(one[i] for i in chosen) - likelier * sum(other[i] for i in chosen) for chosen in sets)
        assert delta(stated, math.log(likelier)) == pytest.approx(float(worst), rel=1e-12)


def test_a_ledger_charges_it_once_and_verifies_it(ledger: Ledger, path: Path) -> None:
    with ledger.reserve(block(), dataset="people", request_id="one", purpose="test") as reservation:
        reservation.count_step()
        with pytest.raises(BudgetExceeded):
            reservation.count_step()
    assert (ledger.spent("people").epsilon, ledger.spent("people").delta) == (1.0, 1e-5)
    assert verify(path).ok


@pytest.mark.parametrize("claimed", [block(0.5), block(1.0, 1e-6)])
def test_a_claim_below_its_price_is_found(claimed: Block, ledger: Ledger, path: Path) -> None:
    ledger.reserve(claimed, dataset="people", request_id="one", purpose="test")
    assert not verify(path).ok


def test_it_has_one_step_and_is_not_composed_with_others() -> None:
    for counts in ({"steps": 2}, {"spare_steps": 1}):
        with pytest.raises(ConfigError, match="one step without spare"):
            replace(block(), **counts)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        Composed(events=(EVENT, EVENT))
    with pytest.raises(ConfigError, match="proved price"):
        curve(EVENT)
