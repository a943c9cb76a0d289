"""DP-Adam without the noise's bias: Adam whose second moments are those of the gradients, not of gradients and noise together."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError
from tacit.train.clipping import AdaptiveClipping
from tacit.train.plan import Plan


class DPAdam(torch.optim.Optimizer):
    """Adam on noised gradients, whose second moments are corrected for the noise (DP-AdamBC).

    Source: Tang & Lécuyer 2023, arXiv:2304.11208; Tang, Shpilevskiy & Lécuyer 2024, arXiv:2312.14334, Algorithm 1, step 12.

    params       -- as for any optimizer of torch; real numbers.
    plan         -- whose noise is subtracted: each coordinate of the gradient carries noise of variance
                    (noise_multiplier * clip_norm / batch_size)^2, public, and so does the mean of its square.
    lr           -- > 0. betas -- decays of the first and second moment, each >= 0 and < 1.
    floor        -- least second moment after the subtraction, as a share of the noise's variance; > 0. The difference of two nearly equal
                    numbers can fall below zero: an estimate over about 1 / (1 - betas[1]) steps wavers by a share of
                    sqrt(2 (1 - betas[1]) / (1 + betas[1])), 3% by default.
    eps          -- added to the square root, as in Adam; matters where a plan has next to no noise.
    weight_decay -- decoupled, as in AdamW; >= 0.
    Raises ConfigError when a value is out of range, or the plan's noise differs from step to step (correlated noise, adaptive clipping).
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        *,
        plan: Plan,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        floor: float = 0.1,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if plan.mechanism_name != "dp-sgd" or isinstance(plan.clipping, AdaptiveClipping):
            raise ConfigError(
                f'DPAdam subtracts one variance at every step, and this plan\'s noise (mechanism "{plan.mechanism_name}", '
                f"{type(plan.clipping_rule).__name__}) differs from step to step. Use torch.optim.Adam, which only keeps the bias, or a "
                'plan with mechanism "dp-sgd" and a fixed clip norm.'
            )
        for name, value, right in (
            ("lr", lr, lr > 0),
            ("betas", betas, all(0 <= one < 1 for one in betas)),
            ("floor", floor, floor > 0),
            ("eps", eps, eps >= 0),
            ("weight_decay", weight_decay, weight_decay >= 0),
        ):
            if not right or not all(map(math.isfinite, value if isinstance(value, tuple) else (value,))):
                raise ConfigError(f"DPAdam's {name} is out of range: {value!r}. Its defaults are a start.")
        defaults = {"lr": lr, "betas": tuple(betas), "floor": floor, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)
        self.noise_variance = (plan.noise_multiplier * plan.clip_norm / plan.batch_size) ** 2

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every parameter that has a gradient, by lr * m / (sqrt(max(v - noise, floor * noise)) + eps)."""
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return value

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        state["step"] += 1
        first, second = group["betas"]
        state["mean"].lerp_(gradient, 1 - first)
        state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        square = state["square"] / (1 - second ** state["step"]) - self.noise_variance
        square.clamp_(min=group["floor"] * self.noise_variance)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.addcdiv_(state["mean"], square.sqrt_().add_(group["eps"]), value=-group["lr"] / (1 - first ** state["step"]))
