"""The byte budget binds every record: what does not fit is formed again; what is formed in either way is the same gradient."""

# mypy: disable-error-code="no-any-return"

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from simple_training import plan
from tacit.errors import PrivacyError
from tacit.noise.sensitivity import BLOCK, GROUP
from tacit.noise.source import SeededSource
from tacit.train.torch import records
from tacit.train.torch.budget import DEFAULT_BYTES, Budget
from tacit.train.torch.engine import Engine
from tacit.train.torch.memory import return_freed
from train.layer_kinds import With
from train.test_layer_kinds import CLIP_NORM, clipped, losses, one_by_one

ROWS, WIDTH = 70, 6


def einsum(x: Tensor, w: Tensor) -> Tensor:
    return torch.einsum("bd,de->be", x, w)


def _reused(x: Tensor, conv: nn.Conv1d) -> Tensor:
    return conv(torch.tanh(conv(x.unsqueeze(1)))).flatten(1)


def weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parametrizations.weight_norm(nn.Linear(WIDTH, 5))


W = torch.linspace(-1, 1, 5 * WIDTH).view(5, WIDTH)
MODELS: dict[str, tuple[Callable[[], nn.Module], set[str]]] = {
    "no rule": (lambda: With(nn.Identity(), lambda x, _, w: einsum(x, w), W.t().clone()), {"vmap"}),
    "no rule, twice": (
        lambda: With(nn.Identity(), lambda x, _, w: einsum(einsum(x, w).tanh(), w.sin()), torch.randn(6, 6)),
        {"pooled"},
    ),
    "no rule, two parameters": (
        lambda: With(nn.Identity(), lambda x, _, w, v: torch.where(x > 0, w, v.exp() * x), W[0].clone(), W[1].clone()),
        {"vmap", "derived"},
    ),
    "weight norm": (weight_norm, {"derived"}),
    "masked": (
        lambda: With(nn.Linear(WIDTH, 5), lambda x, m: functional.linear(x, m.weight * (m.weight > 0), m.bias)),
        {"derived"},
    ),
    "one matrix of two": (
        lambda: With(nn.Identity(), lambda x, _, w, v: functional.linear(x, torch.cat([w, v])), W.clone(), W.cos()),
        {"derived"},
    ),
    "a convolution twice": (lambda: With(nn.Conv1d(1, 1, 3, padding=1), _reused), {"pooled"}),
    "a matrix added and multiplied": (
        lambda: With(nn.Identity(), lambda x, _, w: functional.linear(x, w) + (x.unsqueeze(1) * w).sum(2) + w.sum(1), W.clone()),
        {"pooled"},
    ),
}
"""Models and by which methods their parameters' gradients are formed."""

PEAKS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "einsum": einsum,
    "masked weight": lambda x, w: functional.linear(x, w * (w > 0)),
    "weight norm": lambda x, w: functional.linear(x, torch._weight_norm(w, w[:, :1], 0)),
}


def methods_and_sums(
    model: nn.Module, x: Tensor, keep_bytes: int, weights: Tensor | None = None, copies: int = 1
) -> tuple[set[str], dict[str, Tensor]]:
    units = len(x) // copies
    engine = Engine(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        plan(2 * units, units, clip_norm=CLIP_NORM),
        SeededSource(7),
        averaged=copies,
        keep_bytes=keep_bytes,
    )
    engine.start(torch.ones(units, dtype=torch.bool), torch.ones(units, copies, dtype=torch.bool))
    found = losses(model(x)).float()
    engine.accumulate(found if weights is None else found * weights)
    sums = {name: one.clone() for name, one in engine.without_noise().items()}
    engine.detach()
    return {method for _, _, method in engine.methods}, sums


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """About twenty examples of the models above are formed together: ends of chunks and of blocks fall apart."""
    monkeypatch.setattr(records, "CHUNK_BYTES", 4 * 20 * 50)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("keep_bytes", [0, DEFAULT_BYTES])
def test_what_is_kept_and_what_is_formed_again_are_the_gradients(name: str, keep_bytes: int, few_at_a_time: None) -> None:
    make, methods = MODELS[name]
    torch.manual_seed(2)
    model, x = make(), torch.randn(ROWS, WIDTH)
    expected = clipped(one_by_one(model, x, torch.float64)).sums
    found, sums = methods_and_sums(model, x, keep_bytes)
    assert {one if keep_bytes else f"{one} twice" for one in methods} <= found
    for parameter, total in sums.items():
        whole = expected[parameter]
        torch.testing.assert_close(total.double(), whole, rtol=1e-5, atol=1e-5 * float(whole.norm()))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("keep_bytes", [0, DEFAULT_BYTES])
