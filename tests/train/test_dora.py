"""DoRA adapters, computed as PEFT does: exact for inputs of any rank, though weights are read off an identity matrix."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from simple_training import one_at_a_time, plan
from tacit.errors import UnsupportedModel
from tacit.noise.grid import clip_target
from tacit.noise.source import SeededSource
from tacit.train.torch.engine import Engine

CLIP, ROWS, WIDE = 0.4, 6, 5


class Adapted(nn.Module):
    """A frozen linear map with low-rank directions and a trained magnitude (Liu et al. 2024, arXiv:2402.09353, equation 5).

    held -- whether the norm counts as a constant (section 4.3), which is PEFT's way, or is differentiated through.
    """

    def __init__(self, held: bool) -> None:
        super().__init__()
        self.base, self.held = nn.Linear(WIDE, 3).requires_grad_(False), held
        self.down, self.up = nn.Linear(WIDE, 2, bias=False), nn.Linear(2, 3, bias=False)
        self.magnitude = nn.Parameter(self.base.weight.norm(dim=1) * 1.1)

    def identity(self, x: Tensor) -> Tensor:
        return torch.eye(WIDE, dtype=x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        change = self.up(self.down(self.identity(x))).T
        norm = torch.linalg.norm(self.base.weight + 2.0 * (change.detach() if self.held else change), dim=1)
        scale = (self.magnitude / (norm.detach() if self.held else norm)).view(1, -1)
        plain = self.base(x) - self.base.bias
        whole: Tensor = self.base(x) + (scale - 1) * plain + scale * self.up(self.down(x)) * 2.0
        return whole


class Edited(Adapted):
    """Puts an example into the identity matrix: its result is no longer made of parameters alone."""

    def identity(self, x: Tensor) -> Tensor:
        one = super().identity(x)
        one[0] = x[0]
        return one


def squares(output: Tensor, _: Tensor) -> Tensor:
    return output.square().flatten(1).sum(dim=1)


def clipped_sums(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], lr=1.0)
    engine = Engine(model, optimizer, plan(16, 8, clip_norm=CLIP), SeededSource(1))
    engine.start(torch.ones(len(x), dtype=torch.bool))
    engine.accumulate(squares(model(x), x))
    return engine.without_noise()


def adapted(make: Callable[[], nn.Module]) -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, WIDE), nn.Tanh(), make())


@pytest.mark.parametrize("held", [True, False], ids=["norm held", "norm differentiated"])
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("rows", [ROWS, WIDE])
def test_dora_is_exact_for_inputs_of_any_rank(shape: tuple[int, ...], held: bool, rows: int) -> None:
    """Also with as many rows as the identity has. Planted fault: a `called` that taps the identity's rows as examples is refused."""
    model = adapted(lambda: Adapted(held))
    x = torch.randn(rows, *shape, generator=torch.Generator().manual_seed(1))
    wanted = one_at_a_time(model, x, x, squares, clip_target(CLIP))
    found = clipped_sums(model, x)
    assert found.keys() == wanted.keys()
    assert len(found) == 5, "two of the first layer, two of the directions, the magnitude"
    for name, value in wanted.items():
        assert torch.allclose(found[name].view_as(value).double(), value, rtol=1e-5, atol=1e-6), name


def test_an_identity_with_an_example_in_it_is_none() -> None:
    with pytest.raises(UnsupportedModel, match="mixes examples"):
        clipped_sums(adapted(lambda: Edited(True)), torch.randn(ROWS, 4))
