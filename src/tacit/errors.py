"""One small exception tree.

    TacitError                 exit code 1
    ├── ConfigError            2  a setting, argument or study file is wrong
    │   ├── ShapeError         2  an array has the wrong shape
    │   ├── MissingExtra       2  an optional dependency is not installed
    │   └── UnsupportedModel   2  a module or parameter cannot be trained exactly
    ├── DataError              1  the data cannot be read or do not fit the schema
    ├── LedgerError            1  the ledger is damaged, forged or rolled back
    ├── BudgetExceeded         3  the budget does not hold what was asked for
    ├── ClaimContradicted      1  an audit contradicts a stated guarantee
    ├── PrivacyError           1  continuing would break a guarantee, so it stops
    └── RunError               1  a run folder is unusable or a step was interrupted

Every message says what was wrong, what was given, why it matters and what to do next.
"""

__all__ = [
    "BudgetExceeded",
    "ClaimContradicted",
    "ConfigError",
    "DataError",
    "LedgerError",
    "MissingExtra",
    "PrivacyError",
    "RunError",
    "ShapeError",
    "TacitError",
    "UnsupportedModel",
]


class TacitError(Exception):
    """Root of everything tacit raises on purpose."""

    exit_code = 1


class ConfigError(TacitError):
    """A setting, argument or study file is wrong."""

    exit_code = 2


class ShapeError(ConfigError):
    """An array has the wrong shape."""


class MissingExtra(ConfigError):
    """An optional dependency is not installed."""


class UnsupportedModel(ConfigError):
    """A module or parameter cannot be trained with exact per-example gradients."""


class DataError(TacitError):
    """The data cannot be read or do not fit the schema."""


class LedgerError(TacitError):
    """The ledger is damaged, forged or rolled back."""


class BudgetExceeded(TacitError):
    """The budget does not hold what was asked for; nothing was charged or released."""

    exit_code = 3


class ClaimContradicted(TacitError):
    """An audit contradicts a stated guarantee."""


class PrivacyError(TacitError):
    """Continuing would break a guarantee, so tacit stops."""


class RunError(TacitError):
    """A run folder is unusable, or a step was interrupted."""
