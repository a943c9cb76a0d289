"""The engine: exact per-example norms, the clipped sum, the noise. It knows one model and one plan, and no data."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves

from tacit.errors import PrivacyError, ShapeError, TacitError
from tacit.noise.source import Source
from tacit.train.clipping import QuantileTracker
from tacit.train.plan import Plan
from tacit.train.torch.attach import check_model, check_optimizer, state_of
from tacit.train.torch.axes import TRACED, Axis
from tacit.train.torch.budget import DEFAULT_BYTES, Budget
from tacit.train.torch.clipping import clips, layer_of
from tacit.train.torch.coupling import refuse_coupled
from tacit.train.torch.guards import guard, held_by, refuse_foreign, refuse_moved
from tacit.train.torch.memory import return_freed
from tacit.train.torch.outputs import Output
from tacit.train.torch.probe import probe_call
from tacit.train.torch.processes import Alone, Processes, SharedReleaser, weights_of
from tacit.train.torch.records import Record, blocks
from tacit.train.torch.release import Releaser
from tacit.train.torch.routing import Key, Routing, Site
from tacit.train.torch.scratch import Scratch
from tacit.train.torch.sums import RunningSum
from tacit.train.torch.tape import Tape
from tacit.train.torch.trace import batch_of, trace

_PROBED, _PROBED_LATER = 4, 32
"""Losses of the first batches are all probed for coupling, later ones with probability 1 in 32 (it costs a backward of the loss)."""


_LOOKED = 1 << 20
"""Values of per-example gradients that are looked at together."""


class Engine:
    """Turns losses into a private update of one model.

    A logical batch is one or more micro-batches: `start`, then `accumulate` for each, then `release` once, which puts
    (clipped sum + noise) / batch_size into the parameters' .grad. The denominator is public, whatever was drawn.

    averaged   -- losses of a unit are divided by it: K for K augmentations of every row, whose gradients are averaged before clipping.
    keep_bytes -- most bytes of per-example gradients kept between norms and sum.
    processes  -- those that share each logical batch.
    methods    -- (parameter, record, method) of the last micro-batch: how each norm and sum was formed.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        plan: Plan,
        source: Source,
        *,
        averaged: int = 1,
        keep_bytes: int = DEFAULT_BYTES,
        processes: Processes | None = None,
    ) -> None:
        self._processes = Alone() if processes is None else processes
        check_optimizer(optimizer, model)
        self._optimizer, self._held = optimizer, held_by(optimizer)
        self._weights = weights_of(model)
        self._weights.gather()
        try:
            self.parameters = check_model(model)
        except BaseException:
            self._weights.end()
            raise
        self._model, self._plan, self._source = model, plan, source
        self._names = {id(parameter): name for name, parameter in self.parameters.items()}
        self._sums = {name: RunningSum(parameter) for name, parameter in self.parameters.items()}
        self._noising, self._tracker = plan.noising(source), plan.tracker(source)
        self._layers = list(dict.fromkeys(layer_of(name) for name in self.parameters))
        self._lengths: list[Tensor] = []  # of the gradients of this logical batch, for a clip norm that adapts
        self._releaser: Releaser | SharedReleaser
        if self._processes.count == 1 and self._weights.whole:
            self._releaser = Releaser(list(self.parameters.values()), list(self._sums.values()), self._noising)
        else:
            self._releaser = SharedReleaser(self.parameters, self._sums, self._noising, self._processes, self._weights)
        self._keep: Tensor | None = None  # which units of the micro-batch are real; None outside one
        self._tape: Tape | None = None
        self._mode: Routing | None = None
        self._outputs: list[Output] = []
        self._traced: dict[Any, tuple[dict[Key, Site | None], list[Axis | None]]] = {}
        self._probed: set[Any] = set()  # the forms of calls whose probe passed, or runs
        self._tracing = False
        self._expected = False  # gradients at parameters are being taken per example, on purpose
        self._batches = 0
        self._averaged = averaged
        self._budget, self._scratch = Budget(keep_bytes), Scratch()
        self.methods: list[tuple[str, str, str]] = []
        self._handles = [
            model.register_forward_pre_hook(self._enter, with_kwargs=True),
            model.register_forward_hook(self._leave, always_call=True),
        ]
        self._guards = [
            parameter.register_hook(guard(name, lambda: self._expected)) for name, parameter in self.parameters.items()
        ]

    def detach(self) -> None:
        """Give the model back as it was, without hooks or gradients."""
        for handle in (*self._handles, *self._guards):
            handle.remove()
        self._weights.end()

    @property
    def traced(self) -> bool:
        """Whether a way of calling the model is known."""
        return bool(self._traced)

    def trace(self, *args: Any, **kwargs: Any) -> Exception | None:
        """Find out where the examples lie when the model is called like this; tensors have TRACED rows.

        Returns the error of its own that the model raises: the loop may call it in another way, which the first batch shows. Raises
        UnsupportedModel when the model cannot be trained exactly, and whatever its probe raises: a form that was not probed does not
        count as known.
        """
        self._weights.gather()
        try:
            self._form(args, kwargs, TRACED)
        except TacitError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever a model raises that misses an argument)
            return error
        self._sites(args, kwargs, TRACED)
        return None

    def rest(self) -> None:
        """Keep only this process's pieces of weights that fully_shard cuts, as between two steps."""
        self._weights.scatter()

    def start(self, keep: Tensor, rows: Tensor | None = None) -> None:
        """Begin a micro-batch.

        keep -- shape (B,), bool: True for real units, False for padding.
        rows -- shape (B, R), bool: which of a unit's R consecutive rows are real; one row each by default.
        """
        self._keep, self._rows = keep, keep.unsqueeze(1) if rows is None else rows & keep.unsqueeze(1)
        self._forget()
        self._weights.gather()
        for parameter in (*self.parameters.values(), *self._weights.held.values()):
            parameter.grad = None

    def abandon(self) -> None:
        """Forget what an interrupted logical batch has added: its units are drawn anew, and would count twice."""
        self._lengths, self._keep = [], None
        self._forget()
        for one in self._sums.values():
            one.forget()

    def _forget(self) -> None:
        """Let go of the last micro-batch, whether it came to its end or broke off."""
        if self._tape is not None:
            self._tape.end()
        self._tape, self._outputs = None, []

    def accumulate(self, losses: Tensor) -> None:
        """Run the one backward pass and add the clipped gradients of the real units.

        losses -- shape (B * copies,), one per row, from the model's output on this micro-batch.
        Raises ShapeError for a scalar or another shape; PrivacyError when examples influence one another, an ordinary
        gradient arrives at a parameter, or (UnsupportedModel too) the model is no longer what was attached.
        """
        keep, tape = self._checked(losses)
        self._refuse_changed()
        refuse_moved(self._model, self._state)
        refuse_foreign(losses, self._names)
        self._probe(losses)
        with _exact(losses.device.type):
            records = self._records(losses, tape)
            refuse_moved(self._model, self._state)  # hooks on tensors run in backward
            with torch.no_grad():
                self._add(records, keep)
        self.methods = [(name, type(one).__name__, one.method) for name, one in records.items()]
        self._keep = None
        self._forget()

    def examine(
        self, keep: Tensor, losses_of: Callable[[], Tensor], look: Callable[[Tensor], Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return what `look` makes of each parameter's gradients, shape (B, k), and the clipped sums, of a synthetic batch; keep nothing.

        keep -- shape (B,), False for padding. losses_of -- runs the model and returns losses of shape (B,).
        """
        fields = ("_keep", "_rows", "_tape", "_outputs", "_sums", "_lengths", "_latest", "_axes", "_state")
        before = {name: getattr(self, name) for name in fields if hasattr(self, name)}
        held = [*self.parameters.values(), *self._weights.held.values()]
        updates = [one.grad for one in held]  # paid for, where the optimizer has not stepped yet
        self._sums = {name: RunningSum(parameter) for name, parameter in self.parameters.items()}
        self._lengths, self._tape = [], None
        try:
            self.start(keep)
            with torch.compiler.set_stance("force_eager"):
                losses = losses_of()
            _, tape = self._checked(losses)
            refuse_moved(self._model, self._state)
            refuse_foreign(losses, self._names)
            with _exact(losses.device.type):
                records = self._records(losses, tape)
                refuse_moved(self._model, self._state)
                with torch.no_grad():
                    gradients = {name: self._looked(one, look) for name, one in records.items()}
                    self._add(records, keep)
            return gradients, {name: one.take() for name, one in self._sums.items()}
        finally:
            for name, value in before.items():
                setattr(self, name, value)
            for one, update in zip(held, updates, strict=True):
                one.grad = update

    def _looked(self, record: Record, look: Callable[[Tensor], Tensor]) -> Tensor:
        """Look at every example's gradient, few at a time where they are large."""
        assert self._keep is not None
        places = blocks(len(self._keep), max(1, _LOOKED // self.parameters[record.name].numel()))
        return torch.cat([look(record.gradients(place)) for place in places])

    def _records(self, losses: Tensor, tape: Tape) -> dict[str, Record]:
        """Run the one backward pass and return what it left of each parameter."""
        tape.phase = "backward"
        with Routing(self._names, sites=self._latest, tape=tape):  # for forwards that checkpointing repeats
            _backward(torch.where(self._rows.flatten(), losses, 0.0).sum().div(self._averaged))
        with torch.no_grad():
            return tape.close(self._expect)

    def _checked(self, losses: Tensor) -> tuple[Tensor, Tape]:
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
        self.refuse_edited()
        if losses.shape != (self._tape.rows,):
            raise ShapeError(
                f"losses must have shape ({self._tape.rows},), one per example, got {tuple(losses.shape)}. "
                'A batch-wide loss hides who contributed what: pass reduction="none" to the loss function, then sum or average each example\'s own, '
                'or declare how it was reduced: private.backward(loss, reduction="mean"). `private.check(...)` before the loop tries this at no cost.'
            )
        return self._keep, self._tape

    def _probe(self, losses: Tensor) -> None:
        self._batches += 1
        if self._batches > _PROBED and int(self._source.uniform_words(1)[0]) % _PROBED_LATER:
            return
        if any(one.edge is not None for one in self._outputs):
            coins = torch.from_numpy((self._source.uniform_words(len(losses)) & 1).astype(np.bool_))
            refuse_coupled(losses, self._outputs, coins.to(losses.device))

    def _add(self, records: dict[str, Record], keep: Tensor) -> None:
        """Add the clipped gradients of a micro-batch to the running sums."""
        if not records:  # no gradient reached a parameter: every unit's is zero
            if self._tracker is not None:
                self._lengths.append(torch.zeros(int(keep.sum()), dtype=torch.float64))
            return
        squared = {name: record.squared_norms() for name, record in records.items()}
        found, lengths = clips(self._plan.clipping_rule, self.clip_norm, squared, keep, self._layers)
        if self._tracker is not None:
            self._lengths.append(lengths[keep])
        for name, record in records.items():
            record.add_to(self._sums[name], found[name])

    @property
    def clip_norm(self) -> float:
        """The present clip norm; public."""
        return self._plan.clip_norm if self._tracker is None else self._tracker.clip_norm

    def release(self) -> None:
        """Round the sum to the grid, add the noise, and hand (sum + noise) / batch_size to the parameters as .grad."""
        self._releaser.release(self.clip_norm, self._plan.batch_size)
        if self._tracker is not None:
            self._tracker.clip_norm = self._moved(self._tracker)
        self._lengths = []

    def _moved(self, tracker: QuantileTracker) -> float:
        """Return the next clip norm, moved once for all processes."""
        lengths = self._processes.gathered(torch.cat(self._lengths).cpu().numpy() if self._lengths else np.zeros(0))
        return self._processes.from_first(lambda: tracker.update(lengths))

    def without_noise(self) -> dict[str, Tensor]:
        """Take the clipped sums of the logical batch by parameter, unprotected: for tests and measurements. Valid until the next batch."""
        self._lengths = []
        return {name: one.take() for name, one in self._sums.items()}

    def state(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint keeps besides model and optimizer: the noise's memory and the clip norm."""
        found = {f"noise.{name}": value for name, value in self._noising.state().items()}
        if self._tracker is not None:
            found |= {f"clip.{name}": value for name, value in self._tracker.state().items()}
        return found

    def restore(self, state: dict[str, NDArray[Any]], *, lost_steps: int) -> None:
        """Go on from a checkpoint; lost_steps -- steps that the ledger counts after it."""
        noise = {name.removeprefix("noise."): value for name, value in state.items() if name.startswith("noise.")}
        self._noising.restore(noise, lost_steps=lost_steps)
        if self._tracker is not None:
            self._tracker.restore({name.removeprefix("clip."): one for name, one in state.items() if name.startswith("clip.")})

    def _enter(self, _module: nn.Module, args: Any, kwargs: Any) -> None:
        if self._keep is None or self._tracing or not torch.is_grad_enabled():
            return
        if self._tape is not None and self._tape.phase == "backward":  # checkpointing repeats the model: accumulate routes it
            return
        if not set(self._names) <= {id(parameter) for parameter in self._model.parameters()}:
            raise PrivacyError(
                "the model runs with other parameters in place of its own (functional_call). Run the model itself."
            )
        if self._tape is not None:
            raise PrivacyError(
                "the model ran twice on one batch, so a record could count twice. Run it once and reuse its output."
            )
        rows = self._rows.numel()
        self._latest, self._axes = self._sites(args, kwargs, rows)
        self._budget.start(rows)
        self._tape = Tape(rows=rows, copies=self._rows.shape[1], budget=self._budget, scratch=self._scratch)
        self._state = state_of(self._model)
        self._mode = Routing(self._names, sites=self._latest, tape=self._tape)
        self._mode.__enter__()

    def _leave(self, _module: nn.Module, _args: Any, output: Any) -> None:
        if self._mode is None:
            return
        self._mode.__exit__(None, None, None)
        self._mode = None
        if output is None:  # the model raised an error
            return
        tensors = [one for one in tree_leaves(output) if isinstance(one, Tensor)]
        self._outputs = [Output.of(one, axis) for one, axis in zip([one for one in tensors if one.ndim], self._axes, strict=True)]
        self._outputs += [Output.of(one, None) for one in tensors if not one.ndim]  # of the whole batch

    def _sites(self, args: Any, kwargs: Any, rows: int) -> tuple[dict[Key, Site | None], list[Axis | None]]:
        """Return where the examples lie for calls of this form: traced and probed once for each, again after a probe that failed."""
        key = self._form(args, kwargs, rows)
        if key not in self._probed:
            self._probed.add(key)  # the probe makes such calls itself
            try:
                probe_call(self, self._model, args, kwargs, rows, self._traced[key][1])
            except BaseException:
                self._probed.discard(key)
                raise
            return_freed()
        return self._traced[key]

    def _form(self, args: Any, kwargs: Any, rows: int) -> Any:
        """Return by what name a call of this form is known, when it has been traced."""
        batch_of(args, kwargs, rows)
        flat, shape = tree_flatten((args, kwargs))
        form = tuple((one.ndim, one.dtype, tuple(one.shape[1:])) if isinstance(one, Tensor) else repr(one) for one in flat)
        key = (str(shape), form, tuple(module.training for module in self._model.modules()))
        if key not in self._traced:
            self._tracing = True
            try:
                with torch.compiler.set_stance("force_eager"):  # compiled code hides its operations
                    self._traced[key] = trace(self._model, self._names, args, kwargs, rows, self._model)
            finally:
                self._tracing = False
        return key

    def _refuse_changed(self) -> None:
        """Raise when the model is no longer what was attached; whatever was added since is not tapped."""
        now = check_model(self._model, own=frozenset(handle.id for handle in self._handles))
        if {name: id(parameter) for name, parameter in now.items()} != {name: id(p) for name, p in self.parameters.items()}:
            raise PrivacyError(
                "the model's trainable parameters changed after make_private, so some would train unclipped. Attach again."
            )
        if held_by(self._optimizer) != self._held:
            raise PrivacyError(
                "the optimizer's parameters changed after make_private; it would move what no noise was added to. Attach again."
            )

    def refuse_edited(self) -> None:
        """Raise when the loop edited the model's output in place: what it did before the loss would not be tried for coupling.

        By torch's count of edits: through `.data`, NumPy or DLPack none is counted and nothing is raised. `PrivateTraining.check`, and `fit`
        by itself, run the loop's code on synthetic rows, where such an edit that mixes rows shows.
        """
        if any(one.edited for one in self._outputs):
            raise PrivacyError(
                "the model's output was edited in place before private.backward, where rows could meet unseen. Make a new tensor: "
                "out = out - shift in place of out -= shift."
            )

    def _expect(self, expected: bool) -> None:
        self._expected = expected


@contextmanager
def _exact(device: str) -> Iterator[None]:
    """Form norms and sums in the arithmetic of the proof, whatever the loop has switched on: no autocast, no TF32 or bf16 products."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _backward(total: Tensor) -> None:
    """Run total.backward() with the modes left on: torch.autograd.backward turns them off, and checkpointing repeats forwards in it."""
    run = torch.autograd.Variable._execution_engine.run_backward
    run((total,), (torch.ones_like(total),), False, False, (), allow_unreachable=True, accumulate_grad=True)
