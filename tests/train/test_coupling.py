"""The detector for coupled losses: what multiplies rows is found like what adds them, and what a row does to itself is let pass."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tacit.errors import PrivacyError
from tacit.train.torch.axes import Axis
from tacit.train.torch.coupling import refuse_coupled
from tacit.train.torch.outputs import Output

ROWS = 16
Hook = Callable[[Tensor], Tensor]
Loss = Callable[[Tensor], Tensor]


def refused(hook: Hook, loss: Loss, seed: int, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> bool:
    """Whether one batch shows coupling, its coins drawn from the seed."""
    generator = torch.Generator().manual_seed(seed)
    output = (torch.randn(ROWS, 5, generator=generator) * scale).to(dtype).requires_grad_() * 1
    axis = Axis(dim=0)
    seen = Output.of(output, axis)
    output.register_hook(hook)
    half = torch.rand(ROWS, generator=generator) < 0.5
    try:
        refuse_coupled(loss(output), [seen], half)
    except PrivacyError:
        return True
    return False


def plainly(output: Tensor) -> Tensor:
    return output.square().sum(dim=1)


def cross_entropy(output: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output.float(), torch.arange(ROWS) % 5, reduction="none")


COUPLING: dict[str, Hook] = {
    "times the sum": lambda g: g * g.sum(),
    "times the mean": lambda g: g * g.mean(0),
    "a millionth of it times the mean": lambda g: g * (1 + 1e-6 * g.mean()),
    "over the length": lambda g: g / g.norm(),
    "over the spread": lambda g: g / g.std(),
    "over the largest": lambda g: g / g.abs().amax(),
    "minus the mean": lambda g: g - g.mean(0),
    "the next row's": lambda g: g.roll(1, 0),
    "times the next row's": lambda g: g * g.roll(1, 0),
    "sorted": lambda g: g.sort(dim=0)[0],
    "clipped to the median": lambda g: g.clamp(max=g.median()),
}


SHORT = {"a millionth of it times the mean"}
"""Of these nothing is left in numbers of two bytes."""
WHERE = [(hook, dtype) for hook in COUPLING for dtype in (torch.float32, torch.float64)]
WHERE += [(hook, dtype) for hook in COUPLING.keys() - SHORT for dtype in (torch.bfloat16, torch.float16)]


@pytest.mark.parametrize(("hook", "dtype"), sorted(WHERE, key=str), ids=str)
def test_what_mixes_rows_behind_the_output_is_found(hook: str, dtype: torch.dtype) -> None:
    """In each of five batches but for coins that fall alike, 2^-15 a batch: these seeds have both sides.

    Planted fault: weights 1 and 0 in place of 2 and 1 find neither products with sums nor quotients of which the other half is gone.
    """
    assert all(refused(COUPLING[hook], plainly, seed, dtype) for seed in range(5))


BY_ROW: dict[str, Hook] = {
    "nothing": lambda g: g,
    "clamped": lambda g: g.clamp(-0.1, 0.1),
    "each row over its own length": lambda g: g / g.norm(dim=1, keepdim=True),
    "a sign": torch.sign,
    "squared": lambda g: g * g.abs(),
    "dropped at random": lambda g: nn.functional.dropout(g, 0.5),
    "noise added": lambda g: g + torch.randn_like(g),
    "not a number in one row": lambda g: torch.where(torch.arange(ROWS)[:, None] == 3, torch.nan, g),
}


@pytest.mark.parametrize("loss", [plainly, cross_entropy])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(torch.float32, 1.0), (torch.float32, 1e-30), (torch.bfloat16, 1.0), (torch.float16, 1.0), (torch.float16, 1e-6)],
    ids=str,
)
@pytest.mark.parametrize("hook", BY_ROW)
def test_what_a_row_does_to_its_own_gradient_is_let_pass(hook: str, dtype: torch.dtype, scale: float, loss: Loss) -> None:
    """Numbers below the smallest normal one, rounded other than in proportion, included: nothing is multiplied before it is compared."""
    assert not any(refused(BY_ROW[hook], loss, seed, dtype, scale) for seed in range(3))


def test_sums_without_a_fixed_order_are_let_pass_and_coupling_beside_them_is_found() -> None:
    """A hook that gives other last bits at each pass stands for a device whose sums have no fixed order."""
    drift = itertools.count()

    def unsteady(gradient: Tensor) -> Tensor:
        return gradient * (1 + 2e-7 * (next(drift) % 7))

    assert not any(refused(unsteady, plainly, seed) for seed in range(5))
    for name in ("times the sum", "over the length", "minus the mean"):
        mixing = COUPLING[name]
        assert all(refused(lambda g, mixing=mixing: unsteady(mixing(g)), plainly, seed) for seed in range(5)), name  # type: ignore[misc]


def test_an_output_of_the_whole_batch_is_refused() -> None:
    output = torch.randn(ROWS, 5).requires_grad_() * 1
    seen = [Output.of(output, Axis(dim=0)), Output.of(scale := output.mean(), None)]
    with pytest.raises(PrivacyError, match="another example"):
        refuse_coupled(plainly(output) * scale, seen, torch.arange(ROWS) < 8)
