"""Per-example weight gradients of convolutions, against autograd on one example at a time."""

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from tacit.errors import ShapeError
from tacit.noise.sensitivity import BLOCK
from tacit.train.torch.convolution import (
    Convolution,
    Method,
    choose,
    foldable,
    folded,
    gram_squared_norms,
    per_example_bias,
    per_example_gradients,
    plan,
    stored_squared_norms,
    weighted_blocks,
    weighted_sum,
)
from tacit.train.torch.convolution import gram as gram_file
from tacit.train.torch.convolution import vectors as vectors_file
from tacit.train.torch.convolution.cost import costs
from tacit.train.torch.scratch import Scratch

FORWARD = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One convolution on random numbers, with the weight gradient of each example by autograd on that example alone.

    room -- length of the gradient whose terms all have one sign: where the true one is much shorter, float32's terms cancel.
    """

    x: Tensor
    g: Tensor
    convolution: Convolution
    expected: Tensor
    room: Tensor

    @classmethod
    def of(cls, x: Tensor, weight: Tensor, **geometry: Any) -> "Case":
        forward = FORWARD[x.ndim - 2]
        g = torch.randn_like(forward(x, weight, **geometry))
        weight.requires_grad_()
        expected, unsigned = (torch.zeros(len(x), *weight.shape, dtype=x.dtype) for _ in range(2))
        for found, inputs, gradients in ((expected, x, g), (unsigned, x.abs(), g.abs())):
            for i in range(len(x)):
                (found[i],) = torch.autograd.grad(forward(inputs[i : i + 1], weight, **geometry), weight, gradients[i : i + 1])
        convolution = Convolution.of(x, g, kernel=tuple(weight.shape[2:]), **geometry)
        return cls(x=x, g=g, convolution=convolution, expected=expected, room=unsigned.double().flatten(1).norm(dim=1))

    @property
    def squared(self) -> Tensor:
        return self.expected.double().flatten(1).square().sum(dim=1)

    def blocks(self, factors: Tensor | None = None, allowed: Tensor | None = None, keep: Tensor | None = None) -> list[Tensor]:
        factors = torch.ones(len(self.x), dtype=torch.float64) if factors is None else factors
        allowed = torch.full_like(factors, math.inf) if allowed is None else allowed
        keep = torch.ones(len(self.x), dtype=torch.bool) if keep is None else keep
        blocks = weighted_blocks(self.x, self.g, factors, allowed, keep, self.convolution, DirtyScratch())
        return [block.clone() for block in blocks]


class DirtyScratch(Scratch):
    """Scratch whose buffers hold NaN whenever they are taken: what is not written shows."""

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return super().take(name, shape, like).fill_(math.nan)


def close(value: Tensor, expected: Tensor, room: float = 0.0) -> bool:
    """Whether both agree within 1e-5 of the expected tensor's length, or within 16 roundings where terms cancel."""
    return bool((value - expected).double().norm() <= 1e-5 * expected.double().norm() + 2.0**-20 * room)


def small(rows: int = 6, seed: int = 0, dtype: torch.dtype = torch.float32) -> Case:
    torch.manual_seed(seed)
    weight = torch.randn(4, 3, 3, 2, dtype=dtype)
    return Case.of(torch.randn(rows, 3, 6, 5, dtype=dtype), weight, stride=(1, 1), padding=(1, 0), dilation=(1, 2), groups=1)


LAYOUTS = ["contiguous", "channels last", "every other", "transposed"]


def laid_out(x: Tensor, layout: str) -> Tensor:
    """Return x with the same values and other strides."""
    if layout == "channels last":
        return x.movedim(1, -1).contiguous().movedim(-1, 1)
    if layout == "every other":
        return x.repeat_interleave(2, dim=-1)[..., ::2]
    return x.transpose(0, -1).contiguous().transpose(0, -1) if layout == "transposed" else x


