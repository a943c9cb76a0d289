"""How numbers are written for a reader: few digits, and never a claim better than what was proved."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from tacit.models.finding import Finding
from tacit.report.reading import number
from tacit.report.statement import DatasetLedger

NOT_STATED = "not stated"


def upper(value: float, digits: int = 4) -> str:
    """Write an upper bound with so many significant digits, rounded up, so that print never promises more than the proof."""
    return _rounded(value, digits, ROUND_CEILING)


def lower(value: float, digits: int = 3) -> str:
    """Write a lower bound with so many significant digits, rounded down."""
    return _rounded(value, digits, ROUND_FLOOR)


def plain(value: float, digits: int = 4) -> str:
    """Write a number with so many significant digits, thousands apart."""
    return f"{round(value):,}" if abs(value) >= 10**digits else _rounded(value, digits, ROUND_HALF_EVEN)


def share(value: float) -> str:
    """Write a share between 0 and 1 as a percentage."""
    return f"{100 * value:.1f}%" if value == 0 or abs(value) >= 0.001 else f"{100 * value:.2g}%"


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
        parts.append(f"could have shown up to {_in_unit(finding.ceiling, finding.unit)}")
    return parts


def total(ledger: DatasetLedger) -> str:
    """Write the total of a ledger: the epsilon over its dp entries, and with it every release that has none."""
    spent = f"epsilon {upper(ledger.spent_epsilon)} at delta {upper(ledger.spent_delta)} over the dp entries"
    count = len(ledger.not_dp)
    if count == 0:
        return f"{spent}, and no release without an epsilon"
    noun = "this release that has" if count == 1 else f"these {count} releases that have"
    return f"{spent}, and {noun} no epsilon: " + "; ".join(entry.what for entry in ledger.not_dp)


def flat(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as (dotted key, text) rows; long lists are shortened."""
    rows: list[tuple[str, str]] = []
    for key, value in data.items():
        name = f"{prefix}{key}"
        rows.extend(flat(value, f"{name}.") if isinstance(value, Mapping) else [(name, _text(value))])
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        shown = ", ".join(_text(item) for item in value[:12])
        return shown + (f" … ({len(value)} values)" if len(value) > 12 else "")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(inner)}" for key, inner in value.items())
    return NOT_STATED if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


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
