"""What an attack achieved: its success rate, beside that on people who are not in the release."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from tacit.errors import ConfigError
from tacit.models.finding import Basis, Finding
from tacit.models.wilson import Interval, wilson

_WHOLE = "; without a control this also counts what is learned about anyone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """Success of one attack on people of the original table, and on the control: people like them who are not in the release.

    What succeeds against the control is learned about people in general; what succeeds beyond it is learned from a person's row.
    Exact statistics of private rows: for the custodian.

    attack -- "singling out", "linkability" or "inference of" a column; assumption -- what the attacker knows and does.
    successes, attacks -- against the original, attacks >= 1.
    control_successes, control_attacks -- against the control; 0 and 0 where there was none: then no residual risk is known.
    confidence -- of every interval; 0 < confidence < 1.
    """

    attack: str
    assumption: str
    successes: int
    attacks: int
    control_successes: int = 0
    control_attacks: int = 0
    confidence: float

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise ConfigError(f"the confidence of an attack must lie between 0 and 1, got {self.confidence}. Use 0.95 for 95%.")
        pairs = ((self.successes, self.attacks), (self.control_successes, self.control_attacks))
        if self.attacks < 1 or any(not 0 <= number <= total for number, total in pairs):
            raise ConfigError(
                f"an attack needs at least one try, and no more successes than tries on either side, got {pairs}. Give it rows to attack."
            )

    @property
    def rate(self) -> float:
        """Successes / attacks on the original."""
        return self.successes / self.attacks

    @property
    def control_rate(self) -> float | None:
        """Successes / attacks on the control; None without one."""
        return self.control_successes / self.control_attacks if self.control_attacks else None

    @property
    def interval(self) -> Interval:
        """Wilson interval of the rate."""
        return wilson(self.rate, self.attacks, self.confidence)

    @property
    def control_interval(self) -> Interval:
        """Wilson interval of the control's rate; (0, 1) without one."""
        share = self.control_rate
        return (0.0, 1.0) if share is None else wilson(share, self.control_attacks, self.confidence)

    @property
    def residual(self) -> float | None:
        """(rate - control) / (1 - control): 0 when the row added nothing, 1 when all that was left; None when that is not known.

        At most 0 says that the release tells no more about its people than about others. None without a control, or where it is 1.
        Source: Giomi et al. 2023, PoPETs (2), "A Unified Framework for Quantifying Privacy Risk in Synthetic Data".
        """
        share = self.control_rate
        return None if share is None or share == 1 else (self.rate - share) / (1 - share)

    @property
    def residual_interval(self) -> Interval:
        """Interval of the residual risk, from Wilson intervals of both rates that each fail with half the chance.

        The residual grows with the rate and falls with the control's, so its ends are those of the corners (Bonferroni); the lower
        end is -inf where the control's upper end is 1, as without a control.
        """
        half = 1 - (1 - self.confidence) / 2
        low, high = wilson(self.rate, self.attacks, half)
        share = self.control_rate
        control_low, control_high = (0.0, 1.0) if share is None else wilson(share, self.control_attacks, half)
        least = -math.inf if control_high >= 1 else (low - control_high) / (1 - control_high)
        return least, 1.0 if control_low >= 1 else (high - control_low) / (1 - control_low)

    def to_json(self) -> dict[str, Any]:
        """Return counts, rates and intervals as plain JSON values; an open end is None."""
        low, high = self.residual_interval
        return {
            **asdict(self),
            "rate": self.rate,
            "interval": list(self.interval),
            "control_rate": self.control_rate,
            "control_interval": list(self.control_interval),
            "residual": self.residual,
            "residual_interval": [low if math.isfinite(low) else None, high],
        }

    def findings(self, when: str) -> tuple[Finding, ...]:
        """Return the rate, and with a control its rate and the residual risk, as findings; `when` is the table: "before", "after"."""

        def finding(name: str, value: float | None, interval: Interval, n: int, method: str, more: str = "") -> Finding:
            return Finding(
                kind="reidentification-attack",
                name=f"{self.attack}: {name}, {when}",
                value=value,
                unit="share",
                basis=Basis.EXACT,
                method=method,
                interval=interval,
                confidence=self.confidence,
                n=n,
                assumption=self.assumption + more,
                details={"attack": self.attack, "when": when},
            )

        shown, tries = "successful attacks / attacks; Wilson 1927 interval", (self.attacks, self.control_attacks)
        if not self.control_attacks:
            return (finding("success", self.rate, self.interval, tries[0], shown, _WHOLE),)
        residual = "(rate - control) / (1 - control), Giomi et al. 2023; corners of two Wilson intervals"
        return (
            finding("success", self.rate, self.interval, tries[0], shown),
            finding("success outside", self.control_rate, self.control_interval, tries[1], shown),
            finding("residual risk", self.residual, self.residual_interval, sum(tries), residual),
        )