def test_an_example_that_is_not_finite_moves_no_bit_of_the_sum(name: str, keep_bytes: int, few_at_a_time: None) -> None:
    """Which way a gradient takes, and with which others it is added, follows from sizes alone."""
    torch.manual_seed(2)
    model, x = MODELS[name][0](), torch.randn(ROWS, WIDTH)
    found = []
    for value in (0.0, float("inf")):
        weights = torch.ones(ROWS)
        weights[3] = value
        found.append(methods_and_sums(model, x, keep_bytes, weights))
    assert found[0][0] == found[1][0]
    for parameter, total in found[0][1].items():
        assert torch.equal(total, found[1][1][parameter]), parameter
        assert float(total.norm()) > 0


@pytest.mark.parametrize("name", ["no rule", "weight norm"])
def test_rows_of_one_unit_are_one_gradient_either_way(name: str, few_at_a_time: None) -> None:
    torch.manual_seed(2)
    model, x = MODELS[name][0](), torch.randn(ROWS, WIDTH)
    (again, first), (kept, second) = (methods_and_sums(model, x, one, copies=2) for one in (0, DEFAULT_BYTES))
    assert again != kept
    for parameter, total in first.items():
        torch.testing.assert_close(total, second[parameter], rtol=1e-5, atol=1e-6)
    grown = methods_and_sums(model, x.repeat_interleave(2, dim=0), 0, copies=2)[1]
    alone = methods_and_sums(model, x, 0)[1]
    for parameter, total in grown.items():  # a row twice, averaged, is the row
        torch.testing.assert_close(total, alone[parameter], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("keep_bytes", [0, DEFAULT_BYTES])
def test_an_operation_that_draws_is_formed_again_with_the_same_draws(keep_bytes: int, few_at_a_time: None) -> None:
    """With the identity as values the output is the dropped attention itself, so that the gradient is known from it."""
    torch.manual_seed(2)
    model, x = (
        With(nn.Identity(), lambda x, _, v: functional.scaled_dot_product_attention(x, x, v, dropout_p=0.5), torch.eye(9)),
        torch.randn(ROWS, 9, 4),
    )
    engine = Engine(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        plan(2 * ROWS, ROWS, clip_norm=1e6),
        SeededSource(7),
        keep_bytes=keep_bytes,
    )
    engine.start(torch.ones(ROWS, dtype=torch.bool))
    dropped = model(x)
    weights = torch.linspace(-1, 1, 81).view(9, 9)
    after = torch.get_rng_state()
    engine.accumulate((dropped * weights).sum(dim=(1, 2)))
    assert torch.equal(torch.get_rng_state(), after)
    assert 0.3 < float((dropped == 0).float().mean()) < 0.7
    expected = torch.einsum("btd,te->de", dropped.detach(), weights)
    torch.testing.assert_close(engine.without_noise()["raw.0"].float(), expected, rtol=1e-4, atol=1e-4)


def test_an_operation_is_formed_again_in_the_precision_it_ran_in() -> None:
    """Beside autocast, einsum would meet inputs of bfloat16 and a matrix of float32."""
    torch.manual_seed(2)
    layer, x = nn.Linear(WIDTH, WIDTH), torch.randn(ROWS, WIDTH)
    model = With(layer, lambda x, m, w: einsum(m(x), w), W.t().clone())
    engine = Engine(
        model, torch.optim.SGD(model.parameters(), lr=0.1), plan(2 * ROWS, ROWS, clip_norm=1e6), SeededSource(7), keep_bytes=0
    )
    engine.start(torch.ones(ROWS, dtype=torch.bool))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(x)
    assert output.dtype == torch.bfloat16
    engine.accumulate(output.float().sum(dim=1))
    hidden = functional.linear(x, layer.weight, layer.bias)
    expected = hidden.sum(dim=0).unsqueeze(1).expand(-1, 5)
    torch.testing.assert_close(engine.without_noise()["raw.0"], expected, rtol=2e-2, atol=2e-1)


def test_what_a_gradient_is_formed_from_may_not_be_edited_before_the_sum() -> None:
    hidden: list[Tensor] = []

    def edit(_: Tensor) -> None:
        hidden[-1].detach().mul_(2)

    def run(x: Tensor, layer: nn.Module, w: Tensor) -> Tensor:
        hidden.append(layer(x))
        return einsum(hidden[-1], w)

    model, x = With(nn.Linear(WIDTH, WIDTH), run, W.t().clone()), torch.randn(ROWS, WIDTH)
    engine = Engine(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(2 * ROWS, ROWS), SeededSource(7))
    engine.start(torch.ones(ROWS, dtype=torch.bool))
    output = model(x)
    hidden[-1].register_hook(edit)  # by then the operation has received its gradient
    with pytest.raises(PrivacyError, match="edited in place after"):
        engine.accumulate(output.square().sum(dim=1))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory is read from /proc")
@pytest.mark.parametrize(
    ("name", "keep_mebibytes"), [("einsum", 0), ("masked weight", 0), ("weight norm", 0), ("weight norm", 150)]
)
def test_a_step_takes_the_budget_and_a_few_chunks(name: str, keep_mebibytes: int) -> None:
    """128 gradients of a mebibyte. Beside the budget: the sum, chunks of 4 MiB (what they come from and lead to), holes between them."""

    def resident(field: str) -> int:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))

    model, x = With(nn.Identity(), lambda x, _, w: PEAKS[name](x, w), torch.ones(512, 512) / 512), torch.ones(128, 512)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    engine = Engine(model, sgd, plan(256, 128), SeededSource(7), keep_bytes=keep_mebibytes << 20)
    engine.trace(torch.ones(7, 512))
    return_freed()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = resident("VmRSS")
    engine.start(torch.ones(128, dtype=torch.bool))
    engine.accumulate(model(x).square().sum(dim=1))
    assert all(method.endswith("twice") == (keep_mebibytes == 0) for _, _, method in engine.methods)
    assert resident("VmHWM") - before < (keep_mebibytes + 80 << 20)


