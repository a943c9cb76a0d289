"""Every named kind of layer: per-example norms and clipped sums, against one backward pass per example in float64."""

import copy
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from simple_training import plan
from tacit.noise.grid import clip_target
from tacit.noise.source import SeededSource
from tacit.train.torch.engine import Engine
from tacit.train.torch.records import Record
from train.layer_kinds import KINDS, VOCABULARY, Behind, Case, Kind, Twice

pytestmark = pytest.mark.filterwarnings(
    "ignore:LSTM with projections is not supported with oneDNN"
)  # torch's own, of the reference
CLIP_NORM = 0.5
SLOW_EXAMPLES = 25


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """norms -- each example's length, parameter by parameter, shape (B,); sums -- of the clipped gradients; methods -- the engine's."""

    norms: dict[str, Tensor]
    sums: dict[str, Tensor]
    methods: frozenset[str] = frozenset()

    @property
    def lengths(self) -> Tensor:
        return torch.stack([one.square() for one in self.norms.values()]).sum(dim=0).sqrt()


def losses(output: Tensor) -> Tensor:
    """One loss per example, of second order in all outputs and with a weight of its own for each."""
    flat = output.flatten(1).double()
    weights = torch.cos(1.3 * torch.arange(flat.shape[1], dtype=torch.float64) + 0.4)
    return (flat * weights).sum(dim=1) + (flat - 0.3).square().sum(dim=1) / 4


def one_by_one(model: nn.Module, x: Tensor, dtype: torch.dtype) -> list[dict[str, Tensor]]:
    """Return each example's gradients by parameter, float64: computed alone, in the given dtype."""
    model, x = copy.deepcopy(model).to(dtype), x.to(dtype) if x.is_floating_point() else x
    names, parameters = zip(*[(name, one) for name, one in model.named_parameters() if one.requires_grad], strict=True)
    found = []
    for number in range(len(x)):
        gradients = torch.autograd.grad(
            losses(model(x[number : number + 1])).sum(), parameters, allow_unused=True, materialize_grads=True
        )
        found.append({name: one.double() for name, one in zip(names, gradients, strict=True)})
    return found


def clipped(gradients: list[dict[str, Tensor]]) -> Gradients:
    norms = {name: torch.stack([one[name].norm() for one in gradients]) for name in gradients[0]}
    factors = [min(1.0, clip_target(CLIP_NORM) / max(1e-300, float(one))) for one in Gradients(norms=norms, sums={}).lengths]
    sums = {
        name: torch.stack([factor * one[name] for factor, one in zip(factors, gradients, strict=True)]).sum(dim=0)
        for name in norms
    }
    return Gradients(norms=norms, sums=sums)


def by_the_engine(model: nn.Module, x: Tensor) -> Gradients:
    """Return what the engine makes of one micro-batch, before rounding and noise."""
    trained = [one for one in model.parameters() if one.requires_grad]
    a_plan = plan(2 * len(x), len(x), clip_norm=CLIP_NORM)
    engine = Engine(model, torch.optim.SGD(trained, lr=0.1), a_plan, SeededSource(7))
    seen: dict[str, Record] = {}
    add = engine._add

    def listening(records: dict[str, Record], keep: Tensor) -> None:
        seen.update(records)
        add(records, keep)

    engine._add = listening  # type: ignore[method-assign]
    engine.start(torch.ones(len(x), dtype=torch.bool))
    engine.accumulate(losses(model(x)))
    sums = {name: one.take().double() for name, one in engine._sums.items()}
    norms = {
        name: seen[name].squared_norms().sqrt() if name in seen else torch.zeros(len(x), dtype=torch.float64) for name in sums
    }
    engine.detach()
    return Gradients(norms=norms, sums=sums, methods=frozenset(method for _, _, method in engine.methods))


def drawn(
    kind: Kind, case: Case, dtype: torch.dtype, seed: int, tied: bool, behind: bool, frozen: str
) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(seed)
    shape = kind.input(case)
    model = kind.model(case)
    fixed = [one for name, one in model.named_parameters() if frozen in name] if frozen else []
    if len(fixed) < len([one for one in model.parameters() if one.requires_grad]):
        for one in fixed:
            one.requires_grad_(False)
    x = torch.randint(0, VOCABULARY, shape) if kind.tokens else torch.randn(shape).to(dtype)
    if behind and not kind.tokens:
        model = Behind(model, shape)
    return (Twice(model, kind.tokens) if tied else model).to(dtype), x


