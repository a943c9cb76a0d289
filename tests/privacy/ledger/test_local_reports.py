"""Local reports in the ledger: stored, read back, priced without an accountant, and only as one step."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import chain, combinations, product
from pathlib import Path

import pytest

from tacit.errors import BudgetExceeded, ConfigError, LedgerError
from tacit.privacy import Composed, Guarantee, Ledger, Neighbours, delta, epsilon, verify
from tacit.privacy.block import Block
from tacit.privacy.events import Event, LocalRandomized, event_from_json, event_to_json
from tacit.privacy.ledger.blocks import block_from_json, block_to_json
from tacit.privacy.local import RandomizedResponse, UnaryEncoding
from tacit.privacy.local.reports import local_guarantee
from tacit.privacy.local.words import ALL_WORDS


def reports(claims: float = 1.0, *, costs: float = 1.0) -> Block:
    """One report of each row at `costs`, with a block that claims `claims`."""
    return Block(
        event=LocalRandomized(epsilon=costs), steps=1, spare_steps=0, checkpoint_every=1, guarantee=local_guarantee(claims)
    )


def test_a_ledger_keeps_charges_and_verifies_it(ledger: Ledger, path: Path) -> None:
    ledger.grant("survey", epsilon=1.0, delta=0)
    ledger.reserve(reports(), dataset="survey", request_id="ask", purpose="local reports")
    ledger.close()
    with Ledger.open(path) as again:
        entry = again.find("ask")
        assert entry is not None
        assert block_from_json(entry.content["block"]) == reports()
        assert (again.spent("survey").epsilon, again.spent("survey").delta) == (1.0, 0.0)
        with pytest.raises(BudgetExceeded):
            again.reserve(reports(0.1, costs=0.1), dataset="survey", request_id="more", purpose="local reports")
        with pytest.raises(ConfigError, match="is taken"):
            again.reserve(reports(), dataset="survey", request_id="ask", purpose="local reports")
        assert again.spent("survey").epsilon == 1.0
    found = verify(path)
    assert found.ok, found.problems
    assert (found.datasets["survey"].epsilon, found.datasets["survey"].delta) == (1.0, 0.0)


def test_reports_are_one_step_and_no_spare(ledger: Ledger) -> None:
    ledger.grant("survey", epsilon=1.0, delta=0)
    run = ledger.reserve(reports(), dataset="survey", request_id="ask", purpose="local reports")
    run.count_step()
    with pytest.raises(BudgetExceeded):
        run.count_step()
    for counts in ({"steps": 2}, {"spare_steps": 1}):
        with pytest.raises(ConfigError, match="one step without spare"):
            replace(reports(), **counts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (reports(0.5, costs=1.0), "its event costs 1"),
        (replace(reports(), guarantee=Guarantee(epsilon=1.0, delta=0.0)), "priced for replace-one"),
    ],
)
def test_verify_sees_a_price_or_a_promise_that_the_event_does_not_have(
    ledger: Ledger, path: Path, block: Block, problem: str
) -> None:
    ledger.grant("survey", epsilon=1.0, delta=0)
    ledger.reserve(block, dataset="survey", request_id="ask", purpose="local reports")
    assert problem in "".join(verify(path).problems)


def test_the_json_form_is_closed() -> None:
    event = LocalRandomized(epsilon=1.5)
    assert event_to_json(event) == {"event": "local-randomized", "epsilon": 1.5}
    assert event_from_json(event_to_json(event)) == event
    assert block_from_json(block_to_json(reports(1.5, costs=1.5))).guarantee.neighbours is Neighbours.REPLACE_ONE
    for wrong in ({}, {"epsilon": "1"}, {"epsilon": True}, {"epsilon": 0}, {"epsilon": -1.0}, {"epsilon": 1.0, "delta": 0.0}):
        with pytest.raises(LedgerError):
            event_from_json({"event": "local-randomized", **wrong})
    for value in (0.0, -1.0, float("inf"), float("nan"), "1", True):
        with pytest.raises(ConfigError):
            LocalRandomized(epsilon=value)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a composition holds events"):
        Composed(events=(event,))  # other neighbours, so not on the same units


def test_its_epsilon_holds_at_every_delta() -> None:
    event = LocalRandomized(epsilon=1.25)
    assert [epsilon(event, at) for at in (0.0, 1e-9, 0.1)] == [1.25] * 3
    assert delta(event, 1.25) == delta(event, 3.0) == 0.0


def powerset(size: int) -> Iterable[tuple[int, ...]]:
    return chain.from_iterable(combinations(range(size), count) for count in range(size + 1))


def exact_delta(rows: list[list[Fraction]], at: Fraction) -> Fraction:
    """The largest P(S) - at * Q(S) over all sets of outputs S and pairs of rows P, Q: the definition, enumerated."""
    return max(
        sum((p[place] - at * q[place] for place in outputs), start=Fraction(0))
        for outputs in powerset(len(rows[0]))
        for p, q in product(rows, rows)
    )


def response_rows(categories: int) -> list[list[Fraction]]:
    one = RandomizedResponse(epsilon=1.0, categories=tuple("abcd"[:categories]))
    lie = Fraction(one.lie_words, ALL_WORDS)
    return [[1 - (categories - 1) * lie if out == true else lie for out in range(categories)] for true in range(categories)]


def unary_rows() -> list[list[Fraction]]:
    one = UnaryEncoding(epsilon=1.0, categories=("a", "b", "c"))
    truth, lie = Fraction(one.truth_words, ALL_WORDS), Fraction(one.lie_words, ALL_WORDS)
    bits = list(product((0, 1), repeat=3))
    chances = [[(truth if place == true else lie) for place in range(3)] for true in range(3)]
    return [[_product(row[k] if bit[k] else 1 - row[k] for k in range(3)) for bit in bits] for row in chances]


def _product(factors: Iterable[Fraction]) -> Fraction:
    whole = Fraction(1)
    for factor in factors:
        whole *= factor
    return whole


@pytest.mark.parametrize("at", [0.0, 0.25, 0.5, 0.9, 1.0, 1.5])
def test_the_delta_of_an_epsilon_is_that_of_binary_randomized_response_by_enumeration(at: float) -> None:
    """And no other mechanism of that epsilon has a larger one (Kairouz et al. 2015, arXiv:1311.0776, Theorem 1)."""
    from decimal import Context, Decimal

    claimed = delta(LocalRandomized(epsilon=1.0), at)
    exact = Fraction(Context(prec=40).exp(Decimal(at)))
    assert claimed == pytest.approx(float(exact_delta(response_rows(2), exact)), rel=1e-12, abs=1e-18)
    for rows in (response_rows(3), response_rows(4), unary_rows()):
        assert float(exact_delta(rows, exact)) <= claimed + 1e-15


def test_the_method_does_not_matter_to_a_pure_price() -> None:
    event: Event = LocalRandomized(epsilon=0.75)
    assert epsilon(event, 1e-5, "rdp") == epsilon(event, 1e-5, "pld") == 0.75
