"""A probe that fails counts for nothing, a refused attach leaves nothing behind, and a check between two steps disturbs nothing."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from simple_training import Still, cross_entropy, plan, training
from tacit.errors import PrivacyError
from tacit.noise.source import Zeros
from tacit.privacy.ledger import Ledger
from tacit.train.torch.engine import Engine

Hook = Callable[[Tensor], Tensor]


class Hooked(nn.Module):
    """A hidden layer whose gradient passes a hook: the trace does not run it, the probe does."""

    def __init__(self, hook: Hook) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.hook = hook
        self.hidden, self.last = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.hidden(x)
        if found.requires_grad:
            found.register_hook(self.hook)
        out: Tensor = self.last(found)
        return out


def mixing(gradient: Tensor) -> Tensor:
    return gradient + gradient.sum(0)


def data() -> tuple[Tensor, Tensor]:
    rows = torch.randn(16, 3, generator=torch.Generator().manual_seed(5))
    return rows, (rows[:, 0] > 0).long()


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=1.0)


def test_a_form_that_failed_its_probe_is_refused_at_every_attempt() -> None:
    model = Hooked(mixing)
    engine = Engine(model, optimizer_of(model), plan(16, 16, steps=2), Zeros())
    rows, targets = data()
    for _ in range(3):
        engine.start(torch.ones(16, dtype=torch.bool))
        with pytest.raises(PrivacyError, match="another record's gradient"):
            engine.accumulate(cross_entropy(model(rows), targets))


def test_a_probe_that_breaks_off_is_not_taken_for_a_model_called_in_another_way(ledger: Ledger) -> None:
    """The first error is not ours, out of memory say; swallowed, it would leave a model attached that was never probed."""
    calls: list[None] = []

    def once(gradient: Tensor) -> Tensor:
        calls.append(None)
        if len(calls) == 1:
            raise MemoryError("once")
        return mixing(gradient)

    model = Hooked(once)
    with pytest.raises(MemoryError, match="once"):
        training(model, data(), plan(16, 16), ledger, Still(2))
    with pytest.raises(PrivacyError, match="another record's gradient"):
        training(model, data(), plan(16, 16), ledger, Still(2))


def test_a_model_that_takes_more_than_the_first_tensor_is_attached_and_probed_in_its_first_batch(ledger: Ledger) -> None:
    class Two(Hooked):
        def forward(self, x: Tensor, more: Tensor | None = None) -> Tensor:
            if more is None:
                raise TypeError("called with one tensor")
            return super().forward(x * more[:, None])

    private, _ = training(Two(mixing), data(), plan(16, 16), ledger, Still(2))
    with pytest.raises(PrivacyError, match="another record's gradient"):
        for x, y in private.batches():
            private.backward(cross_entropy(private.model(x, y.float()), y))


def test_a_refused_attach_leaves_an_ordinary_model(ledger: Ledger) -> None:
    model = Hooked(mixing)
    with pytest.raises(PrivacyError, match="another record's gradient"):
        training(model, data(), plan(16, 16), ledger, Still(2))
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    cross_entropy(model(data()[0]), data()[1]).sum().backward()  # no guard is left
    assert all(one.grad is not None for one in model.parameters())
    model.hook = torch.clone
    private, optimizer = training(model, data(), plan(16, 16), ledger, Still(2))
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        optimizer.step()
    assert private.step == 1


def test_a_check_before_the_optimizers_step_keeps_the_update(ledger: Ledger) -> None:
    model = Hooked(torch.clone)
    private, optimizer = training(model, data(), plan(16, 16, steps=2), ledger, Still(2))
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        updates = [one.grad.clone() for one in model.parameters() if one.grad is not None]
        private.check(lambda x, y: cross_entropy(private.model(x), y))
        kept = [one.grad for one in model.parameters() if one.grad is not None]
        assert len(updates) == len(kept) == 4
        assert all(torch.equal(one, other) for one, other in zip(updates, kept, strict=True))
        optimizer.step()
