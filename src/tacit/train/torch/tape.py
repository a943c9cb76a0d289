"""The tape: what one forward and backward pass over a micro-batch leaves, one record per parameter."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from tacit.errors import PrivacyError
from tacit.train.torch.budget import Budget
from tacit.train.torch.forming import Formed, Forming
from tacit.train.torch.memory import return_freed
from tacit.train.torch.records import Outer, Record, Stored
from tacit.train.torch.rules.embedding import Rows, Tied
from tacit.train.torch.scratch import Scratch

HELD = 72 << 20
"""Bytes of inputs and gradients that convolutions' records were made of before what lies free between them goes back to the system. Their
sizes differ from layer to layer, so that few of the blocks that the backward pass frees fit again."""


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """A tensor computed from parameters alone (`W.t()`, `W * mask`, a parametrization): differentiated through per example.

    value   -- the tensor, still connected to its parameters; leaves -- those parameters by name.
    """

    value: Tensor
    leaves: dict[str, Tensor]


@dataclass(slots=True, eq=False)
class Tape:
    """One micro-batch of `rows` rows, `copies` consecutive rows to each unit of privacy.

    uses    -- how often the forward pass used each parameter: more than once, and norms have cross terms.
    records -- what backward left, by parameter.
    derived -- tensors computed from parameters alone, by the name they were given.
    kept    -- the tensors of the records and their versions: none may be edited between its norm and its sum.
    held    -- bytes that convolutions' records were made of since freed memory last went back to the system.
    """

    rows: int
    copies: int = 1
    budget: Budget = field(default_factory=Budget)
    scratch: Scratch = field(default_factory=Scratch)
    uses: Counter[str] = field(default_factory=Counter)
    records: dict[str, list[Record]] = field(default_factory=dict)
    derived: dict[str, Derived] = field(default_factory=dict)
    phase: Literal["forward", "backward", "closed"] = "forward"
    kept: list[tuple[str, Tensor, int]] = field(default_factory=list)
    held: int = 0

    @property
    def units(self) -> int:
        """Units of privacy in the micro-batch: each has one gradient, clipped as a whole."""
        return self.rows // self.copies

    def use(self, *names: str | None) -> None:
        """Count a use of parameters; forwards that checkpointing repeats during backward are not counted again."""
        if self.phase == "forward" and torch.is_grad_enabled():
            self.uses.update(name for name in names if name is not None)

    def alone(self, name: str) -> bool:
        """Whether the one record of this name is a parameter's whole gradient: used once, and not computed from others."""
        return self.uses[name] == 1 and name not in self.derived

    def outer(self, name: str, left: Tensor, right: Tensor) -> None:
        """Take the gradient of a linear map's weight: left (rows, T, p), right (rows, T, d), for a parameter of shape (p, d)."""
        if self.copies > 1:  # rows of one unit are further positions
            left, right = (one.reshape(self.units, -1, one.shape[2]) for one in (left, right))
        self.receive(Outer(name, left, right, self.scratch))

    def stored(self, name: str, vectors: Tensor, method: str = "stored") -> None:
        """Take gradients that were formed row by row: vectors (rows, k)."""
        if self.copies > 1:
            vectors = vectors.reshape(self.units, self.copies, -1).sum(dim=1)
        self.receive(Stored(name, vectors, method))

    def embedded(self, name: str, tokens: Tensor, gradient: Tensor, vocabulary: int, padding: int | None) -> None:
        """Take the gradient of an embedding: tokens (rows, T), gradient (rows, T, d)."""
        tokens, gradient = tokens.reshape(self.units, -1), gradient.reshape(self.units, -1, gradient.shape[2])
        self.receive(Rows(name, tokens, gradient, vocabulary, padding))

    def receive(self, record: Record) -> None:
        """Keep a record. A parameter's only one is measured at once, while what it needs is in cache.

        Raises PrivacyError outside private.backward.
        """
        if self.phase != "backward":
            raise PrivacyError(
                f"a gradient of {record.name!r} was formed outside private.backward. Each batch is one release: call "
                "private.backward(losses) once in each, and no other backward."
            )
        if self.alone(record.name) and not isinstance(record, Formed):  # which takes a pass of its own, after all others
            record.squared_norms()
        self.records.setdefault(record.name, []).append(record)
        tensors = [one for one in vars(record).values() if isinstance(one, Tensor)]
        tensors += record.watched if isinstance(record, Formed) else ()
        self.kept.extend((record.name, one, one._version) for one in tensors)

    def hold(self, *tensors: Tensor) -> None:
        """Count what a convolution's record was made of, and give back what lies free once it is much: see HELD."""
        self.held += sum(one.nbytes for one in tensors if one.device.type == "cpu")
        if self.held > HELD:
            return_freed()
            self.held = 0

    def close(self, expect: Callable[[bool], None]) -> dict[str, Record]:
        """Return one record per parameter: gradients of derived tensors carried to their parameters, several uses pooled.

        expect -- called with True before and False after gradients are taken at parameters on purpose, per example: by the records too.
        """
        for name, tensor, version in self.kept:
            if tensor._version != version:
                raise PrivacyError(
                    f"what the gradient of {name!r} is made of was edited in place after it was measured, by a hook on a tensor perhaps, so "
                    "its clipping would not hold. Return a new tensor from hooks."
                )
        for name, derived in self.derived.items():
            if name in self.records and not derived.value.requires_grad:
                del self.records[name]  # computed under no_grad: a constant
            elif name in self.records:
                inner = pool(self.records.pop(name), self.units, self.budget)
                for record in _through(derived, inner, self.units, self.budget, expect):
                    self.records.setdefault(record.name, []).append(record)
        found = {name: pool(records, self.units, self.budget) for name, records in self.records.items()}
        self.end()
        return found

    def end(self) -> None:
        """Let go of everything: the graph that the loop still holds leads here, and would keep each batch's gradients alive."""
        self.phase = "closed"
        self.records, self.derived, self.kept = {}, {}, []


