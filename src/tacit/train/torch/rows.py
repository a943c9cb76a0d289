"""The rows of a private training: what a data set must be, and how many of its rows make a micro-batch."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tacit.errors import ConfigError
from tacit.noise.sensitivity import BLOCK, FLOAT32, GROUP, sum_sensitivity
from tacit.train.plan import Plan
from tacit.train.samplers import physical_size
from tacit.train.torch.records import NORM_ERROR

_PIECES, _WORTH = 5, 5e7
"""Micro-batches that a draw fills on a CPU when rows times parameters are more than that: padding then costs a tenth of the time, where one
large one would cost a quarter; for small work a micro-batch costs more than its padding."""


def check_data(tensors: tuple[Tensor, ...], plan: Plan, owners: NDArray[np.int64] | None, augmentations: int) -> None:
    """Raise ConfigError when tensors, owners and augmentations are not what the plan draws from."""
    if not tensors or any(len(t) != len(tensors[0]) for t in tensors):
        raise ConfigError(f"the data set must hold tensors of one length, got lengths {[len(t) for t in tensors]}.")
    if (owners is None) != (plan.rows_per_user is None):
        raise ConfigError(
            f'the plan protects one "{plan.guarantee.unit}" and owners are {"missing" if owners is None else "given"}. Users as units need '
            "unit, rows_per_user and the owner of each row; rows as units need none of them."
        )
    if owners is None and len(tensors[0]) > 2 * plan.n:  # a split by chance leaves somewhat more or fewer rows than the public n
        raise ConfigError(
            f"n says {plan.n:,} units, each a row, and the data set has {len(tensors[0]):,} rows, more than twice as many: far more would be drawn "
            "than the update divides by, and delta is judged by 1/n. Give the public number of rows, or leave n out; where several rows are one "
            "person's, declare users as units."
        )
    if owners is not None and len(owners) != len(tensors[0]):
        raise ConfigError(
            f"owners names {len(owners)} rows, and the data set has {len(tensors[0])}. Give each row its one owner."
        )
    if isinstance(augmentations, bool) or not isinstance(augmentations, int) or augmentations < 1:
        raise ConfigError(
            f"augmentations must be a whole number >= 1, got {augmentations!r}: it is how often each row stands in a batch."
        )


def check_sum(plan: Plan, dimension: int, *, units: int, processes: int) -> None:
    """Raise PrivacyError at sizes at which float error could pass what the clip target leaves free. units -- most in one sum."""
    sum_sensitivity(
        clip_norm=plan.clip_norm,
        dimension=dimension,
        contributions=max(1, units),
        block=BLOCK,
        group=GROUP,
        processes=processes,
        roundoff=FLOAT32,
        norm_error=NORM_ERROR,
        smallest_block=1,
    )


def units_together(expected: float, dimension: int, *, rows: int, limit: int | None, padded: bool) -> int:
    """Return how many units make a micro-batch.

    expected -- units in a draw; dimension -- trained values; rows -- of one unit; limit -- most rows at once.
    padded   -- whether draws vary on a processor that pays for padding: then large draws are cut in pieces.
    Raises ConfigError when the limit is no whole number, or less than the rows of one unit.
    """
    if limit is not None:
        _check_limit(limit, rows)
    units = None if limit is None else limit // rows
    return physical_size(expected, pieces=_PIECES if padded and expected * dimension > _WORTH else 1, limit=units)


def _check_limit(limit: object, rows: int) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ConfigError(
            f"max_physical_batch must be a whole number >= 1, got {limit!r}: it is the most rows held at once. Leave it out, or try 256."
        )
    if limit < rows:
        raise ConfigError(
            f"max_physical_batch is {limit}, and one unit alone has up to {rows} rows (rows_per_user times augmentations), which are never taken "
            f"apart: its gradient is clipped as one. Give at least {rows}, or fewer rows_per_user or augmentations."
        )


def rows_of(tensor: Tensor, chosen: Tensor) -> Tensor:
    """Return the chosen rows of a tensor, zeros where none is chosen (-1)."""
    found = tensor[chosen.clamp(min=0)] if len(tensor) else tensor.new_zeros((len(chosen), *tensor.shape[1:]))
    return found.index_fill_(0, (chosen < 0).nonzero().flatten(), 0)
