"""The game of a publisher and an adversary: who looks for a person, and whether it paid to publish the row."""

import math
from collections.abc import Sequence

from tacit.anonymize.verify.evidence import Evidence
from tacit.anonymize.verify.sizes import ALIKE, exactly, failing
from tacit.errors import PrivacyError

_STRICT = ALIKE / 3
"""How far above 0 a payoff must lie, in units of the benefit: less than the 1e-9 that a search keeps away, more than rounding."""


def no_profitable_attack(evidence: Evidence, gain: float, cost: float, attacker: str) -> list[str]:
    """gain / rows <= cost in each class, the rows being those among which the attacker looks (Wan et al. 2015)."""
    worth, price = exactly(gain), exactly(cost)
    bad = sum(not rows or worth > price * rows for rows in _candidates(evidence, attacker))
    return failing(bad, len(evidence.own), f"are worth an attack to a {attacker}")


def profitability(evidence: Evidence, benefit: float, loss: float, gain: float, cost: float, attacker: str) -> list[str]:
    """benefit (1 - IL) - [gain / rows > cost] loss / rows > 0 in each class (Wan et al. 2015, the publisher's payoff).

    IL = 1 + sum of log(share) / sum of log(domain size) over the quasi-identifiers, and 0 where every domain is of one value.
    """
    if evidence.domains is None:
        return ["what a released value covers is not at hand without declared levels, so profitability cannot be confirmed"]
    worth, price = exactly(gain), exactly(cost)
    whole = math.fsum(math.log(size) for size in evidence.domains.sizes)
    bad = 0
    for rows, shares in zip(_candidates(evidence, attacker), evidence.domains.shares, strict=True):
        kept = -math.fsum(math.log(share) for share in shares) / whole if whole > 0 else 1.0
        risked = loss / benefit / max(rows, 1) if worth > price * rows else 0.0
        bad += not (rows and kept - risked > _STRICT)
    return failing(bad, len(evidence.own), f"cost their publisher as much as they bring, or more ({attacker})")


def _candidates(evidence: Evidence, attacker: str) -> Sequence[int]:
    """Return for each class the rows among which an attacker looks: its own, or those of the population."""
    if attacker == "prosecutor":
        return evidence.own
    if evidence.population_rows is None:
        raise PrivacyError("the population table is not at hand")
    return evidence.population_rows
