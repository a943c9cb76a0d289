"""What make_private can be told beyond the plain loop: users, augmentations, clipping, mechanisms, sampling, bytes; each does what it says."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from simple_training import cross_entropy
from tacit.errors import ConfigError, DataError
from tacit.noise.grid import clip_target, grid_step
from tacit.noise.source import OsSource, SeededSource, Zeros
from tacit.privacy.ledger import Ledger
from tacit.privacy.strategies import Banded
from tacit.train import (
    AdaptiveClipping,
    AutomaticClipping,
    FlatClipping,
    PerLayerClipping,
    PrivateTraining,
    make_private,
)
from tacit.train.describing import gradient_noise

Batch = tuple[Tensor, Tensor, Tensor]  # features, labels, and the number of each row's user, from 1; 0 is padding
Gradients = dict[str, Tensor]

OWNERS = np.array([0, 0, 0, 0, 0, 1, 2, 2, 3, 3, 3, 5, 5, 6, 6, 7])  # user 4 owns no row
N = 8


def network(seed: int = 1) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def rows(count: int = len(OWNERS)) -> Batch:
    generator = torch.Generator().manual_seed(4)
    features = torch.randn(count, 3, generator=generator) * 2
    owner = torch.from_numpy(np.resize(OWNERS, count)) + 1
    return features, torch.randint(0, 2, (count,), generator=generator), owner


def private_training(ledger: Ledger, **more: Any) -> PrivateTraining:
    settings: dict[str, Any] = {
        "model": network(),
        "dataset": rows(),
        "epsilon": 8.0,
        "delta": 1e-5,
        "clip_norm": 0.7,
        "batch_size": N,
        "epochs": 1,
        "ledger": ledger,
        "budget": "people",
        "request_id": "one",
        "source": Zeros(),
    } | more
    settings.setdefault("optimizer", torch.optim.SGD(settings["model"].parameters(), lr=0.0))
    return make_private(**settings)


def by_users(ledger: Ledger, rows_per_user: int = 2, **more: Any) -> PrivateTraining:
    """Every user is drawn in every step: the batch is as large as their number."""
    return private_training(ledger, **({"unit": "user_id", "owners": OWNERS, "n": N, "rows_per_user": rows_per_user} | more))


def one_step(private: PrivateTraining, alter: Callable[[Tensor], Tensor] = lambda x: x) -> tuple[Gradients, list[Batch]]:
    """Take one step without noise; return the sum behind its update, and its micro-batches as the model saw them."""
    seen: list[Batch] = []
    for x, y, owner in private.batches():
        seen.append((alter(x), y, owner))
        private.backward(cross_entropy(private.model(seen[-1][0]), y))
        if private.step:
            break
    found = {
        name: one.grad.double() * private.plan.batch_size
        for name, one in private.model.named_parameters()
        if one.grad is not None
    }
    return found, seen


def gradient(model: nn.Module, x: Tensor, y: Tensor) -> Gradients:
    """One row's gradient, from a backward pass of its own."""
    names = [name for name, _ in model.named_parameters()]
    return dict(
        zip(names, torch.autograd.grad(cross_entropy(model(x[None]), y[None]).sum(), list(model.parameters())), strict=True)
    )


def total(gradients: list[Gradients]) -> Gradients:
    return {name: torch.stack([one[name].double() for one in gradients]).sum(dim=0) for name in gradients[0]}


def length(one: Gradients) -> float:
    return math.sqrt(sum(float(value.double().square().sum()) for value in one.values()))


def scaled(one: Gradients, factor: float) -> Gradients:
    return {name: value.double() * factor for name, value in one.items()}


def clipped(one: Gradients, clip_norm: float) -> Gradients:
    return scaled(one, min(1.0, clip_target(clip_norm) / length(one)))


def agree(one: Gradients, other: Gradients, clip_norm: float = 0.7) -> bool:
    """Up to float32 and half a step of the grid that sums are rounded to."""
    half = grid_step(clip_norm, sum(value.numel() for value in other.values())) / 2
    return all(torch.allclose(one[name], other[name], rtol=1e-5, atol=half + 1e-5) for name in other)


