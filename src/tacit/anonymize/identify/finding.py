"""What one column seems to be."""

from dataclasses import dataclass, replace

from tacit.tables.schema import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnFinding:
    """What one column seems to be.

    column     -- its name; role -- the suggested role.
    kind       -- the kind of personal data ("e-mail", "name", "free text", "age", ...), "" for none.
    confidence -- 0..1: how sure the suggestion is; an ordering, not a probability.
    reasons    -- why, in words and shares, without values of the data. Still an exact statistic of private rows.
    inside     -- kinds found inside the texts of a free-text column, the most frequent first.
    """

    column: str
    role: Role
    kind: str
    confidence: float
    reasons: tuple[str, ...]
    inside: tuple[str, ...] = ()

    @property
    def remedy(self) -> str:
        """What to do with it before a release: "drop", "pseudonymize", "generalize" or "keep"."""
        if self.role is Role.IDENTIFIER:
            return "drop" if self.kind == "free text" else "pseudonymize"
        return "generalize" if self.role is Role.QUASI else "keep"


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """One reading of a column, with its confidence; the best guess becomes the finding."""

    role: Role
    kind: str
    confidence: float
    reason: str
    inside: tuple[str, ...] = ()


_NARROWER = {"fax": "phone", "date of birth": "date"}
"""What a column's name may say more narrowly than the shape of its values can."""


def combined(column: str, guesses: list[Guess]) -> ColumnFinding:
    """Return the finding of a column: the best guess, the more sure the more guesses agree; the others stand in its reasons."""
    if not guesses:
        reasons = ("nothing points to personal data",)
        return ColumnFinding(column=column, role=Role.FEATURE, kind="", confidence=0.5, reasons=reasons)
    for told, shape in _NARROWER.items():
        if any(guess.kind == told for guess in guesses):
            guesses = [replace(guess, kind=told) if guess.kind == shape else guess for guess in guesses]
    best = max(guesses, key=lambda guess: guess.confidence)  # the first of equals: names before shapes before distinctness
    same = [guess for guess in guesses if guess.kind == best.kind]
    doubt = 1.0
    for guess in same:
        doubt *= 1.0 - guess.confidence
    others = [f"also possible: {guess.kind} ({guess.reason})" for guess in guesses if guess.kind != best.kind]
    return ColumnFinding(
        column=column,
        role=best.role,
        kind=best.kind,
        confidence=round(min(1.0 - doubt, 0.99), 2),
        reasons=(*(guess.reason for guess in same), *dict.fromkeys(others)),
        inside=tuple(dict.fromkeys(kind for guess in same for kind in guess.inside)),
    )
