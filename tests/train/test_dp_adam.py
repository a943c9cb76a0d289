"""DP-Adam as an optimizer of torch: its closure and its epsilon (that it moves by its formula is tested with the loop)."""

from typing import Any

import pytest
import torch
from torch import nn

from simple_training import plan
from tacit.train import DPAdam


def test_a_closure_is_run_with_gradients_and_its_loss_comes_back() -> None:
    weight = nn.Parameter(torch.tensor([2.0]))
    optimizer = DPAdam([weight], plan=plan(40, 20), lr=0.1)

    def closure() -> Any:
        assert torch.is_grad_enabled()
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        loss: Any = optimizer.step(closure)
    assert float(loss.detach()) == 4.0
    assert float(weight.detach()) < 2.0


@pytest.mark.parametrize("eps", [1e-8, 0.5])
def test_epsilon_is_added_to_the_root_of_the_second_moment(eps: float) -> None:
    """A first step of gradient 0.3 under next to no noise: m = 0.3, v = 0.09, so the weight moves by lr * 0.3 / (0.3 + eps)."""
    weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = DPAdam([weight], plan=plan(40, 20, clip_norm=1e-9), lr=0.1, eps=eps)
    weight.grad = torch.tensor([0.3], dtype=torch.float64)
    optimizer.step()
    assert float(weight.detach()) == pytest.approx(1.0 - 0.1 * 0.3 / (0.3 + eps), rel=1e-9)
