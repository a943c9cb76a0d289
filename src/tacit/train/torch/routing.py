"""Routing: during the forward pass every operation on a trainable parameter goes through its rule.

A TorchFunctionMode sees each call by operation, not by module, so adapters, tied, reused and raw parameters need no registry of
layers. While a model is traced, rules run the plain operation and report what they were given; while it trains, they look up
where the examples lie and put a Function of tacit's own in the operation's place.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from tacit.errors import PrivacyError, UnsupportedModel
from tacit.train.torch.axes import Axis, Change, differs
from tacit.train.torch.tape import Derived, Tape

Key = tuple[Any, ...]
_NUMBER = re.compile(r" #\d+")


Spread = Literal["new", "first", "there"]
"""Along a new first dimension, along a first dimension of size 1, or not at all: it already is as long as the batch."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the examples lie at one call.

    operands -- the Axis of each operand, or None for one that is the same for all; output -- the result's.
    spread   -- for a call without an example (position numbers, say): how each operand is repeated for each of them, by what it looked
                like in the trace; None for all others.
    """

    operands: tuple[Axis | None, ...]
    output: Axis
    spread: tuple["Spread", ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What one operation on a parameter was given and gave in the first run of a trace."""

    key: Key
    operands: tuple[Tensor, ...]
    output: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Where that changed in a run with one example replaced; None where the operands were others."""

    key: Key
    operands: tuple[Change, ...] | None
    output: Change | None


@dataclass(slots=True, eq=False)
class Trace:
    """What one traced run sees. spread -- calls that earlier runs found to have no example.

    poisoned -- the example that is replaced in this run; None in the run that others are compared with.
    plain    -- the run that this one is compared with: it keeps what it saw, all others only where they differ from it.
    """

    rows: int
    spread: frozenset[Key]
    poisoned: int | None
    plain: "Trace | None" = None
    calls: list[Call] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    ways: dict[Key, tuple[Spread, ...]] = field(default_factory=dict)

    @property
    def before(self) -> Call | None:
        """What the run that this one is compared with saw at this place; None beyond its end."""
        place = len(self.moved)
        return self.plain.calls[place] if self.plain is not None and place < len(self.plain.calls) else None

    def note(self, key: Key, operands: tuple[Tensor, ...], output: Tensor) -> None:
        """Remember a call."""
        if self.plain is None:
            self.calls.append(Call(key, tuple(one.detach().clone() for one in operands), output.detach().clone()))
            return
        before = self.before
        if before is None or before.key != key or len(before.operands) != len(operands):
            self.moved.append(Moved(key, None, None))
            return
        what = described(key)
        changes = tuple(differs(one, old, what) for one, old in zip(operands, before.operands, strict=True))
        self.moved.append(Moved(key, changes, differs(output, before.output, what)))


class Routing(TorchFunctionMode):
    """One forward pass: traced, or recorded on a tape.

    names -- id of each trainable parameter and its name. sites -- what the trace found.
    """

    def __init__(
        self, names: Mapping[int, str], *, sites: Mapping[Key, Site | None], tape: Tape | None, trace: Trace | None = None
    ) -> None:
        super().__init__()
        self._names = dict(names)
        self._sites, self._tape, self.trace = sites, tape, trace
        self._kept: list[Tensor] = []  # derived tensors, so that their ids stay theirs
        self._identities: list[tuple[Tensor, int]] = []  # made by torch.eye in this pass, and their versions
        self.rows = tape.rows if tape is not None else trace.rows if trace is not None else 0

    @property
    def tape(self) -> Tape:
        """The tape of a training pass; a trace has none."""
        assert self._tape is not None
        return self._tape

    def name(self, value: Any) -> str | None:
        """Return the name of a trainable parameter, or None for anything else."""
        return self._names.get(id(value)) if isinstance(value, Tensor) else None

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.eye:
            made = func(*args, **kwargs)
            self._identities.append((made, made._version))
            return made
        if self._in_backward or not self._touched(args, kwargs):
            return func(*args, **kwargs)
        from tacit.train.torch.rules.table import RULES, fallback

        if torch._C._functorch.peek_interpreter_stack() is not None:
            raise UnsupportedModel(
                f"{getattr(func, '__name__', func)!r} uses a trainable parameter inside torch.func (vmap, grad, jvp), where which gradient "
                "belongs to whom is not seen. Write the batched operation itself."
            )
        rule = RULES.get(func)
        if rule is not None:
            done = rule(self, *args, **kwargs)
            if done is not NotImplemented:
                return done
        return fallback(self, func, args, kwargs)

    def identity(self, value: Tensor) -> bool:
        """Whether a tensor is an identity matrix, as torch.eye made it: no example is in it, also where others use the same operation."""
        return any(value is one and one._version == version for one, version in self._identities)

    @property
    def _in_backward(self) -> bool:
        """Whether a rule's own backward is running; forwards that checkpointing repeats there have gradients enabled."""
        return self._tape is not None and self._tape.phase == "backward" and not torch.is_grad_enabled()

    def _touched(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        for value in (*args, *kwargs.values()):
            if isinstance(value, Tensor):
                if id(value) in self._names:
                    return True
            elif isinstance(value, list | tuple) and any(isinstance(one, Tensor) and id(one) in self._names for one in value):
                return True
        return False

    def at(self, key: Key, operands: tuple[Tensor, ...]) -> tuple[tuple[Any, ...], tuple[Tensor, ...]]:
        """Return the axes of a call's operands, and the operands, repeated for each example where the call has none.

        Raises PrivacyError for a call that the trace did not see.
        """
        site = self._sites.get(place_of(key))
        if site is None:
            raise PrivacyError(
                f"{described(key)} ran in training but not when the model was traced, so which axis is the example is not known. Let the "
                "model take one path for all inputs of a shape."
            )
        if site.spread is None:
            return site.operands, operands
        return site.operands, tuple(spread(one, self.rows, way) for one, way in zip(operands, site.spread, strict=True))

    def output(self, key: Key) -> Axis:
        """Return the example axis of a call's result."""
        site = self._sites[place_of(key)]
        assert site is not None
        return site.output

    def constant(self, key: Key) -> bool:
        """Whether no example reaches this call: its result is derived from parameters and constants."""
        place = place_of(key)
        return place in self.trace.spread if self.trace is not None else place in self._sites and self._sites[place] is None

    def traced(self, key: Key, operands: tuple[Tensor, ...], run: Callable[..., Tensor], *, copies: bool = False) -> Tensor:
        """Run the plain operation in a trace and remember what it was given and gave.

        copies -- the operation makes one copy of a parameter for each example, along dimension 0.
        """
        assert self.trace is not None
        key = place_of(key)
        if key in self.trace.spread:
            ways = tuple(_way(one, self.rows) for one in operands)
            if self.trace.ways.setdefault(key, ways) != ways:
                raise UnsupportedModel(f"{described(key)} is called with constants of several forms. Give them one form.")
            operands = tuple(spread(one, self.rows, way) for one, way in zip(operands, ways, strict=True))
        output = self._marked(operands, run, run(*operands))
        if copies or key in self.trace.spread:
            output = _poisoned(output, self.trace.poisoned)
        if output.is_complex() or any(one.is_complex() for one in operands):
            raise UnsupportedModel(
                f"{described(key)} computes with complex numbers, for which no rule is exact. Write it with real ones."
            )
        self.trace.note(key, operands, output)
        return output

    def _marked(self, operands: tuple[Tensor, ...], run: Callable[..., Tensor], output: Tensor) -> Tensor:
        """Return the result with NaN wherever a changed operand could show: weights that are zero, or rows that are alike, would hide it."""
        assert self.trace is not None
        before = self.trace.before
        if before is None or not output.is_floating_point():
            return output
        if [one.shape for one in before.operands] != [one.shape for one in operands]:
            return output
        for number, (one, old) in enumerate(zip(operands, before.operands, strict=True)):
            changed = (one != old) | (one != one)
            if one.is_floating_point():
                hidden = run(*operands[:number], one.masked_fill(changed, float("nan")), *operands[number + 1 :]).isnan()
            elif output.shape[: one.ndim] == one.shape:  # indices of a table
                hidden = changed.reshape(*one.shape, *[1] * (output.ndim - one.ndim))
            else:
                continue
            output = output.clone().masked_fill_(hidden, float("nan"))  # laid out in memory as it was: kernels differ by a bit
        return output

    def derive(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operation on parameters (and constants); its result is treated as a parameter, and differentiated through per example.

        Raises UnsupportedModel for an operation in place.
        """
        leaves: dict[str, Tensor] = {}
        flat, shape = tree_flatten((args, kwargs))
        names = [name for name in map(self.name, flat) if name is not None]
        operation = getattr(func, "__name__", str(func))
        refuse_in_place(operation, names)

        def connected(value: Any) -> Any:
            name = self.name(value)
            if name is None or self._tape is None:
                return value
            if name in self._tape.derived:
                leaves.update(self._tape.derived[name].leaves)
                return self._tape.derived[name].value
            leaves[name] = value
            return value

        args, kwargs = tree_unflatten([connected(one) for one in flat], shape)
        with saved_tensors_hooks(_packed, _unpacked):  # checkpointing's would repeat the part, unrouted, at every pass through it
            result = func(*args, **kwargs)
        flat, shape = tree_flatten(result)
        base = f"{operation}({', '.join(_NUMBER.sub('', name) for name in names)})"
        return tree_unflatten([self._cut(one, base, leaves) for one in flat], shape)

    def _cut(self, value: Any, base: str, leaves: dict[str, Tensor]) -> Any:
        """Return a derived tensor as a parameter of its own, cut off from those it was computed from.

        Under no_grad too: checkpointing runs there first, and finds its calls again in backward by their names.
        """
        if not isinstance(value, Tensor) or not (
            value.requires_grad or (value.is_floating_point() and not torch.is_grad_enabled())
        ):
            return value
        if value.is_complex():
            raise UnsupportedModel(f"{base} is complex, for which no rule is exact. Compute with real numbers.")
        if self.trace is not None:
            self.trace.note(("derived", base), (), value)
        leaf = value.detach().requires_grad_(True)
        name = f"{base} #{len(self._kept) if self._tape is None else len(self._tape.derived)}"
        leaf.register_hook(_refuse_ordinary(name))
        self._names[id(leaf)] = name
        self._kept.append(leaf)
        if self._tape is not None:
            self._tape.derived[name] = Derived(value=value, leaves=dict(leaves))
        return leaf


def _packed(saved: Tensor) -> tuple[Tensor, int]:
    """Keep what a derived tensor's gradient needs, as autograd does: cut off, or the graph would hold itself; and its count of edits."""
    return saved.detach(), saved._version


def _unpacked(packed: tuple[Tensor, int]) -> Tensor:
    saved, version = packed
    if saved._version != version:
        raise PrivacyError(
            "a tensor that trained parameters were computed with was edited in place before the backward pass, so its gradient would be that of "
            "another model. Make a new tensor instead."
        )
    return saved


def _refuse_ordinary(name: str) -> Callable[[Tensor | None], None]:
    def refuse(gradient: Tensor | None) -> None:
        if gradient is not None:
            raise PrivacyError(
                f"an ordinary gradient, not clipped per example, arrived at {name!r}, which is computed from parameters: their norms would "
                "miss it. Use the tensor in operations on the examples, not in operations on parameters and examples mixed otherwise."
            )

    return refuse


def _way(operand: Tensor, rows: int) -> Spread:
    first = operand.shape[0] if operand.ndim else None
    return "first" if first == 1 else "there" if first == rows else "new"


def spread(operand: Tensor, rows: int, way: Spread) -> Tensor:
    """Return an operand without examples, such as position numbers, once per example.

    Raises PrivacyError when it no longer looks as it did in the trace.
    """
    if way == "new":
        return operand.unsqueeze(0).expand(rows, *operand.shape)
    if operand.shape[0] != (1 if way == "first" else rows):
        raise PrivacyError(
            f"a constant has {operand.shape[0]} rows for a batch of {rows} examples, which is not what the trace found. Give every batch the "
            "same layout."
        )
    return operand.expand(rows, *operand.shape[1:])


def place_of(key: Key) -> Key:
    """Return a call's key without the numbers of derived tensors, which differ when checkpointing repeats a part."""
    return tuple(_NUMBER.sub("", part) if isinstance(part, str) else part for part in key)


def refuse_in_place(operation: str, names: list[str]) -> None:
    if operation.endswith("_") and not operation.endswith("__"):
        raise UnsupportedModel(
            f"{operation!r} works in place with parameter {names[0]!r}, which overwrites what the gradient needs. Write it out of place."
        )


def _poisoned(output: Tensor, example: int | None) -> Tensor:
    if example is None:
        return output
    output = output.clone()
    output[example] = float("nan")
    return output


def described(key: Key) -> str:
    return f"operation {key[0]!r} on parameter {key[1]!r}"