def units(model: nn.Module, seen: list[Batch], rows_of_each: int) -> list[list[Gradients]]:
    """Return the gradients of the real rows of every unit that has any; a unit is so many rows on end."""
    found = []
    for x, y, owner in seen:
        for start in range(0, len(x), rows_of_each):
            real = [place for place in range(start, start + rows_of_each) if owner[place]]
            if real:
                found.append([gradient(model, x[place], y[place]) for place in real])
    return found


@pytest.mark.parametrize("limit", [None, 4])
def test_the_rows_of_a_user_are_clipped_as_one(ledger: Ledger, limit: int | None) -> None:
    private = by_users(ledger, max_physical_batch=limit)
    found, seen = one_step(private)
    each = units(network(), seen, 2)
    assert len(each) == 7
    assert agree(found, total([clipped(total(one), 0.7) for one in each]))
    assert not agree(found, total([clipped(row, 0.7) for one in each for row in one])), "clipped row by row it is another sum"


@pytest.mark.parametrize(("limit", "held"), [(None, None), (7, 6), (3, 2), (2, 2)])
def test_a_user_never_straddles_a_micro_batch_and_brings_at_most_so_many_rows(
    ledger: Ledger, limit: int | None, held: int | None
) -> None:
    _, seen = one_step(by_users(ledger, max_physical_batch=limit))
    assert held is None or {len(x) for x, *_ in seen} == {held}
    lines = torch.cat([owner.view(-1, 2) for *_, owner in seen])
    users = [sorted(set(line.tolist()) - {0}) for line in lines]
    assert all(len(one) <= 1 for one in users), "two users in one line would be clipped as one"
    assert sorted(one[0] for one in users if one) == [1, 2, 3, 4, 6, 7, 8], "each user with rows in one line"
    assert [int((lines == user).sum()) for user in range(1, 9)] == [2, 1, 2, 2, 0, 2, 2, 1]


def test_the_entry_protects_one_user(ledger: Ledger) -> None:
    private = by_users(ledger)
    one_step(private)
    entry = ledger.find("one")
    assert entry is not None
    assert entry.content["block"]["guarantee"]["unit"] == private.plan.guarantee.unit == "user_id"
    assert private.plan.n == N


