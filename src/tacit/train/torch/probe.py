"""The probe: one record of a synthetic batch is replaced, padded and removed; no other example's gradient may move by a bit.

It sees what the trace cannot: coupling in backward passes (hooks on tensors, autograd functions of one's own), in the loss, in
what is done between batch and model. It runs in the mode, dtype and compilation that will train. A detector, not a proof: what
couples examples only at other values than it tries, it does not see.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from tacit.errors import PrivacyError
from tacit.train.torch.axes import TRACED, Axis, replaced, synthetic

Seen = dict[str, Tensor]
Look = Callable[[Tensor], Tensor]
_PIECE = 1 << 18
_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


class Examined(Protocol):
    """What the probe asks of an engine."""

    def examine(self, keep: Tensor, losses_of: Callable[[], Tensor], look: Look) -> tuple[Seen, Seen]:
        """Return what `look` makes of each parameter's gradients, shape (B, k), and the clipped sums, of a synthetic batch; keep nothing.

        keep -- shape (B,), False for padding. losses_of -- runs the model and returns losses of shape (B,).
        """
        ...


def probe(engine: Examined, losses_of: Callable[..., Tensor], tensors: tuple[Tensor, ...], *, whole: bool = True) -> None:
    """Raise PrivacyError when one record of a synthetic batch changes another's gradient, or a sum that it should not be in.

    losses_of -- called with one batch, as the training loop would: returns losses of shape (B,).
    tensors   -- the data, or a batch of it: only the shapes of its rows and its dtypes are used.
    whole     -- False: only the first and the last record, each replaced as a whole (six passes over TRACED examples).
    """
    base = tuple(synthetic(one, TRACED) for one in tensors)
    everyone = torch.ones(TRACED, dtype=torch.bool, device=base[0].device)

    def seen(batch: tuple[Tensor, ...], look: Look, keep: Tensor = everyone) -> tuple[Seen, Seen]:
        with torch.random.fork_rng(), torch.enable_grad():
            torch.manual_seed(0)
            return engine.examine(keep, lambda: losses_of(*(one.clone() for one in batch)), look)

    look: Look = digest
    plain = seen(base, look)[0]
    if not _alike(plain, seen(base, look)[0], slice(None)):  # sums on this device have no fixed order
        look = lengths
        plain = seen(base, look)[0]
    for example in (0, TRACED - 1):
        for what, other in _variants(base, example, fields=whole):
            _compare(plain, seen(other, look)[0], example, what)
        if whole:
            _compare_sums(seen, base, everyone, example)


@contextmanager
def magnified(model: nn.Module, factor: float) -> Iterator[None]:
    """Have a model return larger numbers: behind a hinge rows meet only where their outputs are far enough apart."""

    def larger(_module: nn.Module, _args: Any, output: Any) -> Any:
        return tree_map(lambda one: one * factor if isinstance(one, Tensor) and one.is_floating_point() else one, output)

    handle = model.register_forward_hook(larger)
    try:
        yield
    finally:
        handle.remove()


def digest(gradients: Tensor) -> Tensor:
    """Return a number for each example, shape (B,), that any change of one bit of its gradient changes; zero for no gradient."""
    digests = torch.zeros(len(gradients), dtype=torch.int64, device=gradients.device)
    for start in range(0, gradients.shape[1], _PIECE):
        part = (gradients[:, start : start + _PIECE] + 0.0).contiguous()  # -0.0 is 0.0
        bits = part.view(_BITS[part.element_size()])
        odd = (2 * torch.arange(start, start + bits.shape[1], device=bits.device) + 1).to(bits.dtype)
        digests += (bits * odd).sum(dim=1, dtype=torch.int64)  # products modulo a power of two, in which odd factors lose nothing
    return digests


def lengths(gradients: Tensor) -> Tensor:
    """Return each example's L2 length, shape (B,), float64, in gradient units."""
    found: Tensor = gradients.double().norm(dim=1)
    return found