def check(
    kind: Kind,
    case: Case,
    dtype: torch.dtype = torch.float32,
    seed: int = 1,
    tied: bool = False,
    behind: bool = True,
    frozen: str = "",
) -> Gradients:
    """Compare the engine with one example at a time in float64; return the engine's.

    A parameter's error counts relative to its own length, or to a tenth of the whole gradient's where that is more: a bias before
    a softmax or a norm has, by symmetry, no gradient but rounding errors. In float32 and float64 the error is at most 1e-5. In
    bfloat16 the inputs of every operation are rounded, in torch as in the engine: what torch's own bfloat16 gradients of single
    examples miss, four times over, and the rounding of one product's two factors (2^-8 each).
    """
    model, x = drawn(kind, case, dtype, seed, tied, behind, frozen)
    alone = one_by_one(model, x, torch.float64)
    expected = clipped(alone)
    got = by_the_engine(model, x)
    room = torch.full((case.rows,), 1e-5, dtype=torch.float64)
    if dtype == torch.bfloat16:
        rounded = one_by_one(model, x, dtype)
        missed = [sum((a[n] - b[n]).square().sum() for n in a) ** 0.5 for a, b in zip(alone, rounded, strict=True)]
        room = 2.0**-7 + 4 * torch.stack(missed) / expected.lengths.clamp(min=1e-300)
    whole = expected.lengths
    assert bool(((got.lengths - whole).abs() <= room * whole + 1e-12).all()), (got.lengths, whole)
    factors = (clip_target(CLIP_NORM) / whole.clamp(min=1e-300)).clamp(max=1.0)
    for name, norms in expected.norms.items():
        scale = torch.maximum(norms, whole * (1.0 if dtype == torch.bfloat16 else 0.1))
        assert bool(((got.norms[name] - norms).abs() <= room * scale + 1e-12).all()), (name, got.norms[name], norms)
        error = float((got.sums[name] - expected.sums[name]).norm())
        # a longer or shorter norm moves the clip factor by as much again
        assert error <= 2 * float((factors * room * scale).sum()) + 1e-12, (name, error, got.sums[name], expected.sums[name])
    return got


CASES = st.builds(
    Case,
    rows=st.integers(1, 5),
    length=st.integers(2, 5),
    width=st.integers(2, 4),
    out=st.integers(1, 3),
    groups=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
    bias=st.booleans(),
    layers=st.integers(1, 2),
    both_ways=st.booleans(),
    mode=st.sampled_from(["sum", "mean", "max"]),
)
PLAIN = Case(groups=2, stride=2, layers=2, both_ways=True)


@cache
def plainly(name: str) -> Gradients:
    return check(KINDS[name], PLAIN)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_of_layer_agrees_with_one_example_at_a_time(name: str) -> None:
    assert plainly(name).sums


@pytest.mark.parametrize("padding", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("name", ["Conv1d", "Conv2d", "Conv3d"])
def test_a_convolution_agrees_in_every_padding_mode(name: str, padding: str) -> None:
    assert check(KINDS[name], Case(rows=3, length=4, kernel=3, stride=2, padding=padding)).sums


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_of_layer_used_twice_agrees_in_float64(name: str) -> None:
    assert check(KINDS[name], Case(rows=4, length=4), torch.float64, tied=True).sums


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=SLOW_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=CASES,
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    seed=st.integers(0, 10_000),
    tied=st.booleans(),
    behind=st.booleans(),
    frozen=st.sampled_from(["", "weight", "bias"]),
)
def test_a_kind_of_layer_agrees_in_any_shape_and_dtype(
    name: str, case: Case, dtype: torch.dtype, seed: int, tied: bool, behind: bool, frozen: str
) -> None:
    check(KINDS[name], case, dtype, seed, tied, behind, frozen)


def test_of_the_named_kinds_none_is_refused_and_five_at_most_take_a_copy_per_example() -> None:
    copied = [name for name in KINDS if any(one.startswith(("vmap", "derived")) for one in plainly(name).methods)]
    assert len(KINDS) >= 30
    assert len(copied) <= 5, copied
