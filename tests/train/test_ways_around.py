"""Ways around a tap: each is exact or refused; none trains on an unclipped gradient (SOUNDNESS 9).

Exact means: the update equals the sum of clipped gradients that ordinary autograd forms one example at a time.
"""

# mypy: disable-error-code="no-any-return, call-overload, dict-item, return-value, func-returns-value, assignment"

import copy
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

from simple_training import Still, cross_entropy, plan, training
from tacit.errors import PrivacyError, TacitError, UnsupportedModel
from tacit.noise.grid import clip_target
from tacit.privacy.ledger import Ledger
from tacit.train.torch.attach import check_model, check_optimizer
from tacit.train.torch.private import PrivateTraining

F = nn.functional
Losses = Callable[[PrivateTraining, nn.Sequential, Tensor, Tensor], Tensor]
EXACT = "exact"
REPLACED = "changed after|when the model was traced|other parameters in place|does not hold"


class Part(nn.Module):
    """Two linear layers and whatever else a way needs, joined by a function: what happens inside a model."""

    def __init__(self, join: Callable[[Any, Tensor], Tensor], **more: Callable[[], Any]) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.join = join
        self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 2)
        for name, build in more.items():
            setattr(self, name, build())

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self, x)


def part(join: Callable[[Any, Tensor], Tensor], **more: Callable[[], Any]) -> Callable[[], nn.Module]:
    return lambda: Part(join, **more)


def values(*shape: int) -> Callable[[], nn.Parameter]:
    return lambda: nn.Parameter(torch.linspace(-1, 1, torch.Size(shape).numel()).reshape(shape) + 0.1)


def square() -> nn.Linear:
    return nn.Linear(5, 5)


def gate() -> nn.Linear:
    return nn.Linear(3, 2)


def fresh() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def with_first(wrap: Callable[[nn.Linear], nn.Module], **more: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        torch.manual_seed(4)
        return nn.Sequential(wrap(nn.Linear(3, 5)), nn.Tanh(), nn.Linear(5, 2)).train(more.get("training", True))

    return build


def data() -> tuple[Tensor, Tensor]:
    torch.manual_seed(5)
    return 5 * torch.randn(12, 3), torch.randint(0, 2, (12,))


class MixingBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] + gradients[0].mean(dim=0)