@st.composite
def cases(draw: st.DrawFn) -> Case:
    axes = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(axes))  # noqa: E731
    kernel, stride, padding, dilation = each(1, 3), each(1, 3), each(0, 2), each(1, 2)
    if draw(st.booleans()):  # kernels of whole strides
        kernel, dilation = tuple(k * s for k, s in zip(kernel, stride, strict=True)), (1,) * axes
    size = tuple(
        max(1, (k - 1) * d + 1 - 2 * p) + draw(st.integers(0, 4)) for k, p, d in zip(kernel, padding, dilation, strict=True)
    )
    groups = draw(st.integers(1, 3))
    own, out = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    torch.manual_seed(draw(st.integers(0, 10_000)))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    x = torch.randn(draw(st.integers(0, 4)), groups * own, *size, dtype=dtype)
    weight = torch.randn(groups * out, own, *kernel, dtype=dtype)
    case = Case.of(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)
    x, g = laid_out(case.x, draw(st.sampled_from(LAYOUTS))), laid_out(case.g, draw(st.sampled_from(LAYOUTS)))
    x, convolution = folded(x, case.convolution) if foldable(case.convolution) else (x, case.convolution)
    return replace(case, x=x, g=g, convolution=convolution)


@settings(max_examples=80, deadline=None)
@given(case=cases())
def test_gradients_norms_and_sums_are_those_of_one_example_at_a_time(case: Case) -> None:
    x, g, convolution = case.x, case.g, case.convolution
    gradients = per_example_gradients(x, g, convolution, DirtyScratch())
    assert gradients.shape == case.expected.shape
    for value, expected, room in zip(gradients, case.expected, case.room, strict=True):
        assert close(value, expected, float(room))
    for norms in (stored_squared_norms, gram_squared_norms):
        squared = norms(x, g, convolution, DirtyScratch())
        assert squared.dtype == torch.float64
        assert ((squared - case.squared).abs() <= 1e-5 * case.squared + 2.0**-20 * case.room**2 + 1e-30).all()
    factors = torch.rand(len(x), dtype=torch.float64)
    total = torch.ones_like(case.expected.sum(dim=0))
    everyone, unbounded = torch.ones(len(x), dtype=torch.bool), torch.full_like(factors, math.inf)
    weighted_sum(x, g, factors, unbounded, everyone, convolution, DirtyScratch(), out=total)
    by_hand = torch.einsum("b,b...->...", factors, case.expected.double())
    assert torch.allclose(total.double() - 1, by_hand, rtol=0, atol=1e-5 * (1 + float(by_hand.norm())))


@pytest.mark.parametrize(
    ("channels", "groups", "kernel"), [(8, 8, (3, 3)), (6, 2, (1, 1)), (1, 1, (5, 4)), (3, 1, (3, 3)), (12, 3, (3, 1))]
)
def test_both_layouts_of_the_columns_give_the_same(channels: int, groups: int, kernel: tuple[int, int]) -> None:
    torch.manual_seed(1)
    weight = torch.randn(2 * groups, channels // groups, *kernel)
    x = torch.randn(9, channels, 14, 12)
    case = Case.of(x, weight, stride=(1, 1), padding=(1, 2), dilation=(1, 1), groups=groups)
    assert close(per_example_gradients(x, case.g, case.convolution, Scratch()), case.expected)
    assert torch.allclose(gram_squared_norms(x, case.g, case.convolution, Scratch()), case.squared, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    ("stride", "padding", "extra", "dilation", "groups"), [(1, 0, 0, 1, 1), (2, 1, 1, 1, 2), (3, 2, 2, 2, 1)]
)
def test_a_transposed_convolution_exchanges_input_and_gradient(
    axes: int, stride: int, padding: int, extra: int, dilation: int, groups: int
) -> None:
    torch.manual_seed(axes)
    x = torch.randn(3, 4, *[4] * axes, dtype=torch.float64)
    weight = torch.randn(4, 3, *[3] * axes, dtype=torch.float64, requires_grad=True)

    def forward(rows: Tensor) -> Tensor:
        y: Tensor = TRANSPOSED[axes](rows, weight, None, stride, padding, extra, groups, dilation)
        return y

    g = torch.randn_like(forward(x))
    expected = torch.stack([torch.autograd.grad(forward(x[i : i + 1]), weight, g[i : i + 1])[0] for i in range(3)])
    convolution = Convolution.of(
        g, x, kernel=(3,) * axes, stride=(stride,) * axes, padding=(padding,) * axes, dilation=(dilation,) * axes, groups=groups
    )
    assert close(per_example_gradients(g, x, convolution, Scratch()), expected)
    squared = expected.flatten(1).square().sum(dim=1)
    assert torch.allclose(gram_squared_norms(g, x, convolution, Scratch()), squared, rtol=1e-9, atol=1e-30)


def test_a_bias_gradient_is_the_sum_over_positions() -> None:
    g = torch.randn(3, 4, 5, 6)
    assert close(per_example_bias(g), torch.einsum("bpij->bp", g))
    assert per_example_bias(g[:0]).shape == (0, 4)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 3e38])
