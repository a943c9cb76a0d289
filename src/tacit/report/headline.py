"""The first screen's words: warnings, what the promise means, and the totals."""

import math
from dataclasses import dataclass

from tacit.report.editions import Edition, claims_hold
from tacit.report.reading import is_contradicted
from tacit.report.statement import Statement
from tacit.report.writing import total, upper


@dataclass(frozen=True, kw_only=True, slots=True)
class Banner:
    """A warning above everything. tone: "bad" or "note"."""

    tone: str
    title: str
    text: str


_CONTRADICTED = Banner(
    tone="bad",
    title="An audit contradicts the claim",
    text="If the stated epsilon were true, what was observed would happen less than once in a million times. "
    "Do not rely on it, and release nothing made under it.",
)
_EXACT = Banner(
    tone="note",
    title="Custodian edition: exact statistics of private rows, not for release",
    text="Keep it where the data are kept. The release edition beside it holds what may be shown to others.",
)


def banners(original: Statement, edition: Edition) -> list[Banner]:
    """Return the warnings of an edition, judged on the whole statement, since a false claim is false in both editions."""
    found = [_CONTRADICTED] if is_contradicted(original) else []
    if not original.randomness.private:
        text = (
            f"The noise came from “{original.randomness.name}”, which anyone can repeat or which is no noise at all. "
            "No promise in this report protects anyone; it shows how the study runs, nothing more."
        )
        found.append(Banner(tone="bad", title="Not a private release", text=text))
    return [*found, _EXACT] if edition is Edition.CUSTODIAN else found


def meaning(original: Statement) -> str:
    """Return what the main promise says, for someone who is not a cryptographer; it reads public fields only."""
    if not original.guarantees:
        return "Nothing here is released under differential privacy, so nothing limits what can be learned about one person."
    stated = original.guarantees[0]
    promise = stated.guarantee
    whose = "one row of the data was used" if promise.unit == "row" else f"the rows of one {promise.unit} were used"
    found = attack_limit(0.01, promise.epsilon, promise.delta)
    claim = (
        f"Who sees {stated.what} can try to tell whether {whose}. "
        "Even with unlimited computing power and knowing everything else, an attacker who wrongly accuses "
        f"1 in 100 of those outside recognizes at most {upper(100 * found, 3)} in 100 of those inside."
    )
    return (
        claim
        if claims_hold(original)
        else f"The claim does not stand: see the warning above. Had it held, this is what it would say. {claim}"
    )


def attack_limit(false_alarms: float, epsilon: float, delta: float) -> float:
    """Return the largest share of members that any attack with this false-alarm rate can find under (epsilon, delta)-DP.

    Source: Kairouz, Oh & Viswanath 2015, arXiv:1311.0776, Theorem 2.1.
    """
    up, down = math.exp(min(epsilon, 700.0)), math.exp(-epsilon)
    return min(1.0, up * false_alarms + delta, 1 - down * (1 - delta - false_alarms))


def totals(statement: Statement) -> list[str]:
    """Return one sentence per ledger: its total, with the list of releases that have no epsilon."""
    return [f"{ledger.dataset}: {total(ledger)}." for ledger in statement.ledgers]