def altering(copies: int) -> Callable[[Tensor], Tensor]:
    """Stand-ins for augmentations: each copy of a row becomes another."""
    return lambda x: x * torch.linspace(0.5, 2.0, copies).repeat(len(x) // copies)[:, None]


@pytest.mark.parametrize("limit", [None, 9])
def test_the_gradients_of_a_rows_copies_are_averaged_before_clipping(ledger: Ledger, limit: int | None) -> None:
    private = private_training(ledger, augmentations=3, max_physical_batch=limit, batch_size=16, clip_norm=2.5)
    found, seen = one_step(private, altering(3))
    assert all(torch.equal(owner.view(-1, 3).amin(1), owner.view(-1, 3).amax(1)) for *_, owner in seen), "copies stand together"
    each = units(network(), seen, 3)
    assert [len(one) for one in each] == [3] * 16
    assert agree(found, total([clipped(scaled(total(one), 1 / 3), 2.5) for one in each]), 2.5)
    assert not agree(found, total([clipped(total(one), 2.5) for one in each]), 2.5), "the sum of the copies is another gradient"
    assert not agree(found, total([scaled(clipped(row, 2.5), 1 / 3) for one in each for row in one]), 2.5), (
        "so is clipping each copy"
    )


def test_copies_of_a_users_rows_are_averaged_and_its_rows_summed(ledger: Ledger) -> None:
    private = by_users(ledger, augmentations=2, clip_norm=2.5)
    found, seen = one_step(private, altering(2))
    assert agree(found, total([clipped(scaled(total(one), 1 / 2), 2.5) for one in units(network(), seen, 4)]), 2.5)


def per_layer(one: Gradients, _: float) -> Gradients:
    layers = {"0": ["0.weight", "0.bias"], "2": ["2.weight", "2.bias"]}
    parts = [clipped({name: one[name] for name in names}, 0.7 / math.sqrt(2)) for names in layers.values()]
    return parts[0] | parts[1]


def normalized(one: Gradients, _: float) -> Gradients:
    return scaled(one, clip_target(0.7) / (length(one) + 0.05))


@pytest.mark.parametrize(
    ("clipping", "formula"),
    [
        (None, clipped),
        (FlatClipping(clip_norm=0.7), clipped),
        (PerLayerClipping(clip_norm=0.7), per_layer),
        (AutomaticClipping(clip_norm=0.7, gamma=0.05), normalized),
    ],
    ids=["default", "flat", "per-layer", "automatic"],
)
def test_every_mode_of_clipping_adds_what_its_formula_says(ledger: Ledger, clipping: Any, formula: Any) -> None:
    private = private_training(ledger, clipping=clipping, batch_size=16)
    found, seen = one_step(private)
    each = [one for unit in units(network(), seen, 1) for one in unit]
    assert len(each) == 16
    assert agree(found, total([formula(one, 0.7) for one in each]))
    if formula is not clipped:
        assert not agree(found, total([clipped(one, 0.7) for one in each]))


def test_adaptive_clipping_clips_at_the_present_norm_and_follows_the_quantile(ledger: Ledger) -> None:
    """Andrew et al. 2021, Algorithm 1, without noise: C <- C exp(-rate (share left whole - quantile))."""
    rule = AdaptiveClipping(clip_norm=0.7, quantile=0.3, learning_rate=0.5, bit_noise=20.0)
    private = private_training(ledger, clipping=rule, batch_size=16, epochs=3)
    each = [gradient(network(), x, y) for x, y, _ in zip(*rows(), strict=True)]
    norm = 0.7
    for x, y, _ in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        found = {name: one.grad.double() * 16 for name, one in private.model.named_parameters() if one.grad is not None}
        assert agree(found, total([clipped(one, norm) for one in each]), norm)
        share = sum(length(one) <= norm for one in each) / 16
        norm *= math.exp(-0.5 * (share - 0.3))
    assert private.step == 3
    assert norm != pytest.approx(0.7, rel=0.05)


PROTOCOLS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "dp-sgd", "poisson"),
    ({"sampling": "shuffle"}, "dp-sgd", "shuffle"),
    ({"sampling": "balls-in-bins"}, "dp-sgd", "balls-in-bins"),
    ({"mechanism": "banded"}, "banded", "cyclic-poisson"),
    ({"mechanism": "banded", "sampling": "shuffle"}, "banded", "shuffle"),
    ({"mechanism": "blt"}, "blt", "shuffle"),
    ({"mechanism": "blt", "sampling": "balls-in-bins"}, "blt", "balls-in-bins"),
    ({"mechanism": "tree"}, "tree", "shuffle"),
]


@pytest.mark.parametrize(("choice", "mechanism", "sampling"), PROTOCOLS, ids=[f"{one[1]}-{one[2]}" for one in PROTOCOLS])
def test_every_mechanism_and_sampling_runs_to_the_end_is_charged_once_and_has_its_noise(
    ledger: Ledger, choice: dict[str, Any], mechanism: str, sampling: str
) -> None:
    """Zero gradients: rms of the update within 1.5% of the printed deviation. Even were a coordinate's noise the same in every
    step, 100,000 coordinates leave an error of 0.224%: 6.7 deviations, chance 3e-11 each."""
    private = private_training(
        ledger,
        model=nn.Linear(50_000, 2, bias=False),
        dataset=(torch.zeros(40, 50_000),),
        batch_size=10,
        epochs=2,
        source=OsSource.from_os(),
        **choice,
    )
    plan, squares, drawn = private.plan, [], 0
    assert plan.sampling == sampling
    assert plan.mechanism_name == mechanism or plan.strategy == Banded(coefficients=(1.0,)), "one band, where more cost more"
    for (x,) in private.batches():
        private.backward(private.model(x).sum(dim=1))
        (parameter,) = private.model.parameters()
        assert parameter.grad is not None
        squares.append(float(parameter.grad.double().square().mean()))
        drawn += 1
    assert private.step == drawn == plan.steps == 8
    dp = [entry for entry in ledger.entries() if entry.kind == "dp"]
    assert [entry.request_id for entry in dp] == ["one"]
    assert ledger.spent("people").epsilon == pytest.approx(plan.guarantee.epsilon, abs=1e-8)
    measured = math.sqrt(np.mean(squares))
    assert measured == pytest.approx(gradient_noise(plan), rel=0.015)
    assert measured != pytest.approx(1.05 * gradient_noise(plan), rel=0.015), "an error of 5% is seen"


