"""One call of any operation, run for a batch and run again for the gradients of some of its examples."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import get_device_states, set_device_states

from tacit.errors import UnsupportedModel
from tacit.train.torch.records import blocks

States = tuple[Tensor, list[int], list[Tensor]]


class Repeated:
    """An operation on each example by itself, under `torch.func.vmap`, as it ran in the forward pass: autocast and random draws too.

    one_example -- of the operands, one example's part or a constant, and the parameters. batched -- which operands have examples.
    what, names -- the operation and its parameters, for errors.
    """

    def __init__(self, one_example: Callable[..., Tensor], batched: tuple[bool, ...], what: str, names: list[str]) -> None:
        self._one_example, self._batched, self._what, self._names = one_example, batched, what, names
        self._drawn: list[tuple[slice, States]] = []  # where it draws: the states before each part of the batch
        self._cast: tuple[str, torch.dtype, bool] | None = None

    def run(self, operands: Sequence[Tensor], weights: Sequence[Tensor], step: int) -> Tensor:
        """Return the result for all examples, shape (B, ...); what draws random numbers does so for `step` examples at a time."""
        device = weights[0].device.type
        self._cast = (device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))
        before = _states(weights)
        result = self._vmapped(operands, weights, shared=True)
        if _same(before, _states(weights)):
            return result
        _restore(before)
        parts = []
        for place in blocks(len(result), step):
            self._drawn.append((place, _states(weights)))
            parts.append(self._vmapped(self._at(operands, place), weights, shared=True))
        return torch.cat(parts)

    def gradients(
        self, place: slice, wanted: Sequence[int], operands: Sequence[Tensor], weights: Sequence[Tensor], gradient: Tensor
    ) -> list[Tensor]:
        """Return the gradients of the examples at `place`, shape (b, *parameter's shape), of each wanted parameter.

        gradient -- of the result, shape (B, ...).
        """
        if not self._drawn:
            return self._formed(place, wanted, operands, weights, gradient)
        pieces: list[list[Tensor]] = []
        for chunk, states in self._drawn:
            start, stop = max(chunk.start, place.start), min(chunk.stop, place.stop)
            if start < stop:
                with torch.random.fork_rng(devices=states[1]):
                    _restore(states)
                    whole = self._formed(chunk, wanted, operands, weights, gradient)
                pieces.append([one[start - chunk.start : stop - chunk.start] for one in whole])
        return [torch.cat(parts) for parts in zip(*pieces, strict=True)]

    def _formed(
        self, place: slice, wanted: Sequence[int], operands: Sequence[Tensor], weights: Sequence[Tensor], gradient: Tensor
    ) -> list[Tensor]:
        assert self._cast is not None
        device, dtype, enabled = self._cast
        count = place.stop - place.start
        copies = [one.unsqueeze(0).expand(count, *one.shape) for one in weights]
        chosen = [copies[number].requires_grad_() for number in wanted]
        with torch.enable_grad(), torch.autocast(device, dtype=dtype, enabled=enabled, cache_enabled=False):
            result = self._vmapped(self._at(operands, place), copies, shared=False)
        if not result.requires_grad:
            return [torch.zeros_like(one) for one in chosen]
        found = torch.autograd.grad(result, chosen, gradient[place], allow_unused=True)
        return [torch.zeros_like(one) if part is None else part for one, part in zip(chosen, found, strict=True)]

    def _at(self, operands: Sequence[Tensor], place: slice) -> list[Tensor]:
        return [one[place] if batched else one for one, batched in zip(operands, self._batched, strict=True)]

    def _vmapped(self, operands: Sequence[Tensor], weights: Sequence[Tensor], *, shared: bool) -> Tensor:
        """shared -- all examples have the same parameters; else each has a copy, shape (B, *parameter's shape)."""
        in_dims = (*(0 if batched else None for batched in self._batched), *[None if shared else 0] * len(weights))
        try:
            result: Tensor = torch.func.vmap(self._one_example, in_dims=in_dims, randomness="different")(*operands, *weights)
        except (RuntimeError, ValueError, IndexError) as error:
            raise UnsupportedModel(
                f"{self._what!r} on parameter {', '.join(map(repr, self._names))} has no rule and cannot be run one example at a time "
                f"({str(error).splitlines()[0]}). Write it with linear, conv, matmul or elementwise operations."
            ) from None
        return result


def _states(tensors: Sequence[Tensor]) -> States:
    """Return the states of the generators that an operation on these tensors draws from."""
    return torch.get_rng_state(), *get_device_states(*tensors)


def _same(one: States, other: States) -> bool:
    return torch.equal(one[0], other[0]) and all(map(torch.equal, one[2], other[2]))


def _restore(states: States) -> None:
    torch.set_rng_state(states[0])
    set_device_states(states[1], states[2])
