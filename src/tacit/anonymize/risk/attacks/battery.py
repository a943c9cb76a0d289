"""Every attack that a release allows, with one setting: for a view of before and after."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from tacit.anonymize.hierarchies import Hierarchy
from tacit.anonymize.risk.attacks.inference import inference
from tacit.anonymize.risk.attacks.linkability import linkability
from tacit.anonymize.risk.attacks.rates import Attack
from tacit.anonymize.risk.attacks.singling_out import singling_out

_MOST, _LEAST = 1000, 100
_PAIRS = 30_000_000
"""Pairs of an attacked person and a released row that each attack looks at by default: some seconds."""


def attacks_for(released_rows: int) -> int:
    """Return how many attacks of each kind are tried by default: 1,000, fewer on a release of over 30,000 rows, at least 100."""
    return max(_LEAST, min(_MOST, _PAIRS // max(released_rows, 1)))


def attack_release(
    original: pa.Table,
    released: pa.Table,
    control: pa.Table | None = None,
    *,
    quasi: Sequence[str],
    secrets: Sequence[str] = (),
    hierarchies: Mapping[str, Hierarchy] | None = None,
    attacks: int | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Attack, ...]:
    """Return singling out, linkability and the inference of each secret, all by the quasi-identifiers.

    Linkability splits the quasi-identifiers into two records, every other column in each; a single one leaves it out.

    original -- the people of the release; control -- others like them, who are not in it, or None.
    quasi    -- at least one; secrets -- columns that are released as they were.
    attacks  -- of each kind, >= 1; None: `attacks_for` the released rows. hierarchies -- of generalized columns.
    on_progress -- called with (attacks done, in all).
    Raises ConfigError or DataError, naming the column, for tables that do not fit each other.
    """
    tables = (original, released, control)
    more: dict[str, Any] = {
        "hierarchies": hierarchies,
        "attacks": attacks_for(released.num_rows) if attacks is None else attacks,
        "confidence": confidence,
        "seed": seed,
    }
    kinds: list[Callable[[], Attack]] = [partial(singling_out, *tables, columns=quasi, **more)]
    if len(quasi) > 1:
        kinds.append(partial(linkability, *tables, known=(quasi[::2], quasi[1::2]), **more))
    kinds += [partial(inference, *tables, known=quasi, secret=secret, **more) for secret in secrets]
    found: list[Attack] = []
    for kind in kinds:
        found.append(kind())
        if on_progress is not None:
            on_progress(len(found), len(kinds))
    return tuple(found)
