"""`make_private`: an ordinary training loop becomes a private one by one call."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tacit.errors import ConfigError, PrivacyError, RunError, TacitError
from tacit.noise.source import OsSource, SeededSource, Source
from tacit.privacy.ledger import Ledger, Reservation
from tacit.train.clipping import Clipping
from tacit.train.paying import Payment
from tacit.train.plan import Plan
from tacit.train.torch.asking import check_kinds, plan_asked, refuse_taken, tensors_of, unpaid
from tacit.train.torch.budget import DEFAULT_BYTES
from tacit.train.torch.engine import Engine
from tacit.train.torch.keeper import Keeper, Kept
from tacit.train.torch.memory import memory_for
from tacit.train.torch.probe import magnified, probe
from tacit.train.torch.processes import processes_here
from tacit.train.torch.processes.settings import settings_of
from tacit.train.torch.reduction import Reduction, by_row, refuse_untried
from tacit.train.torch.rows import check_data, check_sum, rows_of, units_together
from tacit.train.torch.stepping import Stepping
from tacit.train.torch.trial import Trial
from tacit.train.trainer import Checkpoints, purpose_of
from tacit.train.users import UserRows

_MAGNIFIED = 32.0
"""How many times larger outputs a reduced loss is tried with, too."""


class PrivateTraining:
    """A model in private training: what to iterate over, and the one backward pass.

    model     -- the user's own module: same class, same state-dict keys.
    optimizer -- the user's own, made from model.parameters().
    plan      -- sampler, noise and price.
    step      -- steps released so far. counted -- steps counted as spent, those lost in a kill included.
    real      -- shape (B,), bool: which rows of the present micro-batch are no padding. A secret of the run.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        tensors: tuple[Tensor, ...],
        plan: Plan,
        *,
        pay: Payment | Callable[[], Reservation],
        source: Source,
        owners: NDArray[np.int64] | None = None,
        augmentations: int = 1,
        max_physical_batch: int | None = None,
        keep_bytes: int = DEFAULT_BYTES,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        check_data(tensors, plan, owners, augmentations)
        dimension = trainable_size(model)
        if dimension > plan.parameters:
            raise ConfigError(
                f"the model has {dimension} trained values, and the plan was priced for {plan.parameters}: each draws noise "
                "whose missing tail counts in delta. Solve the plan with parameters = the model's size."
            )
        self.model, self.optimizer, self.plan = model, optimizer, plan
        self.step = self.counted = 0
        self.real = torch.zeros(0, dtype=torch.bool)
        self._source = source
        self._until = plan.steps  # the last step that is paid for
        self._tensors, self._pay, self.augmentations = tensors, pay, augmentations
        self._users = None
        units = len(tensors[0])
        if owners is not None and plan.rows_per_user is not None:
            self._users = UserRows(owners, users=plan.n, rows_per_user=plan.rows_per_user, source=source)
            units = plan.n
        self._processes = processes_here()
        self._processes.begin(
            model, lambda: settings_of(model, tensors, plan, owners, augmentations, max_physical_batch, checkpoints), source
        )
        self._engine = Engine(
            model, optimizer, plan, source, averaged=augmentations, keep_bytes=keep_bytes, processes=self._processes
        )
        self._stepping = Stepping(optimizer)
        try:
            self._attach(units, max_physical_batch, checkpoints)
        except BaseException:
            self._detach()
            raise

    def _attach(self, units: int, max_physical_batch: int | None, checkpoints: Checkpoints | None) -> None:
        """Refuse what cannot be trained, and get ready; units -- in the data set."""
        plan, dimension = self.plan, trainable_size(self.model)
        self._sampler = plan.sampler(self._source, size=units)
        self._units = units_together(
            units * plan.probability / self._processes.count,
            dimension,
            rows=self.augmentations * (plan.rows_per_user or 1),
            limit=max_physical_batch,
            padded=plan.probability < 1 and next(self.model.parameters()).device.type == "cpu",
        )
        check_sum(plan, dimension, units=units, processes=self._processes.count)
        self._begun = False  # batches() was entered and paid for
        self._tried: set[str] = set()  # the reductions that `check` saw
        self._waiting = False  # a micro-batch was handed out and its backward has not run
        self._last = False  # it is the last of its batch
        self._trial = Trial(self._engine, self.model, self._tensors[0])
        self._engine.rest()
        self._saved = -1  # the step of the newest checkpoint
        self._keeper: Keeper | None = None
        if checkpoints is not None:
            self._keeper = self._keeping(checkpoints)

    def batches(self) -> Generator[tuple[Tensor, ...], None, None]:
        """Yield padded micro-batches, each tensor of shape (B, ...).

        The whole block is paid for, durably, before the first; every step is counted before its units are drawn. An empty
        draw is a batch of padding: its noise is released all the same. A draw larger than one micro-batch takes several,
        and .grad stays empty until the last, so that optimizer.step() does nothing before. With users as units, B is users times
        rows_per_user, one user's rows next to one another; with augmentations, every row stands that many times in a row, to be
        altered by the loop as it likes, and the gradients of its copies are averaged before clipping. Checkpoints are written
        between two batches, when the loop has done all it does for a step. Several processes each yield their share of the units, in
        equally many micro-batches; the first of them pays.
        Raises BudgetExceeded, with the ledger unchanged and no row read, when the budget does not hold the plan; ConfigError when the
        model could not take the rows, or the request id is taken; RunError when a checkpoint or block is there that is not this run's,
        or the batches of this training were begun before.
        """
        first = self._processes.from_first
        if self._begun:
            raise RunError(
                "the batches of this training were begun before. Its sampler and noise stand where that loop broke off, and a checkpoint's would "
                "be put in their place a second time. Keep one batches() for the whole run, or build model, optimizer and training anew: "
                "with checkpoints, the same make_private call goes on from the last one."
            )
        with ExitStack() as paid, torch.compiler.set_stance("force_eager"):  # compiled code hides its operations
            self._trial.refuse_failed()
            reservations: list[Reservation] = []  # of the first process
            first(self.plan.refuse_underpriced)
            if begun := self._begins():
                self.checkpoint()
            first(lambda: reservations.append(paid.enter_context(self._paid(begun))))
            self._begun = True
            self._go_on(claimed=first(lambda: self._counted(reservations[0])))
            self.checkpoint()
            while (drawn := first(lambda: self._next(reservations[0]))) is not None:
                self._engine.abandon()  # what a loop that was broken off in the middle of a step has left
                pieces = self._pieces(drawn)
                for number, lines in enumerate(pieces, 1):
                    self._last, self._waiting = number == len(pieces), True
                    yield self._micro_batch(lines)
                    if self._waiting:
                        raise PrivacyError(
                            "private.backward(losses) did not run on the last batch. Call it exactly once in each."
                        )
                self.checkpoint()

    def backward(self, losses: Tensor, *, reduction: Reduction | None = None) -> None:
        """Run the backward pass of this micro-batch; on the last of a batch, put (clipped sum + noise) / batch_size into .grad.

        losses    -- shape (B,): one per row, padding included (it is masked). Or a scalar, with its reduction declared.
        reduction -- "mean" or "sum": how the scalar was made of all B rows' losses, padding included. The update is that of the losses
                     by row. `check` must have seen the loss before, with the same reduction; that it is the same loss is the loop's promise.
                     Refused where it shows: class weights or ignore_index in a mean, a division after the reduction, a penalty on
                     parameters, rows that meet in the loss (by its second derivative, in the first batches and some later ones).
                     What leaves no trace in a loss is not: a weight of rows that is computed from all labels or masks (1 / words in the
                     batch), a maximum over rows. `check` finds what moves on synthetic rows; losses of shape (B,) have none of it.
        Raises ShapeError for another shape; ConfigError for another reduction than the loss shows; PrivacyError when a gradient would
        leave the guarantee.
        """
        try:
            refuse_untried(reduction, self._tried)
            with memory_for(len(self.real)):
                self._engine.accumulate(losses if reduction is None else self._by_row(losses, reduction))
        except TacitError as error:
            self._processes.confirm(error)  # the others wait for this step
            raise
        self._waiting = False
        if self._last:
            self._engine.release()
            self._stepping.released()
            self.step += 1

    def _by_row(self, loss: Tensor, reduction: Reduction) -> Tensor:
        """Return losses by row for a reduced one; as it is where the engine refuses it, whatever was declared."""
        engine = self._engine
        if engine._tape is None or not loss.requires_grad:
            return loss
        engine.refuse_edited()
        return by_row(loss, reduction, engine._outputs, engine._tape.rows, batch=engine._batches)

    def methods(self) -> list[tuple[str, str, str]]:
        """Return (parameter, rule, method) for the last micro-batch: how each norm and sum was formed."""
        return self._engine.methods

    def check(self, losses_of: Callable[..., Tensor], *, reduction: Reduction | None = None) -> None:
        """Try the loss on synthetic batches, before anything is paid for: no record may move another's gradient.

        A loss with a declared reduction must be tried before private.backward takes it: what is detached from the graph, or shows in no
        second derivative, is seen here alone.

        losses_of -- called with one batch, (x, y) say: does what the loop does up to private.backward, and returns what it is given.
        reduction -- as private.backward is given it. What is remembered is the word, not the loss: a loss changed afterwards, or another one
                     under the same word, was not tried. Call it again for each.
        Between two steps, or between backward and optimizer.step: the update in .grad stays.
        A detector, not a proof. Raises PrivacyError when examples influence one another, and what private.backward raises.
        """

        def given(*batch: Tensor) -> Tensor:
            found = losses_of(*batch)
            return found if reduction is None else self._by_row(found, reduction)

        try:
            probe(self._engine, given, self._tensors)
            if reduction is not None:
                with magnified(self.model, _MAGNIFIED):
                    probe(self._engine, given, self._tensors)
                self._tried.add(reduction)
        finally:
            if not self._waiting:
                self._engine.rest()

    def finish(self) -> nn.Module:
        """Remove the hooks and return the model, now post-processing of what was paid for.

        Raises PrivacyError when all steps were paid for and none moved the model.
        """
        self._detach()
        if self.step >= self._until:
            self._stepping.refuse_unmoved()
        return self.model

    def _detach(self) -> None:
        self._stepping.end()
        self._engine.detach()

    def keep(self, name: str, thing: Kept) -> Kept:
        """Have checkpoints keep a scheduler, an average or the like beside model and optimizer, and return it; resumed, in its old state.

        Call it before batches(). Raises ConfigError when the name is taken, RunError when the checkpoint at hand lacks it.
        """
        if self._keeper is not None:
            self._keeper.keep(name, thing)
        return thing

    def checkpoint(self) -> None:
        """Write the checkpoint that is due after this step, once; batches() does it before the next batch is drawn.

        Call it earlier only when all is done that a step does: optimizer, scheduler, average; of several processes, in all.
        """
        due = self.step % self.plan.block.checkpoint_every == 0 or self.step == self._until
        if self._keeper is not None and due and self.step != self._saved:
            self._keeper.save(self.state())
            self._saved = self.step

    def record(self, what: str) -> None:
        """Write into the ledger, before it happens, that something of the private rows is shown which no epsilon covers.

        Raises ConfigError when the training was made without a ledger at hand.
        """
        self._processes.from_first(lambda: self._payment().record(what))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what a checkpoint must hold besides model and optimizer: step, sampler, noise. As secret as the noise.

        Of several processes all call it, and the first gets what restores all; the others get nothing.
        """
        sampler = {f"sampler.{name}": value for name, value in self._sampler.state().items()}
        source = self._source.state() if isinstance(self._source, SeededSource) else {}
        position = {f"source.{name}": value for name, value in source.items()}
        counts = {"step": np.array([self.step]), "probed": np.array([self._engine._batches])}
        return self._processes.gathered_state({**counts, **sampler, **position, **self._engine.state()})

    def restore(self, state: dict[str, NDArray[Any]], *, claimed: int) -> None:
        """Go on from a checkpoint. claimed -- steps that the ledger counts as spent: those after the checkpoint are lost."""
        state, claimed = self._processes.own_state(state), self._processes.from_first(lambda: claimed)
        self.step = int(state["step"][0])
        sampler = {name.removeprefix("sampler."): value for name, value in state.items() if name.startswith("sampler.")}
        self._sampler.restore(sampler)
        engine = {name: value for name, value in state.items() if name.startswith(("noise.", "clip."))}
        self._engine.restore(engine, lost_steps=max(0, claimed - self.step))
        self._engine._batches = int(state["probed"][0])  # it decides which batches draw a probe's coins
        self._until = self.step + self.plan.further_steps(first_step=self.step, claimed=claimed)
        if isinstance(
            self._source, SeededSource
        ):  # after a loss, draws that no run of this block has made: each resumption claims more
            position = {name.removeprefix("source."): value for name, value in state.items() if name.startswith("source.")}
            self._source.restore(position, branch=claimed if claimed > self.step else 0)

    def _payment(self) -> Payment:
        if not isinstance(self._pay, Payment):
            raise ConfigError("this training was given a right to steps and no ledger to name it in. Give pay a Payment.")
        return self._pay

    def _keeping(self, checkpoints: Checkpoints) -> Keeper:
        """Return what keeps model and optimizer, both in their old state where a killed run left a checkpoint."""
        request_id = self._processes.from_first(lambda: self._payment().request_id)
        keeper = Keeper(checkpoints, request_id, self._processes, self._engine._weights)
        keeper.keep("model", self.model)
        keeper.keep("optimizer", self.optimizer)
        self.step = 0 if keeper.found is None else int(self._processes.own_state(keeper.found)["step"][0])
        return keeper

    def _begins(self) -> bool:
        """Whether checkpoints are kept of a run that nothing has been paid for: its first is there before anything is charged."""
        keeper = self._keeper
        if keeper is None:
            return False
        keeper.refuse_unclaimed()
        return keeper.found is None and self._processes.from_first(lambda: self._payment().unpaid)

    def _paid(self, begun: bool) -> Reservation:
        """Reserve the block, or go on with the one that a killed run paid for. begun -- the checkpoint there is of this run."""
        if not isinstance(self._pay, Payment):
            return self._pay()
        if self._keeper is None:
            refuse_taken(self._pay)
            return self._pay.reserve(self.plan)
        try:
            return self._pay.resume(self.plan, first_step=self.step)
        except TacitError:
            if begun:
                self._keeper.discard()
            raise

    def _counted(self, reservation: Reservation) -> int:
        """Return how many steps of the block count as spent, this run's next one not among them."""
        return self.plan.block.paid_steps - reservation.steps_left

    def _go_on(self, *, claimed: int) -> None:
        """Restore sampler, noise and random numbers, now that it is known which steps were lost."""
        found = None if self._keeper is None else self._keeper.found
        if found is not None and self._keeper is not None:
            self.restore(found, claimed=claimed)
            self._saved = self.step
            if claimed == self.step:
                self._keeper.restore_random()
        elif claimed and self.plan.block.in_order:
            raise RunError(
                "the block was begun and its checkpoint is gone; its steps share noise or participations, so they can only go on from it. "
                "Restore the checkpoint, or make a new request with a budget of its own."
            )
        elif claimed and isinstance(self._source, SeededSource):
            self._source.restore(self._source.state(), branch=claimed)

    def _next(self, reservation: Reservation) -> NDArray[np.int64] | None:
        """Count a step and draw its units; one line of rows for each, -1 where a unit has fewer. None when no step is left."""
        if self.step >= self._until or reservation.steps_left <= 0:
            return None
        reservation.count_step()
        self.counted = self._counted(reservation)
        units = self._sampler.draw()
        return units[:, None] if self._users is None else self._users.rows(units)

    def _pieces(self, drawn: NDArray[np.int64]) -> list[Tensor]:
        """Return this process's lines, micro-batch by micro-batch: at least one, and in every process as many as in the fullest."""
        own = torch.from_numpy(self._processes.share(drawn))
        fullest = -(-len(drawn) // self._processes.count)
        return [own[start : start + self._units] for start in range(0, max(1, fullest), self._units)]

    def _micro_batch(self, lines: Tensor) -> tuple[Tensor, ...]:
        keep = torch.arange(self._units) < len(lines)
        padding = lines.new_full((self._units - len(lines), lines.shape[1]), -1)
        rows = torch.cat([lines, padding]).repeat_interleave(self.augmentations, dim=1)
        self._engine.start(keep, rows >= 0)
        chosen = rows.flatten()
        self.real = chosen >= 0
        return tuple(rows_of(tensor, chosen) for tensor in self._tensors)


def make_private(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    dataset: torch.utils.data.TensorDataset | tuple[Tensor, ...],
    *,
    ledger: Ledger | None,
    budget: str,
    request_id: str,
    plan: Plan | None = None,
    epsilon: float | None = None,
    delta: float | None = None,
    clip_norm: float | None = None,
    batch_size: int | None = None,
    epochs: float | None = None,
    n: int | None = None,
    clipping: Clipping | None = None,
    mechanism: str | None = None,
    sampling: str | None = None,
    unit: str | None = None,
    owners: NDArray[np.int64] | None = None,
    rows_per_user: int | None = None,
    augmentations: int = 1,
    max_physical_batch: int | None = None,
    keep_bytes: int = DEFAULT_BYTES,
    checkpoints: Checkpoints | None = None,
    source: Source | None = None,
) -> PrivateTraining:
    """Return a private training of the model, planned; it is paid for when its first batch is asked for.

    model          -- any module whose operations on trained parameters can be taken apart by example; the rest is refused by name.
    dataset        -- a TensorDataset or a tuple of tensors, first axis the rows.
    ledger         -- where the block is reserved, under the unique `request_id`, from the `budget` of that name. Of several processes the
                      first alone reserves and counts steps; the others may give None.
    plan           -- from plan_for or Plan.solve, with parameters >= the model's size: in place of all numbers that it was made of, n but
                      for data with more or fewer rows than the public number of units. Without a plan, one is solved:
    epsilon, delta -- the target, for one row (or user), zero-out neighbours.
    clip_norm      -- largest L2 length of one unit's gradient; > 0.
    batch_size     -- expected units in a batch; the update divides by it.
    epochs         -- expected number of times a unit is drawn.
    n              -- declared public number of units; the data set's length by default (zeroing a row does not change it). Rows may be somewhat
                      more or fewer, as a split by chance leaves them, at most twice as many.
    clipping       -- tacit.train.clipping: flat by default, per layer, automatic or adaptive.
    mechanism, sampling -- as in Plan.solve: "dp-sgd" with "poisson" by default.
    unit, owners, rows_per_user -- users as units: the unit's name, the user number of each row (0 .. n - 1), and how many of a user's
                      rows a step uses at most. n must be given: it counts users.
    augmentations  -- copies of every row in a batch, whose gradients are averaged before clipping (De et al. 2022, arXiv:2204.13650).
    max_physical_batch -- most rows held at once, those of one unit at least; larger draws take further micro-batches. Changes memory and
                      speed only.
    keep_bytes     -- most bytes of per-example gradients kept between norms and sum. Changes memory and speed only.
    checkpoints    -- where the run's secret state is kept. A killed run goes on by the same call: steps up to the next checkpoint count as
                      spent and are replayed from the spare with fresh noise.
    source         -- randomness; the operating system's by default.
    Raises UnsupportedModel, ConfigError, RunError (a checkpoint of another run).
    """
    tensors = tensors_of(dataset)
    check_kinds(ledger, clipping)
    sizes: dict[str, Any] = {"n": n, "users": owners is not None, "rows": len(tensors[0]), "parameters": trainable_size(model)}
    target: dict[str, Any] = {"epsilon": epsilon, "delta": delta, "clip_norm": clip_norm}
    target |= {"batch_size": batch_size, "epochs": epochs, "rows_per_user": rows_per_user}
    choice: dict[str, Any] = {"clipping": clipping, "mechanism": mechanism, "sampling": sampling, "unit": unit}
    plan = plan_asked(plan, **sizes, **target, **choice)
    source = OsSource.from_os() if source is None else source
    payment: Payment | Callable[[], Reservation] = unpaid
    if ledger is not None:
        payment = Payment(ledger=ledger, budget=budget, request_id=request_id, purpose=purpose_of(source))
    units: dict[str, Any] = {"owners": owners, "augmentations": augmentations, "max_physical_batch": max_physical_batch}
    kept: dict[str, Any] = {"keep_bytes": keep_bytes, "checkpoints": checkpoints}
    return PrivateTraining(model, optimizer, tensors, plan, pay=payment, source=source, **units, **kept)


def trainable_size(model: nn.Module) -> int:
    """Return the number of trainable values: the dimension of what is noised."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