class TimesSum(torch.autograd.Function):
    """Multiplies rows in its backward pass: where the other rows' gradients are zero, nothing is left to see."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * gradients[0].sum(0)


class OwnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight.t()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        return gradients[0] @ weight, gradients[0].t() @ x


def _edited_activations(m: Any, x: Tensor) -> Tensor:
    h = m.a(x) * 1.5
    h.add_(1)
    return m.b(F.relu(h, inplace=True))


def _edited_after_use(m: Any, x: Tensor) -> Tensor:
    h = torch.tanh(m.a(x))
    out = m.b(h)
    h.mul_(2)
    return out


def _edited_by_parameter(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    h += m.c
    return m.b(h)


def _hook_editing_gradients(m: Any, x: Tensor) -> Tensor:
    one = m.a(x)
    h = one + m.again(x)  # one gradient, handed to both
    one.register_hook(lambda gradient: gradient.mul_(100.0))
    return m.b(h)


def _hook_mixing_gradients(m: Any, x: Tensor) -> Tensor:
    h = m.a(x) * 1
    h.register_hook(lambda gradient: gradient + gradient.mean(dim=0))
    return m.b(h)


def _experts(m: Any, x: Tensor) -> Tensor:
    shares = torch.softmax(m.gate(x), dim=1)
    return m.b(shares[:, :1] * m.a(x) + shares[:, 1:] * m.other(x))


def _experts_by_mask(m: Any, x: Tensor) -> Tensor:
    chosen = m.gate(x).argmax(dim=1, keepdim=True)
    return m.b(torch.where(chosen == 0, m.a(x), m.other(x)))


def _experts_by_rows(m: Any, x: Tensor) -> Tensor:
    chosen, out = m.gate(x).argmax(dim=1), x.new_zeros(len(x), 5)
    for number, expert in enumerate((m.a, m.other)):
        rows = (chosen == number).nonzero().flatten()
        out = out.index_copy(0, rows, expert(x[rows]))
    return m.b(out)


def _switch(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    return m.b(h * 2 if x.max() > 3 else h)


def _parameter_edited(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        m.a.weight.mul_(0.9)
    return m.b(m.a(x))


def _remembered(m: Any, x: Tensor) -> Tensor:
    m.memory = x.detach().mean(dim=0)
    return m.b(m.a(x))


def _buffer_later(m: Any, x: Tensor) -> Tensor:
    m.calls = getattr(m, "calls", 0) + 1
    if m.calls > 500:
        m.seen.copy_(x.mean(dim=0))
    return m.b(m.a(x))


def _derived_twice(m: Any, x: Tensor, *, use_reentrant: bool) -> Tensor:
    def inner(h: Tensor) -> Tensor:
        return torch.tanh(F.linear(h, m.again.weight * 3, m.again.bias))

    h: Any = checkpoint(inner, m.a(x), use_reentrant=use_reentrant)
    return m.b(F.linear(h, m.again.weight * 2))


def _slopes(m: Any, x: Tensor) -> Tensor:
    slopes: Tensor = torch.func.vmap(torch.func.grad(lambda row: m.a(row).tanh().sum()))(x)
    return slopes


def _unrouted(m: Any, x: Tensor) -> Tensor:
    with torch._C.DisableTorchFunction():
        return m.b(m.a(x))


INSIDE: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "activations edited in place": (part(_edited_activations), EXACT),
    "an in-place activation": (lambda: nn.Sequential(nn.Linear(3, 5), nn.ReLU(inplace=True), nn.Linear(5, 2)), EXACT),
    "an activation edited after its use": (part(_edited_after_use), "modified by an inplace operation"),
    "an activation edited by a parameter": (part(_edited_by_parameter, c=values(5)), "works in place with parameter 'c'"),
    "a clone of a weight edited": (part(lambda m, x: m.b(F.linear(x, m.a.weight.clone().mul_(2), m.a.bias))), "in place"),
    "a parameter edited while the model runs": (part(_parameter_edited), "in place"),
    "a hook that edits a gradient": (part(_hook_editing_gradients, again=lambda: nn.Linear(3, 5)), "edited in place"),
    "a hook that mixes gradients": (part(_hook_mixing_gradients), "another record's gradient"),
    "a function whose backward mixes gradients": (
        part(lambda m, x: m.b(MixingBackward.apply(m.a(x)))),
        "another record's gradient",
    ),
    "a function with a backward of its own": (part(lambda m, x: m.b(OwnLinear.apply(x, m.a.weight) + m.a.bias)), "a.weight"),
    "operations without torch functions": (part(_unrouted), "ordinary gradient"),
    "a view of a weight": (part(lambda m, x: m.b(x @ m.a.weight.view(3, 5) + m.a.bias)), EXACT),
    "a transposed weight": (part(lambda m, x: m.b(x @ m.a.weight.T + m.a.bias)), EXACT),
    "slices of a weight": (part(lambda m, x: m.b(m.a(x) * m.q[1] + m.q[:1]), q=values(2, 5)), EXACT),
    "chunks of a weight": (part(lambda m, x: torch.cat([F.linear(m.a(x), c) for c in m.b.weight.chunk(2)], 1) + m.b.bias), EXACT),
    "parameters stacked": (
        part(lambda m, x: F.linear(m.a(x), torch.stack([m.p, m.q]) + m.b.weight, m.b.bias), p=values(5), q=values(5)),
        EXACT,
    ),
    "a product with a mask": (part(lambda m, x: m.b(F.linear(x, m.a.weight * (m.a.weight > 0), m.a.bias))), EXACT),
    "a scaled weight": (part(lambda m, x: m.b(F.linear(x, m.a.weight * 3, m.a.bias * 2))), EXACT),
    "a straight-through estimator": (
        part(lambda m, x: m.b(F.linear(x, m.a.weight + (m.a.weight.sign() - m.a.weight).detach(), m.a.bias))),
        EXACT,
    ),
    "a detached weight": (part(lambda m, x: m.b(F.linear(x, m.a.weight.detach(), m.a.bias))), EXACT),
    "the data of a weight": (part(lambda m, x: m.b(F.linear(x, m.a.weight.data, m.a.bias))), EXACT),
    "a temperature": (part(lambda m, x: m.b(m.a(x)) * m.t.exp(), t=lambda: nn.Parameter(torch.tensor(0.3))), EXACT),
    "a penalty added to the output": (
        part(lambda m, x: m.b(m.a(x)) + m.a.weight.square().sum() * torch.tensor([1.0, 0.0])),
        EXACT,
    ),
    "einsum": (part(lambda m, x: m.b(torch.einsum("bi,oi->bo", x, m.a.weight) + m.a.bias)), EXACT),
    "a complex weight": (part(lambda m, x: m.b((m.a(x) * torch.complex(m.c, m.c)).real), c=values(5)), "complex"),
    "a weight indexed by data": (part(lambda m, x: m.b(m.a(x) + m.q[(x[:, 0] > 0).long()]), q=values(2, 5)), EXACT),
    "operations by their inner names": (part(lambda m, x: m.b(torch.ops.aten.linear(x, m.a.weight, m.a.bias))), EXACT),
    "a layer used twice": (part(lambda m, x: m.b(m.again(torch.tanh(m.again(m.a(x))))), again=square), EXACT),
    "tied weights": (part(lambda m, x: m.b(torch.tanh(m.a(x))) + F.linear(m.a(x), m.b.weight)), EXACT),
    "each example twice": (part(lambda m, x: m.b(m.a(torch.cat([x, x]))[: len(x)])), EXACT),
    "weight_norm": (with_first(parametrizations.weight_norm), EXACT),
    "orthogonal": (with_first(parametrizations.orthogonal), EXACT),
    "spectral_norm, training": (with_first(parametrizations.spectral_norm), "change[ds] while"),
    "spectral_norm, fixed": (with_first(parametrizations.spectral_norm, training=False), EXACT),
    "weight_norm by hooks": (with_first(nn.utils.weight_norm), "hooks"),
    "pruning by hooks": (with_first(lambda one: prune.l1_unstructured(one, "weight", amount=1)), "hooks"),
    "dropout that keeps all": (lambda: nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.0), nn.Linear(5, 2)), EXACT),
    "soft experts": (part(_experts, gate=gate, other=lambda: nn.Linear(3, 5)), EXACT),
    "hard experts by mask": (part(_experts_by_mask, gate=gate, other=lambda: nn.Linear(3, 5)), EXACT),
    "hard experts by rows": (
        part(_experts_by_rows, gate=gate, other=lambda: nn.Linear(3, 5)),
        "depending on the values|mixes examples",
    ),
    "control flow by the batch": (part(_switch), "mixes examples"),
    "a number read from the batch": (part(lambda m, x: m.b(m.a(x) * float(x.mean()))), "mixes examples"),
    "the batch through numpy": (
        part(lambda m, x: m.b(m.a(x) + torch.from_numpy(x.numpy().mean(axis=0)).sum())),
        "mixes examples",
    ),
    "a softmax over the batch": (part(lambda m, x: m.b(torch.softmax(m.a(x), dim=0))), "mixes examples"),
    "rows sorted": (part(lambda m, x: m.b(m.a(x[x[:, 0].argsort()]))), "mixes examples"),
    "a tensor kept from batch to batch": (part(_remembered), "changed while"),
    "a buffer changed later": (part(_buffer_later, seen=lambda: nn.Buffer(torch.zeros(3))), EXACT),
    "checkpointing inside": (
        part(lambda m, x: m.b(checkpoint(lambda h: torch.tanh(m.again(m.again(h))), m.a(x), use_reentrant=False)), again=square),
        EXACT,
    ),
    "reentrant checkpointing inside": (
        part(lambda m, x: m.b(m.again(checkpoint(lambda h: torch.tanh(m.again(h)), m.a(x), use_reentrant=True))), again=square),
        EXACT,
    ),
    "checkpointing with derived weights": (
        part(lambda m, x: _derived_twice(m, x, use_reentrant=False), again=square),
        EXACT,
    ),
    "reentrant checkpointing with derived weights": (
        part(lambda m, x: _derived_twice(m, x, use_reentrant=True), again=square),
        EXACT,
    ),
    "vmap inside": (part(lambda m, x: m.b(torch.func.vmap(lambda row: torch.tanh(m.a(row)))(x))), "torch.func"),
    "torch.func.grad inside": (part(lambda m, x: m.again(_slopes(m, x)), again=gate), "torch.func"),
    "functional_call inside": (
        part(lambda m, x: m.b(torch.func.functional_call(m.a, {k: 2 * v for k, v in m.a.named_parameters()}, (x,)))),
        EXACT,
    ),
    "a compiled part": (lambda: (lambda m: nn.Sequential(m[0], m[1], torch.compile(m[2])))(fresh()), EXACT),
    "compiled before": (lambda: torch.compile(fresh()), EXACT),
    "compiled in place": (lambda: (lambda m: (m.compile(fullgraph=True), m)[1])(fresh()), EXACT),
    "scripted": (lambda: torch.jit.script(fresh()), "forward replaced"),
    "traced by jit": (lambda: torch.jit.trace(fresh(), torch.zeros(2, 3)), "ordinary gradient"),
    "frozen layers": (lambda: (lambda m: (m[0].requires_grad_(False), m)[1])(fresh()), EXACT),
}
"""What happens inside the model: how it is built, and EXACT or a part of the refusal."""


def one_row_at_a_time(model: nn.Module, rows: Tensor, targets: Tensor, clip_norm: float) -> dict[str, Tensor]:
    """Return the sum of clipped gradients, each from an ordinary backward pass of its own row."""
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    sums = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in parameters.items()}
    for row, target in zip(rows, targets, strict=True):
        model.zero_grad(set_to_none=True)
        cross_entropy(model(row[None]).float(), target[None]).sum().backward()
        gradients = {name: p.grad.double() for name, p in parameters.items() if p.grad is not None}
        length = float(sum(one.square().sum() for one in gradients.values())) ** 0.5
        for name, gradient in gradients.items():
            sums[name] += gradient * min(1.0, clip_norm / max(length, 1e-300))
    model.zero_grad(set_to_none=True)
    return sums


def seeded(build: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(4)
    return build()


def check_way(
    build: Callable[[], nn.Module],
    way: Any,
    outcome: str,
    ledger: Ledger,
    reference: Callable[[], nn.Module] | None = None,
    tolerance: float = 1e-4,
) -> None:
    """Train one step on all rows the given way: exactly, or refused in words that match, with the weights as they were."""
    (rows, targets), model = data(), seeded(build)
    before = {name: value.clone() for name, value in model.named_parameters()}
    private = None
    try:
        private, optimizer = training(model, (rows, targets), plan(12, 12), ledger, Still(2))
        for x, y in private.batches():
            private.backward(way(private, model, x, y))
            optimizer.step()
    except (TacitError, RuntimeError) as error:
        assert outcome != EXACT, repr(error)
        assert isinstance(error, TacitError) or outcome == "modified by an inplace operation", repr(error)
        with pytest.raises(type(error), match=outcome):
            raise error
        now = dict(model.named_parameters())
        for name in before.keys() & now.keys() if outcome != REPLACED else ():
            torch.testing.assert_close(now[name], before[name], rtol=0, atol=0)
        return
    assert outcome == EXACT, "neither exact nor refused"
    expected = one_row_at_a_time(seeded(reference or build), rows, targets, clip_target(1.0))
    for name, value in model.named_parameters():
        if value.requires_grad:
            got = (before[name] - value.detach()).double() * 12
            torch.testing.assert_close(got, expected[name.replace("_orig_mod.", "")], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("way", INSIDE)
@pytest.mark.filterwarnings("ignore")
def test_what_happens_inside_a_model_is_exact_or_refused(way: str, ledger: Ledger) -> None:
    build, outcome = INSIDE[way]
    reference = fresh if "compile" in way else None
    check_way(build, _straight, outcome, ledger, reference)


def layer(model: nn.Sequential, number: int) -> nn.Linear:
    found = model[number]
    assert isinstance(found, nn.Linear)
    return found


def _by_hand(m: nn.Sequential, x: Tensor) -> Tensor:
    for one in m:
        x = one(x)
    return x


def _even_rows_centred(losses: Tensor) -> Tensor:
    even = torch.arange(len(losses)) % 2 == 0
    return torch.where(even, (losses - losses[even].mean()) ** 2, losses)


def _straight(p: PrivateTraining, m: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(p.model(x), y)


def _twice(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(p.model(x), y) + cross_entropy(p.model(x), y)


def _plus(use: Callable[[nn.Sequential, Tensor], Tensor]) -> Losses:
    return lambda p, m, x, y: cross_entropy(p.model(x), y) + use(m, x)


def _hook(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    m[0].register_forward_hook(lambda _m, _i, out: out + out.mean(dim=0))
    return cross_entropy(p.model(x), y)


def _new_layer(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    m.append(nn.Linear(2, 2))
    return cross_entropy(p.model(x), y)


def _new_parameter(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    layer(m, 0).weight = nn.Parameter(torch.ones(5, 3))
    return cross_entropy(p.model(x), y)


def _batch_norm_later(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    m[1] = nn.BatchNorm1d(5, affine=False)
    return cross_entropy(p.model(x), y)


def _on_output(hook: Callable[[Tensor], Tensor]) -> Losses:
    def way(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
        out = p.model(x)
        out.register_hook(hook)
        return out.square().sum(dim=1)

    return way


def _no_grad(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        return cross_entropy(p.model(x), y)


def _own_backward_first(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    losses = cross_entropy(p.model(x), y)
    losses.sum().backward(retain_graph=True)
    return losses


def _private_twice(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    losses = cross_entropy(p.model(x), y)
    p.backward(losses)
    return losses


def _raw_gradient(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    losses = cross_entropy(p.model(x), y)
    gradients = torch.autograd.grad(losses.sum(), list(m.parameters()), retain_graph=True)
    for parameter, gradient in zip(m.parameters(), gradients, strict=True):
        parameter.data -= gradient
    return losses


def _gradient_penalty(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    losses = cross_entropy(p.model(x.requires_grad_()), y)
    (slope,) = torch.autograd.grad(losses.sum(), x, create_graph=True)
    return losses + slope.square().sum(dim=1)


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


def _compiled_step(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    step: Callable[[Tensor, Tensor], Tensor] = torch.compile(lambda rows, targets: cross_entropy(m(rows), targets))
    return step(x, y)


def _distributed(p: PrivateTraining, m: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    with tempfile.TemporaryDirectory() as folder:
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=0, world_size=1)
        try:
            return cross_entropy(nn.parallel.DistributedDataParallel(m)(x), y)
        finally:
            torch.distributed.destroy_process_group()


LOOP: dict[str, tuple[Losses, str]] = {
    "the straight way": (_straight, EXACT),
    "a regularizer in the loss": (_plus(lambda m, x: layer(m, 0).weight.square().sum()), "ordinary gradient"),
    "an L1 penalty on a bias": (_plus(lambda m, x: layer(m, 2).bias.abs().sum()), "ordinary gradient"),
    "a weight outside the model": (_plus(lambda m, x: F.linear(x, layer(m, 0).weight).sum(dim=1)), "ordinary gradient"),
    "a scaled weight outside the model": (
        _plus(lambda m, x: F.linear(x, layer(m, 0).weight * 3).sum(dim=1)),
        "ordinary gradient",
    ),
    "a slice of a weight outside the model": (_plus(lambda m, x: x @ layer(m, 0).weight[0]), "ordinary gradient"),
    "forward called past the hooks": (lambda p, m, x, y: cross_entropy(m.forward(x), y), "did not run"),
    "layers called one by one": (lambda p, m, x, y: cross_entropy(_by_hand(m, x), y), "did not run"),
    "a part of the model alone": (lambda p, m, x, y: cross_entropy(m[0](x), y), "did not run"),
    "the model, then a layer again": (lambda p, m, x, y: cross_entropy(p.model(x) + _by_hand(m, x), y), "ordinary gradient"),
    "the model twice": (_twice, "ran twice"),
    "the unwrapped model": (lambda p, m, x, y: cross_entropy(m(x), y), EXACT),
    "a deep copy": (lambda p, m, x, y: cross_entropy(copy.deepcopy(m)(x), y), "."),
    "a functional call with derived parameters": (_functional_call, "functional_call"),
    "gradients by torch.func": (_vmap_gradient, "."),
    "reentrant checkpointing": (
        lambda p, m, x, y: cross_entropy(checkpoint(m, x.requires_grad_(), use_reentrant=True), y),
        "did not run",
    ),
    "checkpointing": (lambda p, m, x, y: cross_entropy(checkpoint(m, x, use_reentrant=False), y), EXACT),
    "the user's own backward": (_own_backward_first, "outside private.backward"),
    "two private backwards": (_private_twice, "outside a batch"),
    "autograd.grad and a hand-made update": (_raw_gradient, "outside private.backward"),
    "a gradient penalty": (_gradient_penalty, "outside private.backward"),
    "no_grad": (_no_grad, "did not run"),
    "a detached output": (lambda p, m, x, y: cross_entropy(p.model(x).detach(), y), "carry no gradient"),
    "compiled after": (lambda p, m, x, y: cross_entropy(torch.compile(m)(x), y), EXACT),
    "compiled after, in one graph": (lambda p, m, x, y: cross_entropy(torch.compile(m, fullgraph=True)(x), y), EXACT),
    "a compiled step": (_compiled_step, EXACT),
    "DataParallel around it later": (lambda p, m, x, y: cross_entropy(nn.DataParallel(m)(x), y), EXACT),
    "DistributedDataParallel around it later": (_distributed, EXACT),
    "a forward hook added later": (_hook, "hooks"),
    "a layer added later": (_new_layer, REPLACED),
    "a parameter replaced later": (_new_parameter, REPLACED),
    "batch norm put in later": (_batch_norm_later, "mixes"),
    "three-dimensional input": (lambda p, m, x, y: cross_entropy(p.model(x[:, None, :])[:, 0], y), EXACT),
    "another batch than the one drawn": (
        lambda p, m, x, y: cross_entropy(p.model(torch.cat([x, x])), torch.cat([y, y])),
        "rows along the first",
    ),
    "more rows, losses of the first": (
        lambda p, m, x, y: cross_entropy(p.model(torch.cat([x, x]))[: len(x)], y),
        "rows along the first",
    ),
    "fewer rows, losses repeated": (lambda p, m, x, y: cross_entropy(p.model(x[::2]), y[::2]).repeat(2), "rows along the first"),
    "losses divided by their sum": (
        lambda p, m, x, y: (lambda each: each / each.sum())(cross_entropy(p.model(x), y)),
        "another example",
    ),
    "losses minus the batch mean": (
        lambda p, m, x, y: (lambda each: (each - each.mean()) ** 2)(cross_entropy(p.model(x), y)),
        "another example",
    ),
    "outputs normalized over the batch": (
        lambda p, m, x, y: cross_entropy((lambda out: out / out.norm())(p.model(x)), y),
        "another example",
    ),
    "in-batch negatives": (
        lambda p, m, x, y: (lambda out: cross_entropy(out @ out.T, torch.arange(len(x))))(p.model(x)),
        "another example",
    ),
    "centring even rows by their mean": (lambda p, m, x, y: _even_rows_centred(cross_entropy(p.model(x), y)), "another example"),
    "a hook on the output that multiplies by the sum": (_on_output(lambda g: g * g.sum()), "another example"),
    "a hook on the output that multiplies by the mean": (_on_output(lambda g: g * g.mean(0)), "another example"),
    "a hook on the output that divides by the length": (_on_output(lambda g: g / g.norm()), "another example"),
    "a hook on the output that divides by the spread": (_on_output(lambda g: g / g.std()), "another example"),
    "a hook on the output that divides by the largest": (_on_output(lambda g: g / g.abs().amax()), "another example"),
    "a loss whose backward multiplies by the sum": (
        lambda p, m, x, y: TimesSum.apply(p.model(x)).square().sum(dim=1),
        "another example",
    ),
    "a scalar loss": (lambda p, m, x, y: cross_entropy(p.model(x), y).mean(), "reduction"),
    "a column of losses": (lambda p, m, x, y: cross_entropy(p.model(x), y)[:, None], "one per example"),
}
"""What happens in the training loop: how the losses come about, and EXACT or a part of the refusal."""


@pytest.mark.parametrize("way", LOOP)
@pytest.mark.filterwarnings("ignore")
def test_what_happens_in_the_loop_is_exact_or_refused(way: str, ledger: Ledger) -> None:
    check_way(fresh, *LOOP[way], ledger)


def test_at_least_25_ways_of_each_kind_are_tried() -> None:
    assert min(len(INSIDE), len(LOOP)) >= 25


def test_autocast_is_exact_within_bfloat16(ledger: Ledger) -> None:
    """A bfloat16 has 8 bits: products of a few of them are off by some 2^-7 of a clipped gradient, of length 1 for 12 rows."""

    def autocast(p: PrivateTraining, m: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return cross_entropy(p.model(x).float(), y)

    check_way(fresh, autocast, EXACT, ledger, tolerance=0.05)


def test_dropout_draws_for_each_example_and_trains(ledger: Ledger) -> None:
    """Randomness that no example controls is allowed: the update is bounded by the clip norm of each row."""
    model = nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5), nn.Linear(5, 2))
    private, _ = training(model, data(), plan(12, 12), ledger, Still(2))
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
    length = sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None) ** 0.5
    assert 0.01 < length <= 1


@pytest.mark.parametrize("more", [{"foreach": True}, {"fused": True}, {"foreach": False}])
def test_every_way_of_the_optimizer_takes_the_same_step(more: dict[str, bool], ledger: Ledger) -> None:
    model = fresh()
    private, plain = training(model, data(), plan(12, 12), ledger, Still(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, **more)
    before = copy.deepcopy(model.state_dict())
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        optimizer.step()
    for name, gradient in gradients.items():
        torch.testing.assert_close(model.state_dict()[name], before[name] - gradient, rtol=1e-6, atol=1e-7)
    assert plain.defaults["lr"] == 1.0


def test_a_closure_that_asks_for_one_gradient_is_exact_and_for_two_is_refused(ledger: Ledger) -> None:
    model = fresh()
    expected = one_row_at_a_time(fresh(), *data(), clip_target(1.0))
    private, optimizer = training(model, data(), plan(12, 12), ledger, Still(2))
    before = copy.deepcopy(model.state_dict())
    for x, y in private.batches():

        def closure(x: Tensor = x, y: Tensor = y) -> float:
            losses = cross_entropy(private.model(x), y)
            private.backward(losses)
            return 0.0

        optimizer.step(closure)
        with pytest.raises(PrivacyError, match="outside a batch"):
            optimizer.step(closure)
    for name, value in model.named_parameters():
        torch.testing.assert_close((before[name] - value.detach()).double() * 12, expected[name], rtol=1e-4, atol=1e-4)
    with pytest.raises(UnsupportedModel, match="LBFGS"):
        check_optimizer(torch.optim.LBFGS(model.parameters()), model)


def test_a_loss_scaled_by_a_grad_scaler_is_clipped_all_the_same(ledger: Ledger) -> None:
    """A scale of 65,536 makes every gradient longer than the clip norm: the sum of 12 rows is at most 12, divided by 12."""
    model = fresh()
    private, _ = training(model, data(), plan(12, 12), ledger, Still(2))
    scaler = torch.amp.GradScaler("cpu")
    for x, y in private.batches():
        private.backward(scaler.scale(cross_entropy(private.model(x), y)))
    assert sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None) <= 1


def test_a_buffer_that_changes_at_every_call_is_refused_by_name_before_anything_is_paid(ledger: Ledger) -> None:
    def kept(m: Any, x: Tensor) -> Tensor:
        m.seen.add_(x.detach().mean(dim=0))
        return m.b(m.a(x))

    model = Part(kept, seen=lambda: nn.Buffer(torch.zeros(3)))
    with pytest.raises(UnsupportedModel, match="buffer 'seen' changes while the model runs"):
        training(model, data(), plan(12, 12, steps=3), ledger, Still(2))
    assert not [one for one in ledger.entries() if one.kind == "dp"]
    assert not model.get_buffer("seen").any()


def test_a_buffer_that_changes_only_in_training_is_refused(ledger: Ledger) -> None:
    """The trace and the probe see 500 calls at most; from then on the model keeps what it saw in a buffer."""
    model = Part(_buffer_later, seen=lambda: nn.Buffer(torch.zeros(3)))
    private, _ = training(model, data(), plan(12, 12, steps=3), ledger, Still(2))
    steps = 0
    with pytest.raises(PrivacyError, match="'seen' of the model changed"):
        for x, y in private.batches():
            model.calls = 600 if steps else 0
            private.backward(cross_entropy(private.model(x), y))
            steps += 1
    assert steps == 1


def test_pairing_rows_half_a_batch_apart_is_found_within_a_few_batches(ledger: Ledger) -> None:
    """Every coupled pair escapes a batch with probability 1/2 and there are 6 a batch: all 8 batches with chance 2^-48."""
    model, (rows, targets) = fresh(), data()
    private, _ = training(model, (rows, targets), plan(12, 12, steps=8), ledger, Still(2))
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
    "BatchNorm2d": lambda: nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)),
    "SyncBatchNorm": lambda: nn.Sequential(nn.Linear(3, 2), nn.SyncBatchNorm(2)),
    "DataParallel": lambda: nn.DataParallel(nn.Sequential(nn.Linear(3, 2))),
    "forward": _replaced_forward,
    "hooks": _hooked,
    "no trainable parameter": lambda: nn.Sequential(nn.Linear(3, 2)).requires_grad_(False),
    "no trainable parameter ": lambda: nn.Sequential(nn.Tanh()),
    "complex": lambda: nn.Sequential(nn.Linear(3, 2, dtype=torch.complex64)),
}
"""Refused before anything runs, by a word of the refusal."""


@pytest.mark.parametrize("kind", REFUSED)
def test_a_model_that_is_known_not_to_be_exact_is_refused_by_name(kind: str) -> None:
    with pytest.raises(UnsupportedModel, match=kind.strip()) as refusal:
        check_model(REFUSED[kind]())
    assert len(str(refusal.value)) > 60


def test_an_optimizer_that_misses_a_parameter_is_refused(ledger: Ledger) -> None:
    model = fresh()
    with pytest.raises(UnsupportedModel, match=r"2\.weight"):
        check_optimizer(torch.optim.SGD(model[0].parameters(), lr=1.0), model)
    with pytest.raises(UnsupportedModel, match="something else"):
        check_optimizer(torch.optim.SGD([*model.parameters(), nn.Parameter(torch.ones(1))], lr=1.0), model)


def test_the_refusal_names_the_parameter_and_where_it_happened(ledger: Ledger) -> None:
    model, tensors = fresh(), data()
    private, _ = training(model, tensors, plan(12, 12), ledger, Still(2))
    with pytest.raises(PrivacyError, match=r"'0\.weight'.*test_ways_around\.py:\d+"):
        for x, y in private.batches():
            private.backward(cross_entropy(private.model(x), y) + layer(model, 0).weight.sum())
