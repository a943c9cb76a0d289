"""The example axis: read off what changes, never guessed; what mixes examples or could be read in two ways is refused."""

import pytest
import torch
from torch import Tensor, nn

from tacit.errors import ShapeError, UnsupportedModel
from tacit.train.torch.attach import check_model
from tacit.train.torch.axes import TRACED, Axis, Change, axis_of, differs, replaced, synthetic
from tacit.train.torch.trace import trace


def changed(function: object, width: int = 4) -> list[Change]:
    """Return where each example's replacement shows in the function of a batch of rows."""
    assert callable(function)
    base = synthetic(torch.zeros(7, width), TRACED)
    plain = function(base)
    return [differs(function(replaced(base, example)), plain, "it") for example in range(TRACED)]


@pytest.mark.parametrize(
    ("function", "axis"),
    [
        (lambda x: x * 2, Axis(dim=0)),
        (lambda x: x.T, Axis(dim=1)),
        (lambda x: x[None, :, None], Axis(dim=1)),
        (lambda x: x.reshape(-1), Axis(dim=0, kind="major")),
        (lambda x: x.T.reshape(-1), Axis(dim=0, kind="minor")),
        (lambda x: x.T.reshape(2, -1), Axis(dim=1, kind="minor")),
        (lambda x: torch.ones(5, 2), None),
    ],
)
def test_the_axis_is_where_examples_change_apart(function: object, axis: Axis | None) -> None:
    assert axis_of(changed(function), "it") == axis


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x - x.mean(dim=0),
        lambda x: x.softmax(dim=0),
        lambda x: x.cumsum(dim=0),
        lambda x: x @ x.T,
        lambda x: x.sum(),
        lambda x: x[:, 0].nan_to_num(9.0).sort().values,
        lambda x: x[:2],
        lambda x: torch.cat([x, x.flip(0)], dim=1),
    ],
)
def test_what_mixes_examples_is_refused(function: object) -> None:
    with pytest.raises(UnsupportedModel, match="mixes examples"):
        axis_of(changed(function), "it")


@pytest.mark.parametrize("function", [lambda x: torch.diag_embed(x[:, 0]), lambda x: torch.diag_embed(x[:, 0])[None]])
def test_what_could_be_read_in_two_ways_is_refused(function: object) -> None:
    with pytest.raises(UnsupportedModel, match="more than one axis"):
        axis_of(changed(function), "it")


@pytest.mark.parametrize("rows", [2, 3, 6])
def test_examples_come_first_whichever_way_they_were_flattened(rows: int) -> None:
    """Each reading undoes the flattening that its kind stands for, at any batch size."""
    x = torch.arange(rows * 5).reshape(rows, 5)
    assert torch.equal(Axis(dim=0).examples_first(x, rows)[:, 0], x)
    assert torch.equal(Axis(dim=0, kind="major").examples_first(x.reshape(-1), rows), x)
    assert torch.equal(Axis(dim=0, kind="minor").examples_first(x.T.reshape(-1), rows), x)
    assert torch.equal(Axis(dim=1).examples_first(x.T, rows)[:, 0], x)
    for axis, tensor in ((Axis(dim=0), x[1:]), (Axis(dim=0, kind="major"), torch.zeros(5 * rows + 1))):
        with pytest.raises(ShapeError, match="not what the trace found"):
            axis.examples_first(tensor, rows)


class Diagonal(nn.Module):
    """Each row's first number, on a diagonal of examples by examples: either axis could be the example."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return (torch.diag_embed(x[:, 0]) * self.scale).sum(dim=1)


def test_a_model_with_an_ambiguous_input_is_refused_by_the_operation_that_has_it() -> None:
    model = Diagonal()
    names = {id(one): name for name, one in check_model(model).items()}
    with pytest.raises(UnsupportedModel, match=r"'scale'.* more than one axis"):
        trace(model, names, (torch.zeros(TRACED, 4),), {}, TRACED, model)


def test_images_laid_out_channels_last_are_no_other_examples() -> None:
    """What the trace marks must stay laid out in memory as it was: group norm's kernels for the two layouts differ by a bit."""
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.GroupNorm(16, 16))
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(TRACED, 3, 32, 32).to(memory_format=torch.channels_last)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    sites, _ = trace(model, names, (images,), {}, TRACED, model)
    assert {site.output.dim for site in sites.values() if site is not None} == {0}