@pytest.mark.parametrize("where", ["x", "g"])
def test_an_example_that_is_not_finite_touches_no_other_and_adds_nothing(poison: float, where: str) -> None:
    case = small()
    x, g = case.x.clone(), case.g.clone()
    (x if where == "x" else g)[2].fill_(poison)
    sick = replace(case, x=x, g=g)
    others = torch.arange(6) != 2
    for measure in (stored_squared_norms, gram_squared_norms, per_example_gradients):
        well, ill = measure(case.x, case.g, case.convolution, Scratch()), measure(x, g, case.convolution, Scratch())
        assert torch.equal(well[others], ill[others])
        assert measure is per_example_gradients or not ill[2].isfinite()
    (without,), (masked,), (unmasked,) = case.blocks(keep=others), sick.blocks(keep=others), sick.blocks()
    assert torch.equal(without, masked)
    assert torch.equal(without, unmasked)
    broken = torch.where(others, 1.0, math.nan).double()
    assert torch.equal(without, sick.blocks(factors=broken, allowed=broken * math.inf, keep=others)[0])


def test_a_vector_longer_than_allowed_is_shrunk_to_it() -> None:
    case = small(rows=1)
    length = case.squared.sqrt()
    (whole,), (half,), (enough,) = case.blocks(), case.blocks(allowed=length / 2), case.blocks(allowed=length * 1.001)
    assert close(half, whole / 2)
    assert torch.equal(enough, whole)


