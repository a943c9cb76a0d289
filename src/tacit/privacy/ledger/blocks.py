"""A block as canonical JSON and its price in exact units."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tacit.errors import ConfigError, LedgerError
from tacit.privacy.block import Block
from tacit.privacy.events import (
    EpsilonDelta,
    GaussianEvent,
    LocalRandomized,
    MatrixEvent,
    PoissonSampled,
    event_from_json,
    event_to_json,
)
from tacit.privacy.guarantee import Guarantee, Neighbours
from tacit.privacy.ledger.units import spending

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_COUNTS = ("steps", "spare_steps", "checkpoint_every")


def canonical(data: Any) -> str:
    """Return the one JSON text of this data: sorted keys, no spaces, finite numbers. Raises ValueError or TypeError otherwise."""
    return _ENCODER.encode(data)


class Priced(NamedTuple):
    """A block with what a charge of it needs: canonical JSON, epsilon in 1e-9 and delta in 1e-18, rounded up."""

    block: Block
    text: str
    epsilon: int
    delta: int

    @classmethod
    def of(cls, block: Block) -> "Priced":
        return cls(block, canonical(block_to_json(block)), *spending(block.guarantee.epsilon, block.guarantee.delta))


def block_to_json(block: Block) -> dict[str, Any]:
    return {
        "event": event_to_json(block.event),
        "guarantee": block.guarantee.to_json(),
        **{name: getattr(block, name) for name in _COUNTS},
    }


def block_from_json(data: Mapping[str, Any]) -> Block:
    """Return the block a JSON form describes; raises LedgerError for a missing, unknown or ill-valued key."""
    try:
        fields = dict(data)
        event = event_from_json(fields.pop("event"))
        promise = dict(fields.pop("guarantee"))
        guarantee = Guarantee(neighbours=Neighbours(promise.pop("neighbours")), **promise)
        if not isinstance(event, GaussianEvent | PoissonSampled | MatrixEvent | LocalRandomized | EpsilonDelta):
            raise TypeError("a block's step is a gaussian or poisson-sampled event, or its run a matrix event")
        return Block(event=event, guarantee=guarantee, **fields)
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise LedgerError(
            f"this is not a block tacit knows: {str(data)[:200]} ({error}). "
            "The ledger was written by another version or was altered; run `tacit ledger verify`."
        ) from None
