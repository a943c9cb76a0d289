"""Errors that are tacit's and scikit-learn's at once: whoever catches either kind catches them."""

from sklearn.exceptions import NotFittedError

from tacit.errors import ConfigError, DataError


class InputRefused(DataError, ValueError):
    """The rows or labels given cannot be learned from; a ValueError for scikit-learn."""


class SettingRefused(ConfigError, ValueError):
    """A parameter of an estimator is missing or out of range; a ValueError for scikit-learn."""


class NotFitted(ConfigError, NotFittedError):  # type: ignore[misc]
    """The estimator has learned nothing yet; a NotFittedError for scikit-learn."""
