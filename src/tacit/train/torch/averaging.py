"""The average of a training's weights: post-processing of what was paid for, hence free."""

from typing import Any

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError


class Average:
    """An exponential moving average of the trained parameters, without the bias towards the start.

    decay -- share that a weight keeps from one step to the next; 0 <= decay < 1. About 1 / (1 - decay) steps count.
    After t updates the average is the mean of the weights w_1 .. w_t, w_i counting decay^(t - i): what the parameters were before the first
    step has no part in it. Call `update` once after every optimizer step, and `copy_to_model` when training is over.
    Source: Polyak & Juditsky 1992; for DP-SGD De et al. 2022, arXiv:2204.13650, section 3.
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 <= decay < 1:
            raise ConfigError(
                f"the decay of an average must be >= 0 and < 1, got {decay!r}. Use 0.99 to 0.9999, by the number of steps."
            )
        self._decay, self.updates = float(decay), 0
        self._parameters = {name: one for name, one in model.named_parameters() if one.requires_grad}
        self._weights = {name: one.detach().clone() for name, one in self._parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Count the model's present weights in."""
        self.updates += 1
        share = 1 - self._decay
        share /= 1 - self._decay**self.updates
        for name, parameter in self._parameters.items():
            self._weights[name].lerp_(parameter.detach(), share)

    @torch.no_grad()
    def copy_to_model(self) -> None:
        """Give the model the averaged weights; nothing before the first update."""
        for name, parameter in self._parameters.items():
            if self.updates:
                parameter.copy_(self._weights[name])

    def state_dict(self) -> dict[str, Any]:
        return {"decay": self._decay, "updates": self.updates, "weights": dict(self._weights)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after a checkpoint. Raises ValueError when it is another model's or decay's."""
        weights: dict[str, Tensor] = state_dict["weights"]
        same = {name: one.shape for name, one in weights.items()} == {name: one.shape for name, one in self._weights.items()}
        if state_dict["decay"] != self._decay or not same:
            raise ValueError(f"its decay is {state_dict['decay']} over {len(weights)} tensors, not {self._decay} over these")
        self.updates = state_dict["updates"]
        for name, value in weights.items():
            self._weights[name].copy_(value)
