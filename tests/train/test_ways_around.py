"""Ways around a tap: each is exact or refused; none trains on an unclipped gradient (SOUNDNESS 9)."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

from simple_training import cross_entropy, one_at_a_time, plan, training
from tacit.errors import TacitError, UnsupportedModel
from tacit.noise.grid import clip_target
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.train.torch.attach import check_model, check_optimizer
from tacit.train.torch.private import PrivateTraining

F = nn.functional
Losses = Callable[[PrivateTraining, nn.Sequential, Tensor, Tensor], Tensor]


def fresh() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def layer(model: nn.Sequential, number: int) -> nn.Linear:
    found = model[number]
    assert isinstance(found, nn.Linear)
    return found


def data() -> tuple[Tensor, Tensor]:
    torch.manual_seed(5)
    return 5 * torch.randn(12, 3), torch.randint(0, 2, (12,))


def _by_hand(m: nn.Sequential, x: Tensor) -> Tensor:
    for one in m:
        x = one(x)
    return x


def _even_rows_centred(losses: Tensor) -> Tensor:
    even = torch.arange(len(losses)) % 2 == 0
    return torch.where(even, (losses - losses[even].mean()) ** 2, losses)


def _straight(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(p.model(x), y)


def _twice(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(p.model(x), y) + cross_entropy(p.model(x), y)


def _with_parameter(use: Callable[[nn.Sequential, Tensor], Tensor]) -> Losses:
    return lambda p, m, x, y: cross_entropy(p.model(x), y) + use(m, x)


def _hook(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    m[0].register_forward_hook(lambda _m, _i, out: out + out.mean(dim=0))
    return cross_entropy(p.model(x), y)


def _new_layer(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    m.append(nn.Linear(2, 2))
    return cross_entropy(p.model(x), y)


def _batch_norm_later(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    m[1] = nn.BatchNorm1d(5, affine=False)
    return cross_entropy(p.model(x), y)


def _autocast(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return cross_entropy(p.model(x), y)


def _no_grad(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        return cross_entropy(p.model(x), y)


def _own_backward_first(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    losses = cross_entropy(p.model(x), y)
    losses.sum().backward(retain_graph=True)
    return losses


def _raw_gradient(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    losses = cross_entropy(p.model(x), y)
    for parameter, gradient in zip(
        m.parameters(), torch.autograd.grad(losses.sum(), list(m.parameters()), retain_graph=True), strict=True
    ):
        parameter.data -= gradient
    return losses


def _functional_call(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    halved = {name: parameter / 2 for name, parameter in m.named_parameters()}
    return cross_entropy(torch.func.functional_call(m, halved, (x,)), y)


def _vmap_gradient(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    def loss(parameters: dict[str, Tensor]) -> Tensor:
        return cross_entropy(torch.func.functional_call(m, parameters, (x,)), y).sum()

    gradients = torch.func.grad(loss)(dict(m.named_parameters()))
    for name, parameter in m.named_parameters():
        parameter.data -= gradients[name]
    return cross_entropy(p.model(x), y)


WAYS: dict[str, Losses] = {
    "the straight way": _straight,
    "a regularizer in the loss": _with_parameter(lambda m, x: layer(m, 0).weight.square().sum()),
    "an L1 penalty on a bias": _with_parameter(lambda m, x: layer(m, 2).bias.abs().sum()),
    "F.linear with a scaled weight": _with_parameter(lambda m, x: F.linear(x, layer(m, 0).weight * 3).sum(dim=1)),
    "F.linear with the weight itself, outside the model": _with_parameter(
        lambda m, x: F.linear(x, layer(m, 0).weight).sum(dim=1)
    ),
    "a product with a mask": _with_parameter(lambda m, x: F.linear(x, layer(m, 0).weight * (layer(m, 0).weight > 0)).sum(dim=1)),
    "a transposed weight": _with_parameter(lambda m, x: (x @ layer(m, 0).weight.T).sum(dim=1)),
    "a view of a weight": _with_parameter(lambda m, x: (x @ layer(m, 0).weight.view(3, 5)).sum(dim=1)),
    "a slice of a weight": _with_parameter(lambda m, x: x @ layer(m, 0).weight[0]),
    "einsum with a weight": _with_parameter(lambda m, x: torch.einsum("bi,oi->b", x, layer(m, 0).weight)),
    "addmm with a weight": _with_parameter(lambda m, x: torch.addmm(layer(m, 0).bias, x, layer(m, 0).weight.T).sum(dim=1)),
    "a weight as an embedding table": _with_parameter(
        lambda m, x: F.embedding(torch.zeros(len(x), dtype=torch.long), layer(m, 0).weight).sum(dim=1)
    ),
    "a weight added to the input": _with_parameter(lambda m, x: (x + layer(m, 0).weight[0]).sum(dim=1)),
    "in-place edit of a clone of a weight": _with_parameter(
        lambda m, x: F.linear(x, layer(m, 0).weight.clone().mul_(2)).sum(dim=1)
    ),
    "forward called past the hooks": lambda p, m, x, y: cross_entropy(m.forward(x), y),
    "layers called one by one": lambda p, m, x, y: cross_entropy(_by_hand(m, x), y),
    "a part of the model alone": lambda p, m, x, y: cross_entropy(m[0](x), y),
    "the model, then a layer again": lambda p, m, x, y: cross_entropy(p.model(x) + _by_hand(m, x), y),
    "the model twice": _twice,
    "a functional call with derived parameters": _functional_call,
    "gradients by torch.func": _vmap_gradient,
    "reentrant checkpointing": lambda p, m, x, y: cross_entropy(checkpoint(m, x.requires_grad_(), use_reentrant=True), y),
    "checkpointing": lambda p, m, x, y: cross_entropy(checkpoint(m, x, use_reentrant=False), y),
    "a deep copy": lambda p, m, x, y: cross_entropy(copy.deepcopy(m)(x), y),
    "the user's own backward first": _own_backward_first,
    "autograd.grad and a hand-made update": _raw_gradient,
    "autocast": _autocast,
    "no_grad": _no_grad,
    "a detached output": lambda p, m, x, y: cross_entropy(p.model(x).detach(), y),
    "a forward hook added later": _hook,
    "a layer added later": _new_layer,
    "batch norm put in later": _batch_norm_later,
    "three-dimensional input": lambda p, m, x, y: cross_entropy(p.model(x[:, None, :])[:, 0], y),
    "another batch than the one drawn": lambda p, m, x, y: cross_entropy(p.model(torch.cat([x, x])), torch.cat([y, y])),
    "losses divided by their sum": lambda p, m, x, y: (lambda each: each / each.sum())(cross_entropy(p.model(x), y)),
    "losses minus the batch mean": lambda p, m, x, y: (lambda each: (each - each.mean()) ** 2)(cross_entropy(p.model(x), y)),
    "outputs normalized over the batch": lambda p, m, x, y: cross_entropy((lambda out: out / out.norm())(p.model(x)), y),
    "in-batch negatives": lambda p, m, x, y: (lambda out: cross_entropy(out @ out.T, torch.arange(len(x))))(p.model(x)),
    "centring even rows by their mean": lambda p, m, x, y: _even_rows_centred(cross_entropy(p.model(x), y)),
    "a scalar loss": lambda p, m, x, y: cross_entropy(p.model(x), y).mean(),
    "a column of losses": lambda p, m, x, y: cross_entropy(p.model(x), y)[:, None],
}

EXACT = {"the straight way", "checkpointing"}
"""Ways that may train; all others must be refused."""


@pytest.mark.parametrize("way", WAYS)
def test_a_way_around_a_tap_is_exact_or_refused(way: str, ledger: Ledger) -> None:
    model, (rows, targets) = fresh(), data()
    before = copy.deepcopy(model.state_dict())
    expected = one_at_a_time(fresh(), rows, targets, cross_entropy, clip_target(1.0))
    private, optimizer = training(model, (rows, targets), plan(12, 12), ledger, SeededSource(2))
    try:
        for x, y in private.batches():
            private.backward(WAYS[way](private, model, x, y))
            optimizer.step()
    except (TacitError, RuntimeError) as error:
        assert way not in EXACT or isinstance(error, TacitError), error
        for name, value in before.items():
            torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=0)
        return
    assert way in EXACT, "neither exact nor refused"
    for name, value in model.named_parameters():
        torch.testing.assert_close((before[name] - value).double() * 12, expected[name], rtol=1e-4, atol=1e-4)


def test_pairing_rows_half_a_batch_apart_is_found_within_a_few_batches(ledger: Ledger) -> None:
    """Every coupled pair escapes a batch with probability 1/2 and there are 6 a batch: all 8 batches with chance 2^-48."""
    model, (rows, targets) = fresh(), data()
    private, _ = training(model, (rows, targets), plan(12, 12, steps=8), ledger, SeededSource(2))
    with pytest.raises(TacitError, match="depends on another example"):
        for x, y in private.batches():
            out = private.model(x)
            private.backward(cross_entropy(out + out.roll(len(out) // 2, 0), y))


def test_hooks_on_every_module_are_refused(ledger: Ledger) -> None:
    handle = torch.nn.modules.module.register_module_forward_hook(lambda _m, _i, out: out - out.mean(dim=0))
    try:
        with pytest.raises(UnsupportedModel, match="every module"):
            check_model(fresh())
    finally:
        handle.remove()


def test_at_least_25_ways_are_tried() -> None:
    assert len(WAYS) >= 25 + len(EXACT)


class _Custom(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = F.linear(x, self.weight) / x.norm()
        return result


class _Louder(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.mean()


def _tied() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    return model


def _reused() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Sequential(layer, nn.ReLU(), layer)


def _replaced_forward() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 2))
    model[0].forward = lambda x: x.mean(dim=0).expand(len(x), 3)[:, :2]
    return model


def _hooked() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 2))
    model[0].register_forward_pre_hook(lambda _m, args: (args[0] - args[0].mean(dim=0),))
    return model


REFUSED: dict[str, Callable[[], nn.Module]] = {
    "BatchNorm1d": lambda: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)),
    "Dropout": lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout()),
    "Conv1d": lambda: nn.Sequential(nn.Conv1d(3, 2, 1)),
    "LSTM": lambda: nn.Sequential(nn.LSTM(3, 2)),
    "LayerNorm": lambda: nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)),
    "Softmax": lambda: nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=0)),
    "Flatten": lambda: nn.Sequential(nn.Flatten(), nn.Linear(3, 2)),
    "Custom": _Custom,
    "Louder": lambda: nn.Sequential(_Louder(3, 2)),
    "weight_norm": lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 2))),
    "spectral_norm": lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(3, 2))),
    "pruned": lambda: nn.Sequential(prune.l1_unstructured(nn.Linear(3, 2), "weight", amount=1)),
    "tied": _tied,
    "reused": _reused,
    "replaced forward": _replaced_forward,
    "hooked": _hooked,
    "in place": lambda: nn.Sequential(nn.Linear(3, 2), nn.ReLU(inplace=True)),
    "DataParallel": lambda: nn.DataParallel(nn.Sequential(nn.Linear(3, 2))),
    "bfloat16": lambda: nn.Sequential(nn.Linear(3, 2, dtype=torch.bfloat16)),
    "frozen": lambda: nn.Sequential(nn.Linear(3, 2)).requires_grad_(False),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_model_that_cannot_be_exact_is_refused_by_name(kind: str) -> None:

    with pytest.raises(UnsupportedModel) as refusal:
        check_model(REFUSED[kind]())
    assert len(str(refusal.value)) > 60
    if kind in ("BatchNorm1d", "Dropout", "Conv1d", "LSTM", "LayerNorm", "Softmax", "Flatten"):
        assert kind in str(refusal.value)


def test_an_optimizer_that_misses_a_parameter_is_refused(ledger: Ledger) -> None:

    model = fresh()
    with pytest.raises(UnsupportedModel, match=r"2\.weight"):
        check_optimizer(torch.optim.SGD(model[0].parameters(), lr=1.0), model)
    with pytest.raises(UnsupportedModel, match="something else"):
        check_optimizer(torch.optim.SGD([*model.parameters(), nn.Parameter(torch.ones(1))], lr=1.0), model)


def test_the_refusal_names_the_parameter_and_where_it_happened(ledger: Ledger) -> None:
    from tacit.errors import PrivacyError

    model, tensors = fresh(), data()
    private, _ = training(model, tensors, plan(12, 12), ledger, SeededSource(2))
    with pytest.raises(PrivacyError, match=r"'0\.weight'.*test_ways_around\.py:\d+"):
        for x, y in private.batches():
            private.backward(cross_entropy(private.model(x), y) + layer(model, 0).weight.sum())
