"""Weights that FSDP2 (torch.distributed.fsdp.fully_shard) keeps in pieces on several processes.

Between steps each process holds its piece of every parameter, and of the optimizer's state; that is what fully_shard saves. For a step
the weights are made whole, by fully_shard's own public calls, and stay whole until the update is there: the engine then sees
ordinary parameters, no gradient arrives at them, and nothing is left for fully_shard to add up over processes.
"""

from collections.abc import Callable
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from tacit.errors import UnsupportedModel
from tacit.train.torch.processes.weights import forget, trainable

_PIECES = "pieces of"
"""Under this name a checkpoint holds a tensor that was in pieces on several processes."""


def pieces_of(model: nn.Module) -> dict[str, DTensor]:
    """Return the parameters that are held in pieces, by name; none for an ordinary model.

    Raises UnsupportedModel when they are cut in another way than fully_shard(model) cuts them.
    """
    parameters = dict(model.named_parameters())
    pieces: dict[str, DTensor] = {name: one for name, one in parameters.items() if isinstance(one, DTensor)}
    for name, one in parameters.items() if pieces else ():
        if (name not in pieces and one.requires_grad) or not isinstance(model, FSDPModule):
            raise UnsupportedModel(
                f"parameter {name!r} is not held by fully_shard(model), while others of the model are cut into pieces, so which process has "
                "what is not known. Call torch.distributed.fsdp.fully_shard on the model itself, last, and use no tensor parallelism."
            )
    for name, piece in pieces.items():
        if piece.device_mesh.size() != dist.get_world_size() or piece.placements != (Shard(0),):
            raise UnsupportedModel(
                f"parameter {name!r} is cut as {piece.placements} over {piece.device_mesh}; only pieces along the first dimension over all "
                "processes are put together exactly. Call fully_shard(model) without a mesh and without shard_placement_fn."
            )
    return pieces


class ShardedWeights:
    """A model under fully_shard. Between `gather` and `scatter` its parameters are whole: as much memory as without fully_shard."""

    whole = False

    def __init__(self, model: nn.Module) -> None:
        self.held = trainable(model)
        self._sharding = [module for module in model.modules() if isinstance(module, FSDPModule)]
        self._gathered = False

    def gather(self) -> None:
        if self._gathered:
            return
        for module in self._sharding:
            module.set_reshard_after_forward(False, recurse=False)
            module.set_reshard_after_backward(False, recurse=False)
            module.set_requires_gradient_sync(False, recurse=False)
            module.reshard()  # what an evaluation gathered may be older than the optimizer's last step
            module.unshard()
        self._gathered = True

    def scatter(self) -> None:
        for module in self._sharding:
            module.reshard()
        self._gathered = False

    def give(self, name: str, update: Tensor) -> None:
        held = self.held[name]
        assert isinstance(held, DTensor)
        whole = update.to(dtype=held.dtype, device=held.device)
        held.grad = distribute_tensor(
            whole, held.device_mesh, held.placements, src_data_rank=None
        )  # each takes its own, no one sends

    def put_together(self, state: Any) -> Any:
        if isinstance(state, DTensor):
            return {_PIECES: state.full_tensor().cpu()}
        return _each(self.put_together, state)

    def taken_apart(self, state: Any) -> Any:
        if isinstance(state, dict) and set(state) == {_PIECES}:
            like = next(one for one in self.held.values() if isinstance(one, DTensor))
            whole = state[_PIECES].to(like.device)
            return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)
        return _each(self.taken_apart, state)

    def end(self) -> None:
        self.scatter()
        for module in self._sharding:
            module.set_reshard_after_forward(True, recurse=False)
            module.set_reshard_after_backward(True, recurse=False)
            module.set_requires_gradient_sync(True, recurse=False)
        forget(self.held)


def _each(change: Callable[[Any], Any], state: Any) -> Any:
    """Return a state with a change made to all that its dicts, lists and tuples hold."""
    match state:
        case dict():
            return {name: change(one) for name, one in state.items()}
        case list() | tuple():
            return type(state)(change(one) for one in state)
    return state