def probe_call(engine: Examined, model: Callable[..., Any], args: Any, kwargs: Any, rows: int, axes: list[Axis | None]) -> None:
    """Probe a model's call with a fixed loss of its outputs, as long as the user's own is not known.

    args, kwargs -- one call; tensors of `rows` rows hold the batch. axes -- where the examples lie in each output.
    """
    batch = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor) and one.ndim and one.shape[0] == rows]

    def losses_of(*tensors: Tensor) -> Tensor:
        given = dict(zip(map(id, batch), tensors, strict=True))
        output = model(
            *tree_map(lambda one: given.get(id(one), one), args), **tree_map(lambda one: given.get(id(one), one), kwargs)
        )
        outputs = [one for one in tree_leaves(output) if isinstance(one, Tensor) and one.ndim]
        parts = [_projected(one, axis) for one, axis in zip(outputs, axes, strict=True) if axis is not None and one.requires_grad]
        return torch.stack(parts).sum(dim=0) if parts else torch.zeros(TRACED, requires_grad=True)

    probe(engine, losses_of, tuple(batch), whole=False)


def _projected(output: Tensor, axis: Axis) -> Tensor:
    rows = axis.examples_first(output, TRACED).flatten(1)
    weights = torch.cos(torch.arange(rows.shape[1], dtype=rows.dtype, device=rows.device))
    return rows @ weights + rows.square().mean(dim=1)


def _variants(base: tuple[Tensor, ...], example: int, *, fields: bool) -> Iterator[tuple[str, tuple[Tensor, ...]]]:
    """Yield batches in which one record is another: as a whole, then each field alone (features, label, mask, weight, id), then padding."""
    for finite in (True, False):
        others = [replaced(one, example, finite=finite) for one in base]
        yield "replaced" if finite else "made not finite", tuple(others)
        for place in range(len(base)) if fields and len(base) > 1 else ():
            yield (
                f"given another field {place}",
                tuple(o if n == place else b for n, (b, o) in enumerate(zip(base, others, strict=True))),
            )
    if fields:
        padded = [one.clone() for one in base]
        for one in padded:
            one[example] = 0
        yield "padded", tuple(padded)


def _compare(plain: Seen, found: Seen, example: int, what: str) -> None:
    others = [place for place in range(TRACED) if place != example]
    for name in plain.keys() | found.keys():
        one, other = ({name: side[name]} if name in side else {} for side in (plain, found))
        if not _alike(one, other, others):
            raise PrivacyError(
                f"one record was {what}, and another record's gradient of {name!r} moved, so clipping one record would not bound its "
                "influence. Look for what is shared within a batch: a hook on a tensor, an autograd function of your own, a loss with a "
                "batch-wide normalizer, in-batch negatives, a batch mean taken before the model. Compute each loss from its own row alone "
                "(`tacit design fix` will replace the layers it knows, once that command exists)."
            )


def _alike(one: Seen, other: Seen, rows: Any) -> bool:
    """Whether two looks at the gradients agree for these rows; a parameter that is not there had no gradient."""
    for name in one.keys() | other.keys():
        present = one.get(name, other.get(name))
        assert present is not None
        first, second = (side.get(name, torch.zeros_like(present))[rows] for side in (one, other))
        if present.is_floating_point():
            if not torch.allclose(first, second, rtol=1e-4, atol=1e-6, equal_nan=True):
                return False
        elif not torch.equal(first, second):
            return False
    return True


def _compare_sums(seen: Any, base: tuple[Tensor, ...], everyone: Tensor, example: int) -> None:
    """A removed record leaves nothing in the sums, whatever it holds; nor does one whose gradient is not finite."""
    removed = everyone.clone()
    removed[example] = False
    broken = tuple(replaced(one, example) for one in base)
    without = seen(base, lengths, removed)[1]
    measured, spoiled = seen(broken, lengths)
    sums = [("removed", seen(broken, lengths, removed)[1])]
    if not all(math.isfinite(float(one[example])) for one in measured.values()):
        sums.append(("made not finite", spoiled))
    for what, found in sums:
        for name, total in without.items():
            if not torch.allclose(total, found[name], rtol=1e-6, atol=0):
                raise PrivacyError(
                    f"one record was {what}, and yet the sum of {name!r} depends on it, so it would reach the model. The fault is not in your "
                    "model: please report it."
                )