def test_what_is_handed_out_is_never_more_than_the_budget() -> None:
    budget = Budget(100)
    budget.start(4)
    assert [budget.keeps(one) for one in (60, 60, 40, 1, 0)] == [True, False, True, False, True]
    budget.start(4)
    assert budget.keeps(100)


@pytest.mark.parametrize("layer", ["linear", "convolution"])
def test_one_infinite_loss_among_many_blocks_moves_no_bit_of_the_sum(layer: str) -> None:
    """More rows than one group of blocks holds: a way of adding that depends on who is kept shows in all groups."""
    rows = BLOCK * GROUP + 100
    torch.manual_seed(2)
    model = (
        nn.Sequential(nn.Linear(6, 40), nn.Tanh(), nn.Linear(40, 9))
        if layer == "linear"
        else nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten())
    )
    x = torch.randn(rows, 6) if layer == "linear" else torch.randn(rows, 1, 6, 6)
    found = []
    for value in (0.0, float("inf")):
        weights = torch.ones(rows)
        weights[0] = value
        found.append(methods_and_sums(model, x, DEFAULT_BYTES, weights))
    assert found[0][0] == ({"outer", "sum"} if layer == "linear" else {"materialize-and-keep", "sum"})
    for name, total in found[0][1].items():
        assert torch.equal(total, found[1][1][name]), name


@pytest.mark.parametrize("name", ["mlp", "cnn", pytest.param("wrn", marks=pytest.mark.slow), "gpt"])
def test_the_bench_models_take_no_fallback(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    from peers.models import GPT, SPECS, losses

    model: nn.Module
    if name == "gpt":  # the same model, narrower: methods follow from its operations
        model, x = GPT(layers=2, width=32, length=8, vocabulary=64), torch.randint(64, (2, 8))
        labels = x
    else:
        model, (x, labels) = SPECS[name].make(), SPECS[name].rows(2)
        x = x[..., :12, :12] if name == "wrn" else x
    size = sum(one.numel() for one in model.parameters())
    engine = Engine(model, torch.optim.SGD(model.parameters(), lr=0.1), replace(plan(4, 2), parameters=size), SeededSource(7))
    engine.start(torch.ones(2, dtype=torch.bool))
    engine.accumulate(losses(model(x), labels))
    ways = {method.removesuffix(" twice") for _, _, method in engine.methods}
    assert ways
    assert not ways & {"vmap", "derived", "pooled"}
    assert {one for one, _, _ in engine.methods} == {one for one, _ in model.named_parameters()}
