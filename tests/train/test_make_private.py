"""make_private: an ordinary loop becomes a private one; it is paid for when its first batch is asked for."""

import copy
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from simple_training import cross_entropy
from tacit.errors import BudgetExceeded, ConfigError, UnsupportedModel
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.train.clipping import AdaptiveClipping
from tacit.train.plan import Plan
from tacit.train.torch.private import PrivateTraining, make_private


def data(n: int = 64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    rows = torch.rand(n, 3, generator=generator) * 2 - 1
    return rows, (rows[:, 0] > 0).long()


def private_training(ledger: Ledger, **more: Any) -> tuple[PrivateTraining, torch.optim.Optimizer]:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 2))
    settings: dict[str, Any] = {
        "model": model,
        "dataset": data(),
        "epsilon": 2.0,
        "delta": 1e-5,
        "clip_norm": 1.0,
        "batch_size": 16,
        "epochs": 3,
        "ledger": ledger,
        "budget": "people",
        "request_id": "one",
        "source": SeededSource(1),
    } | more
    model = settings["model"]
    settings.setdefault("optimizer", torch.optim.SGD(model.parameters(), lr=0.5))
    return make_private(**settings), settings["optimizer"]


def trained(ledger: Ledger, **more: Any) -> nn.Module:
    private, optimizer = private_training(ledger, **more)
    for rows, targets in private.batches():
        private.backward(cross_entropy(private.model(rows), targets))
        optimizer.step()
    return private.finish()


def test_the_plan_is_charged_before_the_first_batch_and_not_before(ledger: Ledger) -> None:
    private, _ = private_training(ledger)
    assert ledger.spent("people").epsilon == 0, "a plan that never runs costs nothing"
    next(iter(private.batches()))
    assert ledger.spent("people").epsilon == pytest.approx(private.plan.guarantee.epsilon, abs=1e-8)
    entry = ledger.find("one")
    assert entry is not None
    assert entry.kind == "dp"
    assert 1.9 < private.plan.guarantee.epsilon <= 2.0


def test_a_budget_that_does_not_hold_the_plan_gives_no_batch(ledger: Ledger) -> None:
    ledger.grant("poor", epsilon=1.0, delta=1e-5)
    private, _ = private_training(ledger, budget="poor")
    with pytest.raises(BudgetExceeded) as refusal:
        next(iter(private.batches()))
    assert ledger.find("one") is None
    assert "A plan that fits costs at most epsilon 1.0 at delta 1e-05" in str(refusal.value)
    fits = re.search(
        r"fit with noise multiplier (\S+) in place of (\S+): plan with epsilon=1.0, delta=(\S+)\.", str(refusal.value)
    )
    assert fits is not None
    noise, before, delta = map(float, fits.groups())
    assert before == pytest.approx(private.plan.noise_multiplier, rel=1e-3)
    ready, _ = private_training(ledger, budget="poor", epsilon=1.0, delta=delta, request_id="two")
    assert ready.plan.noise_multiplier == pytest.approx(noise, rel=1e-3)
    assert noise > before
    assert ready.plan.steps == private.plan.steps
    next(iter(ready.batches()))
    assert ledger.find("two") is not None


def test_the_noise_that_fits_counts_the_bits_of_an_adaptive_clip_norm_too() -> None:
    common: dict[str, Any] = {"n": 1_000, "batch_size": 100, "epochs": 2, "clip_norm": 1.0, "parameters": 10, "delta": 1e-5}
    dear, cheap = (Plan.solve(epsilon=epsilon, clipping=AdaptiveClipping(clip_norm=1.0), **common) for epsilon in (4.0, 1.0))
    assert dear.noise_within(epsilon=1.0, delta=1e-5) == cheap.noise_multiplier > dear.noise_multiplier


def test_without_a_budget_no_plan_is_named(ledger: Ledger) -> None:
    private, _ = private_training(ledger, budget="empty")
    with pytest.raises(BudgetExceeded) as refusal:
        next(iter(private.batches()))
    assert "noise multiplier" not in str(refusal.value)


def test_a_second_training_of_one_request_is_refused(ledger: Ledger) -> None:
    trained(ledger)
    with pytest.raises(ConfigError, match="request id 'one' is taken"):
        trained(ledger)


def test_every_parameter_changes_an_output_an_event_or_a_refusal(ledger: Ledger) -> None:
    """None is accepted and ignored; a limit on physical batches changes their shape and not the model."""
    ledger.grant("others", epsilon=1e6, delta=0.5)
    number = iter(range(1000))

    def outcome(**more: Any) -> tuple[Any, ...]:
        settings: dict[str, Any] = {"request_id": f"r{next(number)}", "source": SeededSource(1), "budget": "others"} | more
        private, optimizer = private_training(settings.pop("ledger", ledger), **settings)
        shapes, weights = set(), {}
        for rows, targets in private.batches():
            shapes.add(tuple(rows.shape))
            private.backward(cross_entropy(private.model(rows), targets))
            optimizer.step()
        weights = {name: value.clone() for name, value in private.finish().state_dict().items()}
        return weights, shapes, private.plan

    weights, shapes, plan = outcome()
    x, y = data()
    wide = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    changes: dict[str, Any] = {
        "dataset": (-x, y),
        "epsilon": 1.0,
        "delta": 1e-7,
        "clip_norm": 0.2,
        "batch_size": 32,
        "epochs": 5,
        "n": 128,
        "source": SeededSource(2),
        "model": wide,
    }
    for name, value in changes.items():
        assert not same(outcome(**{name: value})[0], weights), name
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 2))
    slow = torch.optim.SGD(model.parameters(), lr=0.01)
    assert not same(outcome(model=model, optimizer=slow)[0], weights)
    limited = outcome(max_physical_batch=8)
    assert limited[1] == {(8, 3)} != shapes
    assert limited[2] == plan
    spent = ledger.spent("people")
    outcome(budget="people", request_id="named")
    assert ledger.spent("people") != spent
    assert ledger.find("named") is not None
    with pytest.raises(ConfigError):
        outcome(ledger=None)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_source_gives_the_same_model_and_the_default_source_never_does(ledger: Ledger) -> None:
    first, second, third, fourth = (
        copy.deepcopy(trained(ledger, request_id=name, source=source, epsilon=1.0).state_dict())
        for name, source in (("a", SeededSource(3)), ("b", SeededSource(3)), ("c", None), ("d", None))
    )
    assert same(first, second)
    assert not same(third, fourth)


def test_a_tensor_data_set_is_the_same_as_its_tensors(ledger: Ledger) -> None:
    tensors = trained(ledger, request_id="a").state_dict()
    dataset = trained(ledger, request_id="b", dataset=torch.utils.data.TensorDataset(*data())).state_dict()
    assert same(dict(tensors), dict(dataset))


def test_data_and_models_that_cannot_be_trained_are_refused_before_anything_is_charged(ledger: Ledger) -> None:
    x, y = data()
    with pytest.raises(ConfigError, match="TensorDataset"):
        private_training(ledger, dataset=[x, y])
    with pytest.raises(ConfigError, match="TensorDataset"):
        private_training(ledger, dataset=())
    with pytest.raises(ConfigError, match="one length"):
        private_training(ledger, dataset=(x, y[:-1]))
    with pytest.raises(UnsupportedModel, match="BatchNorm1d"):
        private_training(ledger, model=nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
    with pytest.raises(UnsupportedModel, match="optimizer"):
        private_training(ledger, optimizer=torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0))
    assert ledger.spent("people").epsilon == 0
