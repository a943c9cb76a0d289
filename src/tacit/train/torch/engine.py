"""The engine: exact per-example norms, the clipped sum, the noise. It knows one model and one plan, and no data."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tacit.errors import PrivacyError, ShapeError
from tacit.noise.grid import GridVector, clip_target
from tacit.noise.source import Source
from tacit.train.plan import Plan
from tacit.train.torch.attach import check_model, check_optimizer
from tacit.train.torch.taps import Tape, TapMode, clipped_sum


class Engine:
    """Turns losses into a private update of one model.

    A logical batch is one or more micro-batches: `start`, then `accumulate` for each, then `release` once, which puts
    (clipped sum + noise) / batch_size into the parameters' .grad. The denominator is public, whatever was drawn.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, plan: Plan, source: Source) -> None:
        self.parameters = check_model(model)
        check_optimizer(optimizer, model)
        self._model, self._plan, self._source = model, plan, source
        self._names = {id(parameter): name for name, parameter in self.parameters.items()}
        self._sums = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in self.parameters.items()}
        self._keep: Tensor | None = None  # which rows of the micro-batch are real; None outside one
        self._tape: Tape | None = None
        self._mode: TapMode | None = None
        self._output: Tensor | None = None
        self._handles = [
            model.register_forward_pre_hook(self._enter),
            model.register_forward_hook(self._leave, always_call=True),
        ]
        self._guards = [parameter.register_hook(self._guard(name)) for name, parameter in self.parameters.items()]

    def detach(self) -> None:
        """Give the model back as it was, without hooks or gradients."""
        for handle in (*self._handles, *self._guards):
            handle.remove()
        for parameter in self.parameters.values():
            parameter.grad = None

    def start(self, keep: Tensor) -> None:
        """Begin a micro-batch; keep has shape (B,), True for real rows and False for padding."""
        self._keep, self._tape, self._output = keep, None, None
        for parameter in self.parameters.values():
            parameter.grad = None

    def accumulate(self, losses: Tensor) -> None:
        """Run the one backward pass and add the clipped gradients of the real rows.

        losses -- shape (B,), one per example, from the model's output on this micro-batch.
        Raises ShapeError for a scalar or another shape; PrivacyError when examples influence one another, an ordinary
        gradient arrives at a parameter, or (UnsupportedModel too) the model is no longer what was attached.
        """
        if self._keep is None:
            raise PrivacyError(
                "private.backward was called outside a batch. Iterate over private.batches() and call it once in each."
            )
        if self._tape is None:
            raise PrivacyError(
                "private.backward was called, but the model did not run on this batch. Compute losses from private.model(x)."
            )
        if not losses.requires_grad:
            raise PrivacyError(
                "the losses carry no gradient: the model ran under no_grad, or its output was detached. Nothing would train."
            )
        if losses.shape != self._keep.shape:
            raise ShapeError(
                f"losses must have shape ({len(self._keep)},), one per example, got {tuple(losses.shape)}. "
                'A batch-wide loss hides who contributed what: pass reduction="none" to the loss function.'
            )
        self._refuse_changed()
        if self._output is not None:
            coins = torch.from_numpy((self._source.uniform_words(len(losses)) & 1).astype(np.float64))
            _refuse_coupled(losses, self._output, 2 * coins.to(losses) - 1)
        torch.where(self._keep, losses, 0.0).sum().backward()
        clipped_sum(self._tape, self._keep, clip_target(self._plan.clip_norm), self._sums)
        self._keep = None

    def release(self) -> None:
        """Round the sum to the grid, add the noise, and hand (sum + noise) / batch_size to the parameters as .grad."""
        total = torch.cat([one.flatten() for one in self._sums.values()]).cpu().numpy()
        noisy = self._plan.mechanism.release(GridVector.from_sum(total, self._plan.clip_norm), self._source)
        update = torch.from_numpy(np.asarray(noisy.values) / self._plan.batch_size)
        offset = 0
        for name, parameter in self.parameters.items():
            piece = update[offset : offset + parameter.numel()].view_as(parameter)
            parameter.grad = piece.to(dtype=parameter.dtype, device=parameter.device)
            offset += parameter.numel()
            self._sums[name].zero_()

    def _enter(self, _module: nn.Module, _args: Any) -> None:
        if self._keep is None or not torch.is_grad_enabled():
            return
        if {id(parameter) for parameter in self._model.parameters()}.isdisjoint(self._names):
            raise PrivacyError(
                "the model runs with other parameters in place of its own (functional_call). Run the model itself."
            )
        if self._tape is not None:
            raise PrivacyError(
                "the model ran twice on one batch, so a record could count twice. Run it once and reuse its output."
            )
        self._tape = Tape.of(len(self._keep), self._keep.device)
        self._mode = TapMode(self._names, self._tape)
        self._mode.__enter__()

    def _leave(self, _module: nn.Module, _args: Any, output: Any) -> None:
        if self._mode is not None:
            self._mode.__exit__(None, None, None)
            self._mode, self._output = None, output

    def _refuse_changed(self) -> None:
        """Raise when the model is no longer what was attached; whatever was added since is not tapped."""
        now = check_model(self._model, own=frozenset(handle.id for handle in self._handles))
        if {name: id(parameter) for name, parameter in now.items()} != {name: id(p) for name, p in self.parameters.items()}:
            raise PrivacyError(
                "the model's trainable parameters changed after make_private, so some would train unclipped. Attach again."
            )

    def _guard(self, name: str) -> Callable[[Tensor | None], None]:
        def refuse(gradient: Tensor | None) -> None:
            if gradient is None:  # a tap's answer: nothing arrives
                return
            raise PrivacyError(
                f"an ordinary gradient, not clipped per example, arrived at parameter {name!r} ({_call_site()}). It would carry records "
                "into the model outside the guarantee. Call the model itself, keep parameters out of the loss, and use weight_decay "
                "of the optimizer instead of a penalty."
            )

        return refuse


def _refuse_coupled(losses: Tensor, output: Tensor, signs: Tensor) -> None:
    """Raise PrivacyError when a loss depends on another example's output.

    signs -- shape (B,): 1 or -1 by independent coins. With independent losses, flipping the sign of some flips the gradients
    of exactly those rows; two coupled rows escape when their coins agree, so with probability 1/2 in one batch.
    A detector, not a proof: what is detached from the graph it cannot see.
    """
    plain, flipped = (
        torch.autograd.grad(losses, output, weights, retain_graph=True)[0] for weights in (torch.ones_like(losses), signs)
    )
    expected = plain * signs.view(-1, *[1] * (plain.ndim - 1))
    if not torch.allclose(flipped, expected, rtol=1e-4, atol=1e-30, equal_nan=True):
        raise PrivacyError(
            "one example's loss depends on another example's output, so clipping one record does not bound its influence. "
            "Compute each loss from its own row alone; take batch-wide normalizers and in-batch negatives out of the loss."
        )


def _call_site() -> str:
    here = str(Path(__file__).parents[2])
    outside = [f for f in traceback.extract_stack() if not f.filename.startswith(here) and "torch" not in Path(f.filename).parts]
    return f"at {outside[-1].filename}:{outside[-1].lineno}" if outside else "call site unknown"