def test_which_block_an_example_is_in_depends_on_its_place_alone() -> None:
    rows = 2 * BLOCK + 22
    case, keep = small(rows=rows), torch.ones(rows, dtype=torch.bool)
    every = case.blocks()
    assert len(every) == 3
    for gone in (0, BLOCK + 6, rows - 1):
        one = keep.clone()
        one[gone] = False
        same = [torch.equal(before, after) for before, after in zip(every, case.blocks(keep=one), strict=True)]
        assert same == [block != gone // BLOCK for block in range(3)]
        assert close(every[gone // BLOCK] - case.blocks(keep=one)[gone // BLOCK], case.expected[gone])


@pytest.mark.parametrize("rows_at_once", [1, 7, BLOCK])
def test_the_chunks_change_no_result(monkeypatch: pytest.MonkeyPatch, rows_at_once: int) -> None:
    case = small(rows=BLOCK + 6)
    monkeypatch.setattr(vectors_file, "CHUNK_ROWS", rows_at_once)
    monkeypatch.setattr(vectors_file, "CHUNK_BYTES", 0)
    monkeypatch.setattr(gram_file, "CHUNK_BYTES", 12_000 * rows_at_once)
    assert close(per_example_gradients(case.x, case.g, case.convolution, DirtyScratch()), case.expected)
    for norms in (stored_squared_norms, gram_squared_norms):
        assert torch.allclose(norms(case.x, case.g, case.convolution, DirtyScratch()), case.squared, rtol=1e-5, atol=1e-30)
    blocks = case.blocks()
    sums = [case.expected[start : start + BLOCK].sum(dim=0) for start in (0, BLOCK)]
    assert [close(block, one) for block, one in zip(blocks, sums, strict=True)] == [True] * 2


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("kernel", "dilation", "padding", "groups", "sizes"),
    [
        ((3, 3), (1, 1), (1, 1), 1, (12, 10)),
        ((3, 2), (2, 1), (0, 3), 1, (20, 10)),
        ((4, 3), (1, 2), (2, 0), 2, (11, 14)),
        ((5,), (2,), (1,), 1, (30,)),  # nothing but the padding is copied: the rows are the input's
        ((4, 3, 2), (1, 1, 1), (1, 0, 0), 1, (9, 6, 5)),
    ],
)
def test_kernel_rows_share_the_rows_they_see(
    kernel: Any, dilation: Any, padding: Any, groups: int, sizes: Any, layout: str
) -> None:
    torch.manual_seed(6)
    weight = torch.randn(2 * groups, 16, *kernel)
    case = Case.of(
        torch.randn(3, 16 * groups, *sizes), weight, stride=(1,) * len(kernel), padding=padding, dilation=dilation, groups=groups
    )
    assert case.convolution.shared
    x, g = laid_out(case.x, layout), laid_out(case.g, layout)
    assert close(per_example_gradients(x, g, case.convolution, DirtyScratch()), case.expected)
    assert torch.allclose(stored_squared_norms(x, g, case.convolution, DirtyScratch()), case.squared, rtol=1e-5)
    (block,) = replace(case, x=x, g=g).blocks()
    assert close(block, case.expected.sum(dim=0))


@pytest.mark.parametrize(
    ("channels", "out", "size", "stride"),
    [(16, 64, 4, 1), (16, 2, 12, 2), (2, 2, 12, 1)],
    ids=["many weights", "steps", "narrow"],
)
def test_kernel_rows_that_gain_nothing_are_not_apart(channels: int, out: int, size: int, stride: int) -> None:
    assert not square(channels, out, size, kernel=3, stride=stride).shared


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "channels", "groups"),
    [
        ((8, 8), (2, 2), (3, 3), 1, 1),
        ((6, 4), (3, 2), (1, 5), 4, 1),  # more padding than a square has
        ((4, 4), (4, 4), (0, 0), 6, 1),  # patches: the squares are the columns
        ((4, 3), (2, 1), (1, 0), 6, 2),
        ((2, 4, 2), (2, 2, 2), (1, 0, 1), 3, 3),
    ],
)
def test_kernels_of_whole_strides_are_folded(
    kernel: Any, stride: Any, padding: Any, channels: int, groups: int, layout: str
) -> None:
    """The input's last rows and columns lie beyond what the output looks at."""
    torch.manual_seed(4)
    weight = torch.randn(2 * groups, channels // groups, *kernel)
    sizes = (15, 13, 9)[: len(kernel)]
    case = Case.of(
        torch.randn(3, channels, *sizes), weight, stride=stride, padding=padding, dilation=(1,) * len(kernel), groups=groups
    )
    assert foldable(case.convolution)
    squares, taken = folded(laid_out(case.x, layout), case.convolution)
    assert not foldable(taken)
    inside = replace(case, x=squares, g=laid_out(case.g, layout), convolution=taken)
    assert close(per_example_gradients(inside.x, inside.g, taken, DirtyScratch()), case.expected)
    for norms in (stored_squared_norms, gram_squared_norms):
        assert torch.allclose(norms(inside.x, inside.g, taken, DirtyScratch()), case.squared, rtol=1e-5)
    (block,) = inside.blocks()
    assert close(block, case.expected.sum(dim=0))


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "channels"),
    [((3, 4), (1, 2), (1, 1), 3), ((7, 7), (2, 2), (1, 1), 3), ((4, 4), (2, 2), (1, 1), 16), ((4, 4), (2, 2), (2, 1), 1)],
    ids=["rows are not met again", "not whole strides", "long runs already", "dilated"],
)
def test_other_kernels_are_not_folded(kernel: Any, stride: Any, dilation: Any, channels: int) -> None:
    weight = torch.randn(5, channels, *kernel)
    case = Case.of(torch.randn(2, channels, 15, 13), weight, stride=stride, padding=(0, 0), dilation=dilation, groups=1)
    assert not foldable(case.convolution)