def _through(derived: Derived, inner: Record, units: int, budget: Budget, expect: Callable[[bool], None]) -> list[Record]:
    """Return records of the parameters from that of a tensor derived from them: one vector-Jacobian product per example.

    expect -- see Tape.close.
    """
    names, leaves, value = list(derived.leaves), list(derived.leaves.values()), derived.value

    def form(place: slice, wanted: Sequence[int]) -> list[Tensor]:
        outer = inner.gradients(place)
        count, chosen = len(outer), [leaves[number] for number in wanted]
        expect(True)
        try:
            found = torch.autograd.grad(
                value,
                chosen,
                outer.view(count, *value.shape).to(value.dtype),
                is_grads_batched=True,
                retain_graph=True,
                allow_unused=True,
            )
        finally:
            expect(False)
        return [one.new_zeros(count, *one.shape) if part is None else part for one, part in zip(chosen, found, strict=True)]

    forming = Forming(form, leaves, units, budget, beside=value.numel())
    return [Formed(name, "derived", forming, number) for number, name in enumerate(names)]


def pool(records: list[Record], units: int, budget: Budget) -> Record:
    """Return one record for all uses of a parameter in a micro-batch: the gradient of a reused parameter is the sum over its uses."""
    if len(records) == 1:
        return records[0]
    outers = [one for one in records if isinstance(one, Outer)]
    rows = [one for one in records if isinstance(one, Rows)]
    if len(outers) + len(rows) != len(records):
        return _summed(records, units, budget)
    parts: list[Record] = []
    if outers:
        left, right = (torch.cat([getattr(one, side) for one in outers], dim=1) for side in ("left", "right"))
        parts.append(Outer(records[0].name, left, right, outers[0].scratch))
    if rows:
        parts.append(Rows.joined(rows))
    if len(parts) == 1:
        return parts[0]
    outer, embedded = parts
    assert isinstance(outer, Outer)
    assert isinstance(embedded, Rows)
    return Tied(outer, embedded)


def _summed(records: list[Record], units: int, budget: Budget) -> Record:
    """Return one record of uses that have no form in common: their gradients are added up a few examples at a time."""
    for one in records:
        if isinstance(one, Formed):
            one.leave()

    def form(place: slice, _wanted: Sequence[int]) -> list[Tensor]:
        total = records[0].gradients(place)
        for one in records[1:]:
            total = total + one.gradients(place)
        return [total]

    return Formed(records[0].name, "pooled", Forming(form, [records[0].gradients(slice(0, 1))], units, budget))
