"""The trace: one look at a model on synthetic examples, which finds where the examples lie at every operation on a parameter."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from tacit.errors import ShapeError, UnsupportedModel
from tacit.train.torch.axes import Axis, Change, axis_of, differs, examples_for, replaced, synthetic
from tacit.train.torch.memory import return_freed
from tacit.train.torch.routing import Key, Moved, Routing, Site, Trace, described

_ATTEMPTS = 12
"""Calls without an example can lie behind one another; each attempt finds those that the last one uncovered."""


def trace(
    model: nn.Module, names: Mapping[int, str], args: Any, kwargs: Any, rows: int, run: Callable[..., Any]
) -> tuple[dict[Key, Site | None], list[Axis | None]]:
    """Return where the examples lie at every operation on a trainable parameter, and in each output, when the model is called so.

    args, kwargs -- one batch; tensors whose first dimension is `rows` are replaced by synthetic ones of a few examples.
    run          -- the model's call without the engine's hooks.
    Raises UnsupportedModel when examples influence one another, their axis is ambiguous, or a buffer changes.
    """
    batch = batch_of(args, kwargs, rows)
    examples = examples_for(batch)
    base = {id(one): synthetic(one, examples) for one in batch}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

    def once(
        spread: frozenset[Key], example: int | None, finite: bool = False, plain: Trace | None = None
    ) -> tuple[Trace, list[Tensor]]:
        seen = Trace(rows=examples, spread=spread, poisoned=example, plain=plain)

        def filled(one: Any) -> Any:
            value = base.get(id(one), one)
            return replaced(value, example, finite=finite) if example is not None and id(one) in base else value

        with torch.random.fork_rng(), torch.enable_grad(), Routing(names, sites={}, tape=None, trace=seen):
            torch.manual_seed(0)
            for name, buffer in model.named_buffers():  # each run begins alike
                buffer.detach().copy_(buffers[name])
            try:
                output = run(*tree_map(filled, args), **tree_map(filled, kwargs))
            except (RuntimeError, IndexError, ValueError, TypeError) as error:
                raise _refusal(error, lambda: run(*tree_map(filled, args), **tree_map(filled, kwargs))) from error
        found = [one.detach() for one in tree_leaves(output) if isinstance(one, Tensor) and one.ndim]
        del output  # and with it the graph
        return_freed()
        return seen, found

    try:
        sites = _sites(once, examples)
    finally:
        changed = [name for name, buffer in model.named_buffers() if not torch.equal(buffer, buffers[name])]
        for name, buffer in model.named_buffers():
            buffer.detach().copy_(buffers[name])
    if changed:
        raise UnsupportedModel(
            f"buffer {changed[0]!r} changes while the model runs, which would carry records into the model outside the guarantee. Use a "
            "layer without running statistics, or put it in eval mode: module.eval() (`tacit design fix` will do it, once that command exists)."
        )
    return sites


def _sites(once: Callable[..., tuple[Trace, list[Tensor]]], examples: int) -> tuple[dict[Key, Site | None], list[Axis | None]]:
    spread: frozenset[Key] = frozenset()
    for _ in range(_ATTEMPTS):
        plain, outputs = once(spread, None)
        keys, what = [call.key for call in plain.calls], "the model's output"
        runs: list[tuple[list[Moved], list[Change]]] = []
        for finite, example in itertools.product((False, True), range(examples)):
            seen, found = once(spread, example, finite, plain)
            if len(found) != len(outputs):
                raise UnsupportedModel(
                    "the model's output has more or fewer tensors when one example changes. Return as many for all inputs."
                )
            runs.append((seen.moved, [differs(one, old, what) for one, old in zip(found, outputs, strict=True)]))
        if any([call.key for call in moved] != keys or any(call.operands is None for call in moved) for moved, _ in runs):
            raise UnsupportedModel(
                "the model takes another path through its operations when one example changes, so which gradient belongs to whom is not "
                "known. Let it take one path for all inputs of a shape."
            )
        axes = [axis_of(_either([found[place] for _, found in runs]), what) for place in range(len(outputs))]
        sites, without = _read(plain, [moved for moved, _ in runs], spread)
        if not without:
            return dict.fromkeys(spread) | sites, axes
        spread |= without
    raise UnsupportedModel(
        "the model computes with parameters that no example reaches, layer upon layer. Freeze those that are not trained."
    )


def _read(plain: Trace, runs: list[list[Moved]], spread: frozenset[Key]) -> tuple[dict[Key, Site | None], frozenset[Key]]:
    """Return the sites of a trace, and the calls that turned out to have no example."""
    sites: dict[Key, Site | None] = {}
    without: set[Key] = set()
    for calls in zip(*runs, strict=True):
        key = calls[0].key
        what = described(key)
        inputs = zip(*(one.operands or () for one in calls), strict=True)
        axes = tuple(axis_of(_either(one), f"the input of {what}") for one in inputs)
        result = axis_of(_either([one.output for one in calls if one.output is not None]), f"the result of {what}")
        if key[0] == "derived":
            if result is not None:
                raise UnsupportedModel(
                    f"{key[1]!r} is computed from parameters alone at one call and from examples at another. Write two functions for the two."
                )
            continue
        if result is None:
            without.add(key)
            continue
        if key in spread:
            axes = tuple(result if one is None else one for one in axes)
        site = Site(operands=axes, output=result, spread=plain.ways.get(key))
        if sites.setdefault(key, site) != site:
            raise UnsupportedModel(
                f"{what} is called with the examples in different places ({sites[key]} and {site}), and which is meant is never "
                "guessed. Keep the batch as the first dimension."
            )
    for key in without & sites.keys():
        raise UnsupportedModel(
            f"{described(key)} is called with examples and without. Write the two differently, or freeze the parameter."
        )
    return sites, frozenset(without)


def _either(found: Sequence[Change]) -> list[Change]:
    """Return for each example where a tensor changed when it was replaced, in either way."""
    half = len(found) // 2
    return [one | other for one, other in zip(found[:half], found[half:], strict=True)]


def batch_of(args: Any, kwargs: Any, rows: int) -> list[Tensor]:
    """Return the arguments that hold the batch.

    Raises ShapeError when none does, or when one holds other rows than the batch, whose owners nobody would know.
    """
    tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor) and one.ndim]
    batch = [one for one in tensors if one.shape[0] == rows]
    others = [one for one in tensors if one.shape[0] != rows and (one.shape[0] != 1 or one.is_floating_point())]
    if others or not batch:
        raise ShapeError(
            f"the model was called with tensors of shapes {[tuple(one.shape) for one in tensors]} for a batch of {rows} rows. Whose rows "
            f"are whose is known by their place alone: pass what private.batches() yields, {rows} rows along the first dimension, and keep "
            "constants (masks, position tables) in buffers of the model."
        )
    return batch


def _refusal(error: Exception, plain: Callable[[], Any]) -> Exception:
    """Return the error itself when the model raises it on its own, else a refusal: it cannot be taken apart."""
    with torch._C.DisableTorchFunction():
        try:
            plain()
        except Exception:  # noqa: BLE001 (whatever the model raises by itself)
            return error
    return UnsupportedModel(
        f"the model runs, but not with its operations taken apart by example ({str(error).splitlines()[0] if str(error) else type(error).__name__}). "
        "Write the part that uses the parameter with linear, conv, matmul or elementwise operations, out of place."
    )
