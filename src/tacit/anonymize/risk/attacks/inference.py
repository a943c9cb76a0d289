"""Inference: guess what is not known about a person from the released rows that look most like them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import get_column, is_number, plain
from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.risk.attacks.nearness import Nearness, blocks, nearness
from tacit.anonymize.risk.attacks.rates import Attack
from tacit.anonymize.risk.attacks.targets import draw, together
from tacit.errors import ConfigError, DataError

_TIE = 1e-9


def inference(
    original: pa.Table,
    released: pa.Table,
    control: pa.Table | None = None,
    *,
    known: Sequence[str],
    secret: str,
    hierarchies: Mapping[str, Hierarchy] | None = None,
    tolerance: float = 0.05,
    attacks: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Attack:
    """Return how often an attacker who knows `known` of a person guesses `secret` right.

    The attacker takes the released rows that are nearest by the known columns (all that tie), and guesses their most frequent
    secret, or for numbers their mean; right is the same value, or a number within `tolerance` of the truth, as a share of it.

    original    -- the people of the release; control -- others like them, who are not in it: without them the rate stands alone,
                   and no residual risk is known.
    hierarchies -- of generalized columns, so that a label is known to stand for a value.
    attacks     -- on each table, at most its rows; seed draws them.
    Source: Giomi et al. 2023, section 4.3 (with all ties instead of one nearest row).
    Raises ConfigError or DataError for columns that do not fit; the secret must be released as it was.
    """
    if secret in known or not tolerance >= 0:
        raise ConfigError(
            f"the secret {secret!r} must not be known, and the tolerance must be >= 0, got {list(known)} and {tolerance}. Leave the "
            "secret out of what the attacker knows."
        )
    people = together(original, control, [*known, secret])
    answers, offered = get_column(people, secret), get_column(released, secret)
    if answers.type != offered.type:
        raise DataError(
            f"column {secret!r} is {answers.type} in the original and {offered.type} in the release: inference is measured for a secret "
            "that is released as it was. Choose another column."
        )
    near = nearness(people, released, known, hierarchies or {})
    generator = np.random.default_rng(seed)
    right = [_guess(near, answers, offered, rows, tolerance) for rows in draw(original, control, attacks, generator)]
    return Attack(
        attack=f"inference of {secret}",
        assumption=f"the attacker knows {', '.join(known)} of a person and guesses {secret} from the nearest released rows",
        successes=int(right[0].sum()),
        attacks=len(right[0]),
        control_successes=int(right[1].sum()),
        control_attacks=len(right[1]),
        confidence=confidence,
    )


def _guess(
    near: Mapping[str, Nearness], answers: pa.Array, offered: pa.Array, rows: NDArray[np.int64], tolerance: float
) -> NDArray[np.bool_]:
    """Return for each attacked row whether the guess is right, shape (len(rows),)."""
    from scipy.sparse import csr_matrix

    if is_number(answers.type):
        truth, values = (np.asarray(side.cast(pa.float64(), safe=False).fill_null(np.nan)) for side in (answers, offered))
        usable = np.isfinite(values)
        return np.concatenate(
            [_right_numbers(ties[:, usable], values[usable], truth[part], tolerance) for part, ties in _nearest(near, rows)]
        )
    coded = plain(pa.chunked_array([answers, offered])).dictionary_encode(null_encoding="encode")
    codes = np.asarray(coded.indices).astype(np.int64)
    truth, values = codes[: len(answers)], codes[len(answers) :]
    indicators = csr_matrix((np.ones(len(values)), (np.arange(len(values)), values)), shape=(len(values), len(coded.dictionary)))
    return np.concatenate([np.asarray(ties @ indicators).argmax(axis=1) == truth[part] for part, ties in _nearest(near, rows)])


def _right_numbers(
    ties: NDArray[np.float64], values: NDArray[np.float64], truth: NDArray[np.float64], tolerance: float
) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        guess = ties @ values / ties.sum(axis=1)  # NaN when no nearest row has the secret: then wrong
        return np.asarray(np.abs(guess - truth) <= tolerance * np.abs(truth) + 1e-12)


def _nearest(near: Mapping[str, Nearness], rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Yield blocks of rows with 1 where a released row is nearest to the person, shape (block, released rows)."""
    size = len(next(iter(near.values())).released)
    for part in blocks(rows, size):
        apart = np.zeros((len(part), size))
        for column in near.values():
            apart += column.distances(part)
        yield part, (apart <= apart.min(axis=1, keepdims=True) + _TIE).astype(np.float64)
