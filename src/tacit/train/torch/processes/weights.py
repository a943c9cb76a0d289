"""A model's trainable parameters as its optimizer holds them: whole, or in pieces on several processes."""

from typing import Any, Protocol

import torch.distributed as dist
from torch import Tensor, nn


class Weights(Protocol):
    """A model's trainable parameters as the optimizer holds them.

    held  -- by name, in the model's order; their .grad is what the optimizer steps by.
    whole -- whether they are the very parameters that the model runs with.
    """

    held: dict[str, nn.Parameter]
    whole: bool

    def gather(self) -> None:
        """Make the model's parameters whole, as they are now."""
        ...

    def scatter(self) -> None:
        """Keep only this process's pieces."""
        ...

    def give(self, name: str, update: Tensor) -> None:
        """Put this process's piece of an update into a held parameter's .grad; update -- the parameter's whole shape."""
        ...

    def put_together(self, state: Any) -> Any:
        """Return a state_dict with every tensor whole: what one file can hold. All processes call it, between steps."""
        ...

    def taken_apart(self, state: Any) -> Any:
        """Return what `put_together` was given, each process's own pieces of it."""
        ...

    def end(self) -> None:
        """Leave the model as an ordinary one of its kind, without gradients."""
        ...


def weights_of(model: nn.Module) -> Weights:
    """Return how a model's weights are held. Raises UnsupportedModel for pieces that are cut in another way than fully_shard's own."""
    if dist.is_available() and dist.is_initialized():
        from tacit.train.torch.processes.sharded import ShardedWeights, pieces_of

        if pieces_of(model):
            return ShardedWeights(model)
    return WholeWeights(model)


class WholeWeights:
    """An ordinary model: what the engine sees is what the optimizer holds."""

    whole = True

    def __init__(self, model: nn.Module) -> None:
        self.held = trainable(model)

    def gather(self) -> None:
        return

    def scatter(self) -> None:
        return

    def give(self, name: str, update: Tensor) -> None:
        held = self.held[name]
        held.grad = update.to(dtype=held.dtype, device=held.device)

    def put_together(self, state: Any) -> Any:
        return state

    def taken_apart(self, state: Any) -> Any:
        return state

    def end(self) -> None:
        forget(self.held)


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: one for name, one in model.named_parameters() if one.requires_grad}


def forget(held: dict[str, nn.Parameter]) -> None:
    for one in held.values():
        one.grad = None
