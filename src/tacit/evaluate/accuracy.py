"""What a classifier is worth on rows it has not seen."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tacit.errors import DataError
from tacit.evaluate.inputs import class_codes, class_names, confidence_level, probability_matrix
from tacit.evaluate.intervals import auc_with_interval, newcombe_paired
from tacit.models.finding import Basis, Finding
from tacit.models.wilson import wilson

_INDEPENDENT = "rows drawn independently of one another, none used in training"
_PAIRED = "Newcombe 1998 (paired, method 10) on the same rows"


def utility(
    probabilities: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    model: str = "private",
    basis: Basis = Basis.EXACT,
    confidence: float = 0.95,
) -> list[Finding]:
    """Return accuracy, the majority class, accuracy above it and, for two classes, the area under the ROC curve.

    probabilities -- shape (n, k), rows adding up to 1. labels -- class numbers, shape (n,). classes -- k names.
    model         -- which model this is, named in every finding: "private" or "non-private".
    basis         -- what the rows are: private rows are EXACT, public ones PUBLIC.
    The prediction is the class with the largest probability, the first of them in a tie; class 1 is the positive one.
    Raises ConfigError or ShapeError for wrong settings or shapes, DataError for empty, NaN or one-class input.
    """
    names = class_names(classes)
    matrix = probability_matrix(probabilities, "probabilities", classes=len(names))
    codes = _codes_of_two_classes(labels, matrix, names)
    n = len(codes)
    right = matrix.argmax(axis=1) == codes
    majority = int(np.bincount(codes, minlength=len(names)).argmax())
    common = codes == majority
    findings = [
        _share("accuracy", f"accuracy of the {model} model", right, basis, confidence, {"model": model, "classes": list(names)}),
        _share(
            "majority",
            f"majority class beside the {model} model",
            common,
            basis,
            confidence,
            {"model": model, "class": names[majority]},
        ),
        _difference(
            f"accuracy of the {model} model above the majority class", right, common, basis, confidence, {"model": model}
        ),
    ]
    if len(names) == 2:
        area, interval = auc_with_interval(matrix[codes == 1, 1], matrix[codes == 0, 1], confidence)
        findings.append(
            Finding(
                kind="auc",
                name=f"AUC of the {model} model",
                value=area,
                basis=basis,
                method="area under the ROC curve; DeLong 1988 variance (capped) in a Wilson interval",
                interval=interval,
                confidence=confidence,
                n=n,
                ceiling=1.0,
                assumption=_INDEPENDENT,
                details={"model": model, "classes": list(names), "positive": names[1]},
            )
        )
    return findings


def accuracy_difference(
    probabilities: ArrayLike,
    twin_probabilities: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    basis: Basis = Basis.EXACT,
    confidence: float = 0.95,
) -> Finding:
    """Return how much accuracy the private model loses against its non-private twin on the same rows.

    probabilities, twin_probabilities -- the private model's and the twin's, shape (n, k) both.
    The value is accuracy(twin) - accuracy(private): positive when privacy cost accuracy. Errors as in `utility`.
    """
    names = class_names(classes)
    private = probability_matrix(probabilities, "probabilities", classes=len(names))
    twin = probability_matrix(twin_probabilities, "twin_probabilities", classes=len(names))
    codes = _codes_of_two_classes(labels, private, names)
    if len(twin) != len(private):
        raise DataError(f"both models must predict the same rows, got {len(private)} and {len(twin)}: the difference is paired.")
    return _difference(
        "accuracy lost to privacy", twin.argmax(axis=1) == codes, private.argmax(axis=1) == codes, basis, confidence, {}
    )


def _codes_of_two_classes(labels: ArrayLike, matrix: NDArray[np.float64], names: tuple[str, ...]) -> NDArray[np.int64]:
    codes = class_codes(labels, rows=len(matrix), classes=len(names))
    if codes.min() == codes.max():
        raise DataError(
            f"the labels hold one class only ({names[codes[0]]!r}): every model that predicts it is always right. "
            "Use more rows, or check the label column and the split."
        )
    return codes


def _share(kind: str, name: str, hits: NDArray[np.bool_], basis: Basis, confidence: float, details: dict[str, object]) -> Finding:
    value = float(hits.mean())
    return Finding(
        kind=kind,
        name=name,
        value=value,
        unit="share",
        basis=basis,
        method="share of rows; Wilson 1927 interval",
        interval=wilson(value, len(hits), confidence_level(confidence)),
        confidence=confidence,
        n=len(hits),
        ceiling=1.0,
        assumption=_INDEPENDENT,
        details=details,
    )


def _difference(
    name: str, first: NDArray[np.bool_], second: NDArray[np.bool_], basis: Basis, confidence: float, details: dict[str, object]
) -> Finding:
    both, gained, lost, neither = (
        int(np.count_nonzero(cell)) for cell in (first & second, first & ~second, ~first & second, ~first & ~second)
    )
    return Finding(
        kind="accuracy-difference",
        name=name,
        value=(gained - lost) / len(first),
        unit="share",
        basis=basis,
        method=f"difference of two accuracies; {_PAIRED}",
        interval=newcombe_paired(both, gained, lost, neither, confidence_level(confidence)),
        confidence=confidence,
        n=len(first),
        ceiling=1.0,
        assumption=_INDEPENDENT,
        details=details,
    )
