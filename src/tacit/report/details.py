"""A finding's name and details in words: few digits, labels instead of the keys that programs read."""

from collections.abc import Callable
from typing import Any

from tacit.models.finding import Finding
from tacit.report.reading import PLOTTED, number, numbers
from tacit.report.words import label
from tacit.report.writing import flat, plain, share, upper

_TOLD_BESIDE = frozenset({"contradicts", "can_contradict", "when"})
"""Details that the finding's name or evidence already tells."""

_SHARES = frozenset({"false_positive_rate", "level", "certainty", "suppression_limit"})
_BOUNDS = frozenset({"proved", "epsilon", "delta", "auc_limit"})


def shown_name(finding: Finding) -> str:
    """Return a finding's name as a reader sees it; the data keep the name a program reads."""
    head, _, origin = finding.name.partition("; ")
    if head == "taken as public" and origin:
        name = f"{head}: {origin.removeprefix('public:').strip()}" if origin.startswith("public:") else f"{head}, {origin}"
    else:
        name = label(finding.name) if finding.kind == "training" else finding.name
    return name[:1].upper() + name[1:] if name[1:2].islower() else name


def shown_details(finding: Finding) -> list[tuple[str, str]]:
    """Return what else a finding tells as (label, text) rows, without what is drawn or stands beside it already."""
    told: dict[str, Any] = {}
    for key, value in finding.details.items():
        if key in _TOLD_BESIDE or (key in PLOTTED and number(value) is None):
            continue
        if key == "threat_model" and str(value) in finding.assumption:
            continue
        told[key] = _written(key, value, finding.unit) or value
    return flat(told)


def _written(key: str, value: Any, unit: str) -> str:
    """Return a number or an interval in its own unit, or "" for what needs no special writing."""
    amount, several = number(value), numbers(value)
    if key == "share_correct" and len(several) == 3:
        return f"{share(several[0])}, {share(several[1])} to {share(several[2])}"
    if key == "false_positive_interval" and len(several) == 2:
        return f"{share(several[0])} to {share(several[1])}"
    write: Callable[[float], str] | None = (
        share
        if key in _SHARES
        else upper
        if key in _BOUNDS
        else {"p_value": _chance, "limit": _limit if unit == "share" else upper, "threshold": plain, "loss": plain}.get(key)
    )
    return "" if amount is None or write is None else write(amount)


def _chance(value: float) -> str:
    """Write a p-value: three digits, and none of them a 1 that it is not."""
    return "above 0.999" if 0.999 < value < 1 else plain(value, 3)


def _limit(value: float) -> str:
    return f"{upper(100 * value, 3)}%"