def test_a_mechanism_without_a_price_for_its_sampling_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ConfigError, match="no theorem"):
        private_training(ledger, mechanism="tree", sampling="poisson")
    assert ledger.spent("people").epsilon == 0


def convolutional(seed: int = 2) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(2, 6, 3), nn.Tanh(), nn.Conv2d(6, 5, 3), nn.Flatten(), nn.Linear(5 * 4, 2))


def test_the_byte_budget_changes_the_method_and_not_the_sums(ledger: Ledger) -> None:
    ledger.grant("people", epsilon=50, delta=1e-4)
    features = torch.randn(16, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(16) % 2
    updates, methods = [], []
    for number, more in enumerate(({}, {"keep_bytes": 0}, {"keep_bytes": 96 << 20})):
        private = private_training(
            ledger, model=convolutional(), dataset=(features, labels), source=SeededSource(5), request_id=f"r{number}", **more
        )
        for x, y in private.batches():
            private.backward(cross_entropy(private.model(x), y))
        methods.append(private.methods())
        updates.append(torch.cat([one.grad.flatten() for one in private.model.parameters() if one.grad is not None]))
    assert torch.allclose(updates[0], updates[1], rtol=1e-4, atol=1e-4), "but for rounding to the grid"
    assert torch.equal(updates[0], updates[2])
    assert methods[0] == methods[2] != methods[1]
    with pytest.raises(ConfigError, match="byte budget"):
        private_training(ledger, keep_bytes=-1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"owners": OWNERS, "rows_per_user": 2, "unit": "user_id"}, "number of users and must be declared"),
        ({"owners": OWNERS, "n": N}, "owners are given"),
        ({"rows_per_user": 2, "unit": "user_id"}, "owners are missing"),
        ({"unit": "user_id"}, "rows_per_user"),
        ({"owners": OWNERS[:-1], "n": N, "rows_per_user": 2, "unit": "user_id"}, "Give each row its one owner"),
        ({"owners": OWNERS, "n": N, "rows_per_user": 2}, "unit column"),
        ({"max_physical_batch": 0}, "max_physical_batch must be a whole number"),
        ({"max_physical_batch": -3}, "max_physical_batch must be a whole number"),
        ({"max_physical_batch": 2.5}, "max_physical_batch must be a whole number"),
        ({"max_physical_batch": True}, "max_physical_batch must be a whole number"),
        ({"max_physical_batch": 3, "augmentations": 4}, "Give at least 4"),
        ({"owners": OWNERS, "n": N, "rows_per_user": 4, "unit": "user_id", "max_physical_batch": 3}, "Give at least 4"),
        (
            {"owners": OWNERS, "n": N, "rows_per_user": 2, "unit": "user_id", "max_physical_batch": 3, "augmentations": 2},
            "at least 4",
        ),
        ({"n": 7, "batch_size": 4}, "n says 7 units, each a row, and the data set has 16 rows"),
        ({"augmentations": 0}, "augmentations"),
        ({"augmentations": 1.5}, "augmentations"),
        ({"augmentations": True}, "augmentations"),
        ({"clipping": FlatClipping(clip_norm=0.5)}, "another length"),
        ({"clipping": 1.0}, "clipping must say how"),
        ({"delta": math.nan}, "delta must be a number"),
        ({"optimizer": torch.optim.SGD}, "made from model.parameters"),
        ({"epsilon": None, "epochs": None}, "epsilon, epochs are missing"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_charged(ledger: Ledger, change: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        private_training(ledger, **change)
    assert ledger.spent("people").epsilon == 0


def test_a_row_of_a_user_beyond_n_is_refused(ledger: Ledger) -> None:
    with pytest.raises(DataError, match="from 0 to 7"):
        by_users(ledger, owners=OWNERS + 1)
