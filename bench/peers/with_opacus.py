"""Opacus: hooks, the same through functorch, expanded weights, and ghost clipping. Runs in an environment of its own."""

from collections.abc import Callable
from functools import partial
from importlib import metadata

from opacus.grad_sample import (  # type: ignore[import-not-found, unused-ignore]
    GradSampleModule,
    GradSampleModuleExpandedWeights,
    GradSampleModuleFastGradientClipping,
)
from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping  # type: ignore[import-not-found, unused-ignore]
from torch import nn

from peers.contest import Attach, Case, Step, main
from peers.models import GPT, Spec, losses, mean_loss

CLIP_NORM = 1.0


def attach(variant: str) -> Attach:
    return _ghost if variant == "ghost" else lambda case, kind: _materialized(variant, case, kind)


def _materialized(variant: str, case: Case, kind: str) -> Step:
    """Every example's gradient is stored, then clipped and summed by Opacus' optimizer."""
    wrap = {
        "hooks": GradSampleModule,
        "functorch": partial(GradSampleModule, force_functorch=True),
        "ew": GradSampleModuleExpandedWeights,
    }[variant]
    model = wrap(case.model, loss_reduction="mean")
    optimizer = DPOptimizer(
        case.optimizer, noise_multiplier=float(kind == "noise"), max_grad_norm=CLIP_NORM, expected_batch_size=len(case.x)
    )

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        mean_loss(model(case.x), case.y).backward()
        optimizer.step()

    return step


def _ghost(case: Case, kind: str) -> Step:
    """Two backward passes, as DPTensorFastGradientClipping.backward runs them: norms first, then the reweighted loss."""
    model = GradSampleModuleFastGradientClipping(case.model, max_grad_norm=CLIP_NORM, loss_reduction="mean")
    optimizer = DPOptimizerFastGradientClipping(
        case.optimizer, noise_multiplier=float(kind == "noise"), max_grad_norm=CLIP_NORM, expected_batch_size=len(case.x)
    )

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        one_each = losses(model(case.x), case.y)
        one_each.mean().backward(retain_graph=True)
        optimizer.zero_grad(set_to_none=True)
        weighted = (model.get_clipping_coef() * one_each).sum()
        model.disable_hooks()
        weighted.backward()
        model.enable_hooks()
        optimizer.step()

    return step


def make(variant: str, spec: Spec) -> Callable[[], nn.Module]:
    """Return the model; its positions are looked up per example, without which Opacus counts them as one example."""
    if spec.name == "gpt":
        return partial(GPT, per_example=True, explicit=variant in ("functorch", "ew"))
    return spec.make


if __name__ == "__main__":
    main(
        "peers.with_opacus",
        f"opacus {metadata.version('opacus')}",
        attach,
        variants=("hooks", "functorch", "ew", "ghost"),
        make=make,
    )
