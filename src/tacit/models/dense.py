"""A trained dense network that needs NumPy alone to predict."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError, ShapeError

Floats = NDArray[np.float64]


def _sigmoid(z: Floats) -> Floats:
    small = np.exp(-np.abs(z))  # never overflows
    return np.asarray(np.where(z >= 0, 1.0, small) / (1.0 + small))


def _gelu(z: Floats) -> Floats:
    from scipy.special import erf

    return np.asarray(z * 0.5 * (1.0 + erf(z / np.sqrt(2.0))))


_ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0.0),
    "tanh": lambda z: np.tanh(z),
    "sigmoid": _sigmoid,
    "gelu": _gelu,
    "silu": lambda z: z * _sigmoid(z),
}

ACTIVATIONS = tuple(_ACTIVATIONS)
"""Names a network knows; each equals torch's module of that name with its default settings (gelu is the exact one)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DenseNetwork:
    """A linear model or multi-layer perceptron with fixed weights; a Predictor.

    weights    -- one array of shape (outputs, inputs) per layer, as torch's nn.Linear holds it; finite float32 or float64.
    biases     -- one array of shape (outputs,) per layer, of the weights' type.
    activation -- applied between layers, never after the last; one of ACTIVATIONS. A network of one layer has "identity".
    classes    -- k >= 2 labels without repeats; the last layer has k outputs, or one for two classes (the logit of classes[1]).

    Arrays are copied and made read-only; predictions are computed in float64.
    Raises ShapeError when arrays do not fit together, ConfigError for another wrong value.
    """

    weights: tuple[NDArray[Any], ...]
    biases: tuple[NDArray[Any], ...]
    activation: str
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.activation not in _ACTIVATIONS:
            raise ConfigError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}. "
                "Another one would predict something else than what was trained. Train with one of these."
            )
        given: Any = self.classes
        if (
            isinstance(given, str)
            or not all(isinstance(name, str) for name in given)
            or len(set(given)) != len(given)
            or len(given) < 2
        ):
            raise ConfigError(
                f'classes must be at least two texts without repeats, got {given!r}. Write for example ("no", "yes").'
            )
        object.__setattr__(self, "classes", tuple(given))
        object.__setattr__(self, "weights", tuple(_frozen(array, "weights") for array in self.weights))
        object.__setattr__(self, "biases", tuple(_frozen(array, "biases") for array in self.biases))
        _check_shapes(self.weights, self.biases, len(self.classes))
        if len(self.weights) == 1:  # no place to apply it: equal networks are described alike
            object.__setattr__(self, "activation", "identity")

    @property
    def inputs(self) -> int:
        """Number of features d that a row must have."""
        return int(self.weights[0].shape[1])

    def predict_proba(self, features: Floats) -> Floats:
        """Return class probabilities, shape (n, k), rows adding up to 1, for finite features of shape (n, d).

        Raises ShapeError for another shape, DataError for features that are not finite numbers.
        """
        hidden = self._checked(features)
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = hidden @ weight.astype(np.float64).T + bias
            hidden = hidden if layer == last else _ACTIVATIONS[self.activation](hidden)
        if hidden.shape[1] == 1:
            return np.hstack([_sigmoid(-hidden), _sigmoid(hidden)])
        shifted = np.exp(hidden - hidden.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    def predict(self, features: Floats) -> NDArray[np.str_]:
        """Return the most probable class of each row, shape (n,); the first of equals."""
        return np.asarray(np.asarray(self.classes)[np.argmax(self.predict_proba(features), axis=1)])

    def _checked(self, features: Floats) -> Floats:
        try:
            rows = np.asarray(features, dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(
                "features must be numbers. A network adds and multiplies them. Encode the table first (Encoding.encode)."
            ) from None
        if rows.ndim != 2 or rows.shape[1] != self.inputs:
            raise ShapeError(
                f"features must have shape (n, {self.inputs}), got {rows.shape}. Each column meets the weight trained for it. "
                "Encode the table with the encoding saved with the model."
            )
        if not np.isfinite(rows).all():
            raise DataError(
                "features must be finite numbers, got NaN or infinity. The probabilities would be meaningless. "
                "Encode the table with Encoding.encode, which gives missing values a feature of their own."
            )
        return rows


def _frozen(array: Any, name: str) -> NDArray[Any]:
    copy = np.array(array)
    if copy.dtype not in (np.float32, np.float64):
        raise ConfigError(
            f"{name} must be float32 or float64, got {copy.dtype}. Only these are stored exactly. Convert with .astype."
        )
    if not np.isfinite(copy).all():
        raise ConfigError(
            f"{name} hold NaN or infinity. Training diverged; the model predicts nothing. Train again with a smaller step."
        )
    copy.setflags(write=False)
    return copy


def _check_shapes(weights: tuple[NDArray[Any], ...], biases: tuple[NDArray[Any], ...], classes: int) -> None:
    shapes = f"weights {[array.shape for array in weights]}, biases {[array.shape for array in biases]}"
    fits = (
        len(weights) == len(biases) > 0
        and all(weight.ndim == 2 and 0 not in weight.shape for weight in weights)
        and all(
            bias.shape == weight.shape[:1] and bias.dtype == weight.dtype for weight, bias in zip(weights, biases, strict=True)
        )
        and all(first.shape[0] == second.shape[1] for first, second in pairwise(weights))
    )
    if not fits:
        raise ShapeError(
            f"layers do not fit together: {shapes}. Each layer has weights (outputs, inputs) and biases (outputs,) of one type, "
            "and takes as many inputs as the layer before gives. Pass them as nn.Linear holds them."
        )
    outputs = weights[-1].shape[0]
    if outputs != classes and not (outputs == 1 and classes == 2):
        raise ShapeError(
            f"the last layer has {outputs} outputs for {classes} classes. Each class needs its probability. "
            "Give one output per class, or one output for two classes."
        )
