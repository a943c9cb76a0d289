"""What all private estimators share: a ledger to spend from, declared public values, scikit-learn's contract.

The one file that imports scikit-learn's classes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import MissingExtra

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise MissingExtra(
        "the estimators need scikit-learn 1.6 or later, which is not installed: they keep its contract by inheriting it. "
        "Run: pip install 'tacit[demo]'. Without it there are make_private and Trainer."
    ) from None

from tacit.noise.source import OsSource, SeededSource, Source
from tacit.privacy.block import Block
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Ledger
from tacit.train.releases import Releases
from tacit.train.sklearn import public_values
from tacit.train.sklearn.refusals import InputRefused, NotFitted, SettingRefused
from tacit.train.trainer import purpose_of

__all__ = ["ClassifierMixin", "PrivateEstimator", "RegressorMixin"]

Floats = NDArray[np.float64]


@dataclass(kw_only=True, repr=False, eq=False)
class PrivateEstimator(BaseEstimator):  # type: ignore[misc]
    """A scikit-learn estimator whose every fit is charged.

    ledger         -- an open Ledger; the whole fit is reserved there before anything is computed from the rows' values.
    budget         -- the budget in that ledger to spend from.
    bounds         -- (low, high) of the features, never guessed: two numbers, two arrays of shape (d,), or a text "public: source",
                      which states that each column's least and greatest value are public knowledge. Values outside are clipped.
                      (-1, 1) for what tacit.tables.Encoding gives.
    epsilon, delta -- what one fit costs, for one row, zero-out neighbours.
    request_id     -- unique name of a fit in the ledger; drawn at random by default.
    source         -- randomness; the operating system's by default. A whole number is a test seed: the same noise at every fit,
                      which protects nobody.
    """

    ledger: Ledger | None = None
    budget: str = ""
    bounds: tuple[ArrayLike, ArrayLike] | str | None = None
    epsilon: float = 1.0
    delta: float = 1e-5
    request_id: str | None = None
    source: Source | int | None = None

    def __sklearn_clone__(self) -> Any:
        """A clone spends from the same ledger and draws from the same source, neither of which can be copied."""
        return type(self)(**self.get_params(deep=False))

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process or onto a disk: what was learned, never the ledger or a source with its key."""
        state = dict(super().__getstate__())
        left_behind = {"ledger": None, "source": self.source if isinstance(self.source, int) else None}
        return state | left_behind

    def _rows(self, X: Any, y: Any, refused: dict[str, Any], **checks: Any) -> tuple[Floats, NDArray[Any]]:  # noqa: N803
        """Return X as float64, shape (n, d), and y, shape (n,), after all checks that cost nothing; sets n_features_in_."""
        _refuse_extras(type(self).__name__, refused)
        if self.ledger is None or not self.budget:
            raise SettingRefused(
                f"{type(self).__name__} needs a ledger and a budget, so that what it spends is remembered: "
                f'Ledger.open("ledger.sqlite"), then {type(self).__name__}(ledger=ledger, budget="name of the data").'
            )
        try:
            rows, targets = validate_data(self, X, y, dtype=np.float64, order="C", **checks)
            if not checks.get("y_numeric"):
                check_classification_targets(targets)
        except ValueError as error:
            raise _refusal(error) from None
        if not self.delta * len(rows) < 1:
            raise SettingRefused(
                f"delta is {self.delta:g}, and there are {len(rows)} rows: a mechanism that publishes one row in {len(rows)} would have "
                f"that delta. Choose it well below {1 / len(rows):.2g}."
            )
        self.origins_: dict[str, str] = {}
        return rows, targets

    def _scaled_rows(self, rows: Floats) -> Floats:
        """Settle the bounds, then return the rows clipped to them and scaled to [-1, 1]."""
        low, high, self.origins_["bounds"] = public_values.bounds_of(self.bounds, rows, "bounds")
        self.bounds_ = (low, high)
        return public_values.scaled(rows, low, high)

    def _scaled_new(self, X: Any) -> Floats:  # noqa: N803
        """Return rows to predict for, shape (m, d), scaled as the rows of the fit were."""
        self._check_fitted()
        try:
            rows = validate_data(self, X, dtype=np.float64, order="C", reset=False)
        except ValueError as error:
            raise _refusal(error) from None
        return public_values.scaled(rows, *self.bounds_)

    def _check_fitted(self) -> None:
        try:
            check_is_fitted(self)
        except ValueError:
            raise NotFitted(f"this {type(self).__name__} is not fitted yet. Call fit(X, y) first.") from None

    def _units(self, declared: int | None, rows: Floats) -> int:
        """Return n, the public number of rows: as declared, else as given. Raises SettingRefused unless it is a whole number >= 1."""
        n: Any = len(rows) if declared is None else declared
        self.origins_["n"] = "number of rows given" if declared is None else public_values.DECLARED
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise SettingRefused(
                f"n must be a whole number >= 1, got {n!r}: it is the public number of rows. Leave it away for len(X)."
            )
        return int(n)

    def _drawn_from(self) -> Source:
        if isinstance(self.source, int):
            return SeededSource(self.source)
        return OsSource.from_os() if self.source is None else self.source

    def _purpose(self) -> str:
        """Return what the ledger says this fit is for, with what was read off the data as public."""
        stated = [f"{name} ({origin})" for name, origin in self.origins_.items() if origin.startswith("public:")]
        read = f"; read off the data, stated to be public: {', '.join(stated)}" if stated else ""
        return f"train {type(self).__name__}{read}"

    def _releases(self, block: Block) -> Releases:
        """Return the block's releases, to be paid for on entering, and note what they promise."""
        assert self.ledger is not None
        source = self._drawn_from()
        self.guarantee_: Guarantee | None = block.guarantee if source.private else None
        return Releases(
            block=block,
            ledger=self.ledger,
            budget=self.budget,
            request_id=self.request_id,
            purpose=purpose_of(source, self._purpose()),
            source=source,
        )


def _refuse_extras(name: str, refused: dict[str, Any]) -> None:
    """Refuse what scikit-learn's own estimators take beside X and y, saying why."""
    if "sample_weight" in refused and refused["sample_weight"] is None:
        refused = {key: value for key, value in refused.items() if key != "sample_weight"}
    if "sample_weight" in refused:
        raise SettingRefused(
            f"{name} takes no sample_weight. A weight multiplies how far its row can move a sum, and weights computed from the data make "
            "every row's share depend on the others, so the noise would no longer cover it. Draw the rows by public rules instead."
        )
    if refused:
        raise SettingRefused(
            f"{name}.fit takes X and y, got also {', '.join(sorted(refused))}. Set parameters in the constructor."
        )


def _refusal(error: ValueError) -> InputRefused:
    """Return scikit-learn's refusal as tacit's, without any value of a row in it."""
    if "could not convert" in str(error):
        return InputRefused(
            "X or y holds a value that is not a number (not repeated here: it is private). Products and sums need numbers. "
            "Encode texts by declared categories first (tacit.tables.Encoding)."
        )
    return InputRefused(str(error))
