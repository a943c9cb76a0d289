"""What is refused by name before anything runs; the trace finds the rest."""

from collections import deque

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from tacit.errors import ConfigError, UnsupportedModel

_MIXING = (nn.modules.batchnorm._BatchNorm, nn.SyncBatchNorm)
_TORCHS_OWN = frozenset(vars(nn.Module()))
_CONTAINERS = (list, tuple, dict, deque)
_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def check_model(model: nn.Module, *, own: frozenset[int] = frozenset()) -> dict[str, nn.Parameter]:
    """Return the trainable parameters by name, each once, when nothing about the model is known to defeat exact gradients.

    own -- ids of the engine's own hooks, which are no one else's.
    Raises UnsupportedModel naming the first module or parameter that does.
    """
    for hooks in ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks", "_global_backward_pre_hooks"):
        if getattr(torch.nn.modules.module, hooks, None):
            raise UnsupportedModel(
                f"torch has hooks on every module ({hooks}), which could mix examples. Remove them before training."
            )
    for name, module in model.named_modules():
        _check_module(name or "the model itself", module, own)
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not parameters:
        raise UnsupportedModel("the model has no trainable parameter, so there is nothing to train. Unfreeze at least one layer.")
    for name, parameter in parameters.items():
        if not parameter.is_floating_point():
            raise UnsupportedModel(f"parameter {name!r} is {parameter.dtype}; only real numbers can be trained. Use float32.")
    return parameters


def _check_module(name: str, module: nn.Module, own: frozenset[int]) -> None:
    if isinstance(module, _WRAPPERS):
        raise UnsupportedModel(
            f"{name!r} is {type(module).__name__}, which adds gradients up before they are clipped. Pass the model itself; processes "
            "started by torchrun share the work without a wrapper."
        )
    if isinstance(module, _MIXING) and (module.training or not module.track_running_stats):
        raise UnsupportedModel(
            f"{name!r} is {type(module).__name__}: it mixes the examples of a batch, so one record moves the gradient of all others. Use "
            f"GroupNorm in its place, nn.GroupNorm(groups, {getattr(module, 'num_features', 'channels')}), or no norm (`tacit design fix` will do "
            "it, once that command exists)."
        )
    if "forward" in vars(module) and not compiled(module):
        raise UnsupportedModel(
            f"{name!r} has had its forward replaced, so what it computes is unknown. Attach before other wrappers."
        )
    for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
        strange = [hook for number, hook in getattr(module, hooks).items() if number not in own and not _shards(hook)]
        if any(_trains(hook) for hook in strange):
            raise UnsupportedModel(
                f"{name!r} is in private training already: a training made before still has its hooks on it. Call finish() on that one "
                "(private.finish()), then attach again; or build the model anew."
            )
        if strange:
            raise UnsupportedModel(
                f"{name!r} has hooks ({hooks}), which could mix examples. Remove them before training privately."
            )


def _shards(hook: object) -> bool:
    """Whether a hook is one by which fully_shard puts weights together and takes them apart: it touches no example."""
    return str(getattr(hook, "__module__", "")).startswith("torch.distributed.fsdp._fully_shard.")


def _trains(hook: object) -> bool:
    """Whether a hook is one by which a private training sees the model run."""
    return type(getattr(hook, "__self__", None)).__module__ == "tacit.train.torch.engine"


def compiled(module: nn.Module) -> bool:
    """Whether a module is what torch.compile made of another: it runs eagerly while it trains, so that its operations are seen."""
    return type(module).__module__ == "torch._dynamo.eval_frame"


def state_of(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Return identity and version of every tensor that the model's modules hold besides parameters: buffers and plain attributes.

    What a forward pass leaves there would carry records from one batch to the next, outside the guarantee.
    """
    held = {}
    for prefix, module in model.named_modules():
        for name, value in (*module._buffers.items(), *vars(module).items()):
            if isinstance(value, torch.Tensor):
                held[f"{prefix}.{name}".lstrip(".")] = (id(value), value._version)
            elif isinstance(value, _CONTAINERS) and value and name not in _TORCHS_OWN:
                for number, one in enumerate(tree_leaves(value)):
                    if isinstance(one, torch.Tensor):
                        held[f"{prefix}.{name}[{number}]".lstrip(".")] = (id(one), one._version)
    return held


def check_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Raise UnsupportedModel when the optimizer misses a trainable parameter, holds one that is not the model's, or needs several passes."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ConfigError(
            f"optimizer must be one of torch's, made from model.parameters(), got {optimizer!r}. For example "
            "torch.optim.SGD(model.parameters(), lr=0.1)."
        )
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
    if isinstance(optimizer, torch.optim.LBFGS):
        raise UnsupportedModel(
            "LBFGS asks for several gradients of one batch, and each batch is one release. Use SGD, Adam or another first-order optimizer."
        )
