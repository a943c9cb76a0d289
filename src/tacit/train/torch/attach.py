"""What the engine accepts: `nn.Linear` and elementwise activations in a Sequential; everything else is refused by name."""

import torch
from torch import nn

from tacit.errors import UnsupportedModel

ELEMENTWISE: tuple[type[nn.Module], ...] = (
    nn.Identity,
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.Softplus,
)

_REMEDIES = {
    "BatchNorm": "it mixes the examples of a batch, so one record moves the gradient of all others. Use no norm, or scale the inputs",
    "Dropout": "train without it: the noise of differential privacy regularizes already",
    "Flatten": "flatten the data before it reaches the model, so that inputs have shape (batch, features)",
}


def check_model(model: nn.Module, *, own: frozenset[int] = frozenset()) -> dict[str, nn.Parameter]:
    """Return the trainable parameters by name, when the model can be trained exactly.

    own -- ids of the engine's own hooks, which are no one else's.
    Raises UnsupportedModel naming the first module or parameter that cannot be.
    """
    for hooks in ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks", "_global_backward_pre_hooks"):
        if getattr(torch.nn.modules.module, hooks, None):
            raise UnsupportedModel(
                f"torch has hooks on every module ({hooks}), which could mix examples. Remove them before training."
            )
    for name, module in model.named_modules():
        _check_module(name or "the model itself", module, own)
    parameters = {name: p for name, p in model.named_parameters(remove_duplicate=False) if p.requires_grad}
    if not parameters:
        raise UnsupportedModel("the model has no trainable parameter, so there is nothing to train. Unfreeze at least one layer.")
    _check_reuse(model, parameters)
    for name, parameter in parameters.items():
        if parameter.dtype not in (torch.float32, torch.float64):
            raise UnsupportedModel(
                f"parameter {name!r} is {parameter.dtype}; norms and noise need float32 or float64. Call model.float()."
            )
    return parameters


def _check_module(name: str, module: nn.Module, own: frozenset[int]) -> None:
    kind = type(module)
    if kind not in (nn.Linear, nn.Sequential, *ELEMENTWISE):
        remedy = next((text for key, text in _REMEDIES.items() if key in kind.__name__), None)
        why = (
            f": {remedy}"
            if remedy
            else ". Accepted are nn.Sequential, nn.Linear and " + ", ".join(f"nn.{c.__name__}" for c in ELEMENTWISE)
        )
        raise UnsupportedModel(
            f"{name!r} is {kind.__module__}.{kind.__qualname__}, which cannot be trained with exact per-example gradients{why}."
        )
    if getattr(module, "inplace", False):
        raise UnsupportedModel(f"{name!r} works in place, which overwrites what the gradient needs. Set inplace=False.")
    if "forward" in vars(module):
        raise UnsupportedModel(
            f"{name!r} has had its forward replaced, so what it computes is unknown. Attach before other wrappers."
        )
    for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
        if set(getattr(module, hooks)) - own:
            raise UnsupportedModel(
                f"{name!r} has hooks ({hooks}), which could mix examples. Remove them before training privately."
            )
    if any(isinstance(value, torch.Tensor) for value in module._buffers.values()):
        raise UnsupportedModel(f"{name!r} has a buffer, which would change during private training. Remove it.")


def _check_reuse(model: nn.Module, parameters: dict[str, nn.Parameter]) -> None:
    seen: dict[int, str] = {}
    for name, parameter in parameters.items():
        if id(parameter) in seen:
            raise UnsupportedModel(
                f"{name!r} and {seen[id(parameter)]!r} are one parameter. Its norm has cross terms that this engine does not form. Untie them."
            )
        seen[id(parameter)] = name
    modules: dict[int, str] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if type(module) is nn.Linear and id(module) in modules:
            raise UnsupportedModel(
                f"{name!r} and {modules[id(module)]!r} are one layer used twice. Give each place a layer of its own."
            )
        modules[id(module)] = name


def check_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Raise UnsupportedModel when the optimizer misses a trainable parameter or holds one that is not the model's."""
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and id(parameter) not in held:
            raise UnsupportedModel(
                f"the optimizer does not hold {name!r}, which would stay untrained without a word. "
                "Build it from model.parameters(), or freeze that parameter with requires_grad_(False)."
            )
    if held - {id(parameter) for parameter in model.parameters()}:
        raise UnsupportedModel(
            "the optimizer holds parameters of something else than this model. Build it from model.parameters() alone."
        )