def test_a_gram_norm_survives_the_cancellation_of_its_terms() -> None:
    """The gradient's positions sum to nearly zero against a constant input: all that a float32 Gram matrix holds cancels."""
    torch.manual_seed(3)
    g = torch.randn(4, 5, 8, 8)
    g -= g.mean(dim=(2, 3), keepdim=True)
    x = 1 + 1e-4 * torch.randn(4, 3, 10, 10)
    geometry: dict[str, Any] = {"kernel": (3, 3), "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    convolution = Convolution.of(x, g, **geometry)
    exact = stored_squared_norms(x.double(), g.double(), convolution, Scratch())
    assert torch.allclose(gram_squared_norms(x, g, convolution, Scratch()), exact, rtol=1e-3, atol=1e-30)


def test_a_gram_matrix_that_overflows_does_not_lose_the_example() -> None:
    geometry: dict[str, Any] = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1}
    case = Case.of(torch.randn(3, 2, 4), torch.randn(5, 2, 4), **geometry)  # one position: infinite, where more give NaN too
    squared = gram_squared_norms(case.x * 1e20, case.g * 1e-15, case.convolution, Scratch())
    assert torch.allclose(squared, case.squared * 1e10, rtol=1e-5, atol=1e-30)


def test_scratch_is_taken_once() -> None:
    case, scratch = small(), Scratch()
    first = scratch.take("padded", (100_000,), case.x)
    per_example_gradients(case.x, case.g, case.convolution, scratch)
    assert scratch.take("padded", (100_000,), case.x).data_ptr() == first.data_ptr()


def square(channels: int, out: int, size: int, kernel: int, stride: int) -> Convolution:
    small = (size + 2 * (kernel // 2) - kernel) // stride + 1
    return Convolution(
        kernel=(kernel, kernel), stride=(stride, stride), padding=(kernel // 2,) * 2, dilation=(1, 1), groups=1,
        channels_in=channels, channels_out=out, size_in=(size, size), size_out=(small, small),
    )  # fmt: skip


WRN = [
    square(3, 16, 32, 3, 1), square(16, 64, 32, 3, 1), *[square(64, 64, 32, 3, 1)] * 3, square(64, 128, 32, 3, 2),
    *[square(128, 128, 16, 3, 1)] * 3, square(128, 256, 16, 3, 2), *[square(256, 256, 8, 3, 1)] * 3,
]  # fmt: skip


@pytest.mark.parametrize("budget", [0, 1 << 20, 50 << 20, 110 << 20, 1 << 40])
def test_the_plan_obeys_its_byte_budget(budget: int) -> None:
    methods = plan(WRN, 64, budget)
    kept = [costs(layer, 64)[method].kept_bytes for layer, method in zip(WRN, methods, strict=True)]
    assert sum(kept) <= budget
    assert (Method.KEEP in methods) == (budget > 0)


def test_the_plan_takes_what_was_measured_fastest_on_a_residual_network() -> None:
    """Milliseconds on one core, stored / Gram: 256->256 at 8 x 8, 49 / 8; 128->128 at 16 x 16, 43 / 37; 64->64 at 32 x 32 only stored."""
    methods = plan(WRN, 64, 110 << 20)
    assert methods[:6] == [Method.KEEP] * 6
    assert methods[-3:] == [Method.GRAM] * 3
    assert choose(WRN[4], 64, 0) is Method.DROP
    assert choose(WRN[-1], 64, 0) is Method.GRAM


def test_a_larger_budget_is_never_slower() -> None:
    seconds = []
    for budget in range(0, 400 << 20, 10 << 20):
        methods = plan(WRN, 64, budget)
        seconds.append(sum(costs(layer, 64)[method].seconds for layer, method in zip(WRN, methods, strict=True)))
    assert all(later <= 1.02 * before for before, later in itertools.pairwise(seconds))
    assert seconds[-1] < seconds[0]


@pytest.mark.parametrize("change", [{"kernel": (9, 3)}, {"stride": (2, 1)}, {"padding": (0, 0)}, {"groups": 2}, {"kernel": (3,)}])
def test_sizes_of_no_convolution_are_refused(change: dict[str, Any]) -> None:
    x, g = torch.zeros(1, 3, 6, 6), torch.zeros(1, 4, 6, 6)
    geometry: dict[str, Any] = {"kernel": (3, 3), "stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1} | change
    with pytest.raises(ShapeError, match="transposed"):
        Convolution.of(x, g, **geometry)
