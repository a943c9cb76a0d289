"""How numbers are written for a reader: few digits, and never a claim better than what was proved."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from tacit.models.finding import Finding
from tacit.report.reading import number
from tacit.report.statement import DatasetLedger
from tacit.report.words import label

NOT_STATED = "not stated"


def upper(value: float, digits: int = 4) -> str:
    """Write an upper bound with so many significant digits, rounded up, so that print never promises more than the proof.

    A number that would round up to a rounder one, such as the epsilon that was granted, gets more digits: 2.99936 is 2.9994.
    """
    for more in range(digits, digits + 6):
        text = _rounded(value, more, ROUND_CEILING)
        if len(Decimal(text).normalize().as_tuple().digits) >= digits or Decimal(text) == Decimal(repr(float(value))):
            break
    return text


def lower(value: float, digits: int = 3) -> str:
    """Write a lower bound with so many significant digits, rounded down."""
    return _rounded(value, digits, ROUND_FLOOR)


def plain(value: float, digits: int = 4) -> str:
    """Write a number with so many significant digits, thousands apart."""
    return f"{round(value):,}" if abs(value) >= 10**digits else _rounded(value, digits, ROUND_HALF_EVEN)


def share(value: float) -> str:
    """Write a share between 0 and 1 as a percentage."""
    return f"{100 * value:.1f}%" if value == 0 or abs(value) >= 0.001 else f"{plain(100 * value, 2)}%"


def confidence(value: float) -> str:
    """Write a confidence, for example 95% or 99.9999%."""
    return f"{Decimal(repr(round(value, 12))) * 100:f}".rstrip("0").rstrip(".") + "%"


def value_of(finding: Finding) -> str:
    """Write a finding's value in its unit; an epsilon is rounded to the side on which it stays true."""
    amount = number(finding.value)
    if finding.unit == "epsilon" and amount is not None:
        return lower(amount) if finding.kind == "audit" else upper(amount)
    return _in_unit(finding.value, finding.unit)


def evidence_of(finding: Finding) -> list[str]:
    """Write what stands behind a number: interval, sample size, an epsilon's ceiling; or why the number is missing."""
    parts = [finding.method] if finding.value is None and finding.method else []
    if finding.interval is not None and finding.confidence is not None:
        low, high = (_in_unit(end, finding.unit) for end in finding.interval)
        parts.append(f"{confidence(finding.confidence)} interval {low} to {high}")
    elif finding.confidence is not None:
        parts.append(f"at confidence {confidence(finding.confidence)}")
    if finding.n is not None:
        parts.append(f"n = {finding.n:,}")
    if finding.ceiling is not None and finding.unit == "epsilon":
        parts.append(f"could have shown up to {lower(finding.ceiling)}")
    return [*parts, *_verdict(finding)]


def gross_faults(runs: float | None) -> str:
    """Say what an audit with so many runs a side cannot see, beside its verdict."""
    halved = " (halved noise does not)" if runs is not None and 1 < runs <= 1000 else ""
    return f"only gross faults show at this number of runs{halved}"


def _verdict(finding: Finding) -> list[str]:
    """Write whether an audit contradicts the claim; nothing for an audit that is shown, not acted on."""
    details = finding.details
    if finding.kind != "audit" or not isinstance(details.get("contradicts"), bool):
        return []
    if details["contradicts"]:
        return ["contradicts the claim"]
    if details.get("can_contradict") is False:
        return ["too few runs to contradict this claim"]
    return [f"not contradicted: {gross_faults(number(details.get('runs')))}"]


def granted(ledger: DatasetLedger) -> str:
    """Write the granted epsilon, as it was declared."""
    return lower(ledger.granted_epsilon, 12)


def spent(ledger: DatasetLedger) -> str:
    """Write the spent epsilon, rounded up, with as many digits as it takes to stay below a grant that is not used up."""
    if ledger.spent_epsilon == ledger.granted_epsilon:
        return granted(ledger)
    texts = (upper(ledger.spent_epsilon, digits) for digits in range(4, 17))
    below = (text for text in texts if float(text) < ledger.granted_epsilon)
    return next(below, upper(ledger.spent_epsilon))


def counted(texts: Iterable[str]) -> list[str]:
    """Return each text once, in order, with how often it came when more than once."""
    return [text if times == 1 else f"{text} ({times} times)" for text, times in Counter(texts).items()]


def total(ledger: DatasetLedger) -> str:
    """Write the total of a ledger: the epsilon over its dp entries, and with it every release that has none."""
    listed = f": {'; '.join(counted(entry.what for entry in ledger.not_dp))}" if ledger.not_dp else ""
    return f"{spent_beside(ledger)}{listed}"


def spent_beside(ledger: DatasetLedger) -> str:
    """Write the total where the list of releases without an epsilon stands beside it: with their number."""
    epsilon = f"epsilon {spent(ledger)} at delta {upper(ledger.spent_delta)} over the dp entries"
    count = len(ledger.not_dp)
    if count == 0:
        return f"{epsilon}, and no release without an epsilon"
    return f"{epsilon}, and {'this release that has' if count == 1 else f'these {count} releases that have'} no epsilon"


def flat(data: Mapping[str, Any], prefix: str = "", *, names: bool = False) -> list[tuple[str, str]]:
    """Return nested settings as (label, text) rows; what is not set is left out, long lists are shortened.

    names -- whether the keys are names of the data, such as columns, which are shown as they are.
    """
    rows: list[tuple[str, str]] = []
    for key, value in data.items():
        shown = f"{prefix}{key if names else label(key)}"
        if isinstance(value, Mapping):
            rows.extend(flat(value, f"{shown}: ", names=names or key in ("levels", "lost")))
        elif key == "hidden" and not names and value in ([], ()):
            rows.append((shown, "none (logistic regression)"))
        elif value is not None:
            rows.append((shown, _text(value)))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        shown = ", ".join(_text(item) for item in value[:12]) or "none"
        return shown + (f" … ({len(value)} values)" if len(value) > 12 else "")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(inner)}" for key, inner in value.items())
    amount = number(value) if isinstance(value, float) else None
    return NOT_STATED if value is None else str(value) if amount is None else plain(amount, 6)


def _in_unit(value: Any, unit: str) -> str:
    amount = number(value)
    if amount is None:
        return (
            _text(value)
            if value is not None and not isinstance(value, float)
            else "no bound"
            if value is not None
            else "not computed"
        )
    if unit == "share":
        return share(amount)
    text = f"{value:,}" if isinstance(value, int) else plain(amount)
    return text if unit in ("", "epsilon") else f"{text} {unit}"


def _rounded(value: float, digits: int, rounding: str) -> str:
    exact = Decimal(repr(float(value)))
    if exact == 0:
        return "0"
    step = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    rounded = exact.quantize(step, rounding=rounding).normalize()
    return f"{rounded:f}" if -4 <= rounded.adjusted() < 9 else f"{rounded:e}".replace("E", "e").replace("e+", "e")
