"""Sums of outer products: formed tile by tile, block by block, and never in a chain longer than the proof allows."""

import resource
import subprocess
import sys
from collections.abc import Callable
from itertools import cycle

import pytest
import torch
from torch import Tensor, nn

from tacit.noise.sensitivity import BLOCK, GROUP
from tacit.train.torch import sums
from tacit.train.torch.records import Clip, Outer, blocks
from tacit.train.torch.scratch import Scratch
from tacit.train.torch.sums import TILE, RunningSum, adds_apart, squared_lengths, trial_weights

ROWS, COLUMNS = 2 * TILE + 44, 40


def products(left: Tensor, right: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(left[place], right[place]) for place in blocks(len(left), BLOCK)]


@pytest.fixture(params=[True, False], ids=["in place", "apart"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take either way to add a block: the one that torch's product allows here, and the other."""
    if not request.param:
        monkeypatch.setattr(sums, "adds_apart", lambda out, block: False)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("length", [1, 2, 7, BLOCK - 1, BLOCK])
def test_a_block_is_formed_by_itself_in_every_tile(length: int) -> None:
    """At 2^30 float32 numbers are 128 apart and half of that is lost: only a whole block of 128, added at once, is there."""
    for weights in trial_weights(length):
        left, right = torch.zeros(BLOCK + length, ROWS), torch.ones(BLOCK + length, COLUMNS)
        left[0], left[BLOCK:] = 2.0**30, weights[:, None]
        total = RunningSum(nn.Parameter(torch.zeros(ROWS, COLUMNS)))
        total.add_products(products(left, right))
        assert torch.equal(total.take(), torch.full((ROWS, COLUMNS), 2.0**30 + 128))


def split_into(sizes: tuple[int, ...]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return an addmm_ that forms products of so many rows at a time, over and over, and adds each to out."""

    def addmm_(out: Tensor, left: Tensor, right: Tensor) -> Tensor:
        start = 0
        for size in cycle(sizes):
            if start >= len(right):
                return out
            out.add_(left[:, start : start + size] @ right[start : start + size])
            start += size
        raise AssertionError("a cycle has no end")

    return addmm_


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("block", [BLOCK, BLOCK - 1, 33, 2])
def test_a_product_that_is_added_in_parts_is_found_out(block: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain, two rows at a time, halves, and parts so uneven that the larger one alone is rounded to the whole."""
    out = torch.zeros(5, 3, dtype=dtype)
    for sizes in ((1,), (2,), (BLOCK // 2,), (BLOCK * 3 // 4,), (1, BLOCK), (BLOCK - 1,), (BLOCK,)):
        monkeypatch.setattr(sums, "_APART", {})
        monkeypatch.setattr(Tensor, "addmm_", split_into(sizes))
        assert adds_apart(out, block) is (sizes[0] >= block)


def test_a_sum_holds_whatever_way_products_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "_APART", {})
    monkeypatch.setattr(Tensor, "addmm_", split_into((2,)))
    test_a_block_is_formed_by_itself_in_every_tile(BLOCK)


@pytest.mark.usefixtures("way")
def test_groups_beyond_the_first_are_added_in_float64() -> None:
    """2^30 + 64 needs 25 bits: lost in float32, held where a group ends and the next begins."""
    left, right = torch.zeros((GROUP + 1) * BLOCK, ROWS), torch.ones((GROUP + 1) * BLOCK, COLUMNS)
    left[0], left[GROUP * BLOCK :] = 2.0**30, 1.0
    total = RunningSum(nn.Parameter(torch.zeros(ROWS, COLUMNS)))
    total.add_products(products(left, right))
    found = total.take()
    assert found.dtype == torch.float64
    assert torch.equal(found, torch.full((ROWS, COLUMNS), 2.0**30 + BLOCK, dtype=torch.float64))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("examples", [1, BLOCK, 5 * BLOCK + 7, GROUP * BLOCK, 2 * GROUP * BLOCK + 3])
def test_the_sum_is_that_of_float64_wherever_blocks_groups_and_tiles_end(examples: int) -> None:
    """Bound: gamma_64 of Higham's Lemma 3.1 for a block, 8 more roundings in a group, on the sum of absolute values."""
    torch.manual_seed(examples)
    left, right = torch.randn(examples, ROWS), torch.randn(examples, COLUMNS)
    total = RunningSum(nn.Parameter(torch.zeros(ROWS, COLUMNS)))
    total.add_products(products(left, right))
    exact, room = left.double().t() @ right.double(), left.double().abs().t() @ right.double().abs()
    assert ((total.take() - exact).abs() <= (BLOCK + GROUP + 1) * 2.0**-24 * room).all()


def test_what_was_added_before_stays_when_products_follow() -> None:
    before, left, right = torch.randn(ROWS, COLUMNS), torch.randn(10, ROWS), torch.randn(10, COLUMNS)
    total = RunningSum(nn.Parameter(torch.zeros(ROWS, COLUMNS)))
    total.add_block(before)
    total.add_products(products(left, right))
    torch.testing.assert_close(total.take(), before + left.t() @ right)


def test_a_forgotten_sum_starts_again_at_zero() -> None:
    total = RunningSum(nn.Parameter(torch.zeros(3, 2)))
    for _ in range(GROUP + 1):
        total.add_block(torch.ones(3, 2))
    total.add_one(torch.ones(3, 2))
    total.forget()
    assert torch.equal(total.take(), torch.zeros(3, 2))
    total.add_block(torch.ones(3, 2))
    assert torch.equal(total.take(), torch.ones(3, 2))


@pytest.mark.parametrize("shape", [(6, 4), (4, 6)])
def test_examples_that_are_not_kept_leave_no_trace_whichever_side_is_scaled(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    left, right = torch.randn(100, 1, shape[0]), torch.randn(100, 1, shape[1])
    left[3], right[70] = torch.inf, torch.nan
    kept = torch.ones(100, dtype=torch.bool)
    kept[[3, 70, 99]] = False
    factors = torch.rand(100)
    total = RunningSum(nn.Parameter(torch.zeros(shape)))
    Outer("w", left, right, Scratch()).add_to(total, Clip(factors, kept, allowed=0.0))
    wanted = (left[kept, 0].double() * factors[kept, None].double()).t() @ right[kept, 0].double()
    torch.testing.assert_close(total.take().double(), wanted, rtol=1e-5, atol=1e-5)


def test_a_length_that_is_known_is_not_measured_again() -> None:
    left, right = torch.randn(5, 1, 3), torch.randn(5, 1, 4)
    measured, known = Outer("w", left, right, Scratch()), squared_lengths(left[:, 0])
    assert torch.equal(Outer("w", left, right, Scratch(), left_squared=known).squared_norms(), measured.squared_norms())
    assert torch.equal(Outer("w", left, right, Scratch(), left_squared=4 * known).squared_norms(), 4 * measured.squared_norms())


_STEPS = """
import resource, torch
from tacit.train.torch.scratch import Scratch
if {kept}:
    Scratch()
for step in range(6):
    if step == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    records = [torch.ones(512, 1024) for _ in range(8)]
    del records
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted on Linux")
def test_a_step_takes_the_pages_of_the_step_before() -> None:
    """16 MiB are 4,096 pages. Without it the second step takes them all anew, and often every later one; with it five steps take fewer."""
    assert resource.getpagesize() == 4096
    counts = [
        int(subprocess.run([sys.executable, "-c", _STEPS.format(kept=one)], capture_output=True, check=True, text=True).stdout)
        for one in (True, False)
    ]
    assert counts[0] < 4_000 < counts[1]


def test_many_vectors_are_the_blocks_they_would_be_one_by_one() -> None:
    """Over groups (17 blocks and a rest) and after other blocks; each block's bits are its own, so a zeroed vector moves its group's alone."""
    torch.manual_seed(3)
    vectors, scales = torch.randn(17 * BLOCK + 5, 6), torch.rand(17 * BLOCK + 5)
    many, single = RunningSum(torch.zeros(3, 2)), RunningSum(torch.zeros(3, 2))
    for one in (many, single):
        one.add_block(torch.ones(3, 2))
    many.add_many(vectors, scales, lambda vector: vector.view(2, 3).t())
    for start in range(0, len(vectors), BLOCK):
        single.add_block((scales[start : start + BLOCK] @ vectors[start : start + BLOCK]).view(2, 3).t())
    assert many._group.terms == single._group.terms == (1 + 17 + 1) % GROUP  # no longer in float32 than one by one
    exact = 1 + (scales.double() @ vectors.double()).view(2, 3).t()
    torch.testing.assert_close(many.take().double(), exact, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(single.take().double(), exact, rtol=1e-5, atol=1e-5)
