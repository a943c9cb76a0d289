"""What `make_private` is asked for: a data set, a ledger and a plan, or the numbers that one is solved from."""

import math
from typing import Any

import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.privacy.ledger import Ledger, Reservation
from tacit.train.clipping import Clipping
from tacit.train.paying import Payment
from tacit.train.plan import Plan

_NEEDED = ("epsilon", "delta", "clip_norm", "batch_size", "epochs")


def tensors_of(dataset: object) -> tuple[Tensor, ...]:
    """Return the tensors of a TensorDataset or a tuple of them; raise ConfigError for anything else, naming what to make of it."""
    found = dataset.tensors if isinstance(dataset, torch.utils.data.TensorDataset) else dataset
    if isinstance(found, tuple) and found and all(isinstance(one, Tensor) for one in found):
        return found
    what = type(dataset).__name__
    if isinstance(dataset, torch.utils.data.DataLoader):
        remedy = "A loader draws batches that no price is known for; rows are drawn here. Give the data set that it was made of, as tensors."
    elif isinstance(dataset, torch.utils.data.Dataset):
        remedy = (
            "Rows are drawn by number, from memory. Stack them: "
            "TensorDataset(*(torch.stack(column) for column in zip(*dataset))), with every item a tuple of tensors."
        )
    elif isinstance(dataset, (tuple, list)) and dataset:
        kinds = sorted({f"{type(one).__module__}.{type(one).__name__}".removeprefix("builtins.") for one in dataset})
        what = f"{what} of {', '.join(kinds)}"
        remedy = "Make a tensor of each (torch.from_numpy for an array) and put them into a tuple, first axis the rows."
    else:
        remedy = "Give (features, labels), first axis the rows."
    raise ConfigError(f"dataset must be a TensorDataset or a tuple of tensors, got {what}. {remedy}")


def check_kinds(ledger: object, clipping: object) -> None:
    """Raise ConfigError when an argument is of a kind that would fail much later, in words of its own."""
    if ledger is not None and not isinstance(ledger, Ledger):
        raise ConfigError(f"ledger must be an open Ledger, got {type(ledger).__name__}: give Ledger.open(path).")
    if clipping is not None and not isinstance(clipping, Clipping):
        raise ConfigError(
            f"clipping must say how gradients are made short enough, got {clipping!r}. Their length is clip_norm; leave clipping out, or give "
            "FlatClipping, PerLayerClipping, AutomaticClipping or AdaptiveClipping with that clip_norm."
        )


def plan_asked(plan: Plan | None, *, parameters: int, rows: int, n: int | None, users: bool, **asked: Any) -> Plan:
    """Return the plan that was given, or the one its numbers are solved for.

    parameters -- trained values. rows -- of the data set. n -- units as declared, or None. users -- whether they are the units.
    asked      -- the other numbers of Plan.solve, None where they were left out.
    Raises ConfigError when both a plan and its numbers are given, neither is, or the plan is one for other data.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    if plan is not None:
        _check_given(plan, given, rows=rows, n=n, users=users)
        return plan
    if missing := [name for name in _NEEDED if name not in given]:
        raise ConfigError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing: a training needs {', '.join(_NEEDED)}, or a plan that "
            "plan_for or Plan.solve has made of them."
        )
    if users and n is None:
        raise ConfigError("with users as units, n is the number of users and must be declared: it is public. Give n.")
    delta = given["delta"]
    if not (isinstance(delta, (int, float)) and math.isfinite(delta)):
        raise ConfigError(f"delta must be a number > 0 and < 1/n, got {delta!r}. Choose it well under 1/n, for example 1e-6.")
    return Plan.solve(n=rows if n is None else n, parameters=parameters, **given)


def _check_given(plan: object, given: dict[str, Any], *, rows: int, n: int | None, users: bool) -> None:
    if not isinstance(plan, Plan):
        raise ConfigError(f"plan must be a Plan, from plan_for or Plan.solve, got {type(plan).__name__}.")
    if given:
        raise ConfigError(
            f"a plan is given and {', '.join(given)} too: the plan says these already, and two values could differ. Leave them out, or make "
            "the plan anew with them."
        )
    units = rows if n is None and not users else n
    if units is not None and units != plan.n:
        raise ConfigError(
            f"the plan was made for n = {plan.n:,} units, and {'the data set has' if n is None else 'n says'} {units:,}: delta, batches and "
            f"steps would be those of other data. Make the plan with n={units}{', or declare the public number of units by n' if n is None else ''}."
        )


def refuse_taken(payment: Payment) -> None:
    """Raise ConfigError when a request was paid for before, in words that name what a training can do about it."""
    if not payment.unpaid:
        raise ConfigError(
            f"the request id {payment.request_id!r} is taken: a training was paid for under it, and a second one is another charge. Choose a "
            "new request_id. A killed run goes on by the same call where both had checkpoints=Checkpoints(path=path, key=key)."
        )


def unpaid() -> Reservation:
    """Stand in for the payment of a process that has no ledger."""
    raise ConfigError(
        "there is no ledger to reserve this training in, and nothing trains unpaid. Give the first process one: Ledger.open."
    )
