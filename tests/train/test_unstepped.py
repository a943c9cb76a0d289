"""What is paid for must move the model: a run without one step, and an update thrown away before its step, are refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from simple_training import Still, cross_entropy, plan, training
from tacit.errors import PrivacyError
from tacit.privacy.ledger import Ledger
from tacit.train.torch.private import PrivateTraining
from tacit.train.torch.stepping import Stepping

N = 24
Move = Callable[[PrivateTraining, torch.optim.Optimizer], Any]


def data() -> tuple[Tensor, Tensor]:
    rows = torch.rand(N, 3, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return rows, (rows[:, 0] > 0).long()


def run(ledger: Ledger, move: Move, *, steps: int = 3, limit: int | None = None) -> nn.Module:
    """Train with `move` after every backward pass, and finish."""
    torch.manual_seed(1)
    private, optimizer = training(
        nn.Linear(3, 2), data(), plan(N, 12, steps=steps), ledger, Still(2), learning_rate=0.5, max_physical_batch=limit
    )
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        move(private, optimizer)
    return private.finish()


def test_a_run_in_which_no_step_was_taken_is_refused_at_its_end_and_its_hooks_are_gone(ledger: Ledger) -> None:
    model = nn.Linear(3, 2)
    private, optimizer = training(model, data(), plan(N, 12, steps=3), ledger, Still(2))
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
    with pytest.raises(PrivacyError, match=r"none moved the model.*optimizer\.step\(\)"):
        private.finish()
    assert not model._forward_hooks
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_a_loop_that_breaks_off_is_not_taken_for_one_that_forgot(ledger: Ledger) -> None:
    private, _ = training(nn.Linear(3, 2), data(), plan(N, 12, steps=3), ledger, Still(2))
    x, y = next(private.batches())
    private.backward(cross_entropy(private.model(x), y))
    assert private.finish() is private.model
    assert private.step == 1


def to_none(_: PrivateTraining, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    optimizer.step()


def to_zero(_: PrivateTraining, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()


@pytest.mark.parametrize("move", [to_none, to_zero])
def test_an_update_that_is_thrown_away_before_the_step_is_refused_at_the_step(ledger: Ledger, move: Move) -> None:
    with pytest.raises(PrivacyError, match="Take zero_grad"):
        run(ledger, move)
    assert max(one.claimed or 0 for one in ledger.entries()) == 1, "at the first step, not at the end"


def by_hand(private: PrivateTraining, _: torch.optim.Optimizer) -> None:
    with torch.no_grad():
        for one in private.model.parameters():
            if one.grad is not None:
                one.sub_(0.5 * one.grad)


def stepped(_: PrivateTraining, optimizer: torch.optim.Optimizer) -> None:
    optimizer.step()


def clipped(private: PrivateTraining, optimizer: torch.optim.Optimizer) -> None:
    torch.nn.utils.clip_grad_norm_(private.model.parameters(), 1e-3)
    optimizer.step()


def cleared(_: PrivateTraining, optimizer: torch.optim.Optimizer) -> None:
    optimizer.step()
    optimizer.zero_grad()


def by_closure(_: PrivateTraining, optimizer: torch.optim.Optimizer) -> None:
    optimizer.step(lambda: 0.0)


def now_and_then(private: PrivateTraining, optimizer: torch.optim.Optimizer) -> None:
    if private.step == 1:
        optimizer.step()


def by_another(private: PrivateTraining, _: torch.optim.Optimizer) -> None:
    torch.optim.Adam(private.model.parameters(), lr=0.1).step()


@pytest.mark.parametrize("limit", [None, 4], ids=["whole", "pieces"])
@pytest.mark.parametrize("move", [by_hand, stepped, clipped, cleared, by_closure, now_and_then, by_another])
def test_every_other_way_to_use_an_update_is_taken(ledger: Ledger, move: Move, limit: int | None) -> None:
    torch.manual_seed(1)
    start = nn.Linear(3, 2)
    model = run(ledger, move, limit=limit)
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), start.parameters(), strict=True))


def test_zero_grad_before_the_backward_pass_takes_nothing_away(ledger: Ledger) -> None:
    model = nn.Linear(3, 2)
    before = model.weight.detach().clone()
    private, optimizer = training(model, data(), plan(N, 12, steps=3), ledger, Still(2))
    for x, y in private.batches():
        optimizer.zero_grad()
        private.backward(cross_entropy(private.model(x), y))
        optimizer.step()
    assert private.finish() is model
    assert not torch.equal(model.weight, before)


def test_a_run_that_was_done_when_it_was_resumed_has_nothing_to_step() -> None:
    stepping = Stepping(torch.optim.SGD(nn.Linear(3, 2).parameters(), lr=0.5))
    stepping.refuse_unmoved()
    stepping.released()
    with pytest.raises(PrivacyError, match="none moved"):
        stepping.refuse_unmoved()
