"""The NumPy network predicts what torch's would."""

import math
from typing import Any

import numpy as np
import pytest

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.models import ACTIVATIONS, DenseNetwork, Predictor


def _network(
    widths: tuple[int, ...] = (3, 4, 2), activation: str = "relu", seed: int = 0, dtype: Any = np.float64, **changes: Any
) -> DenseNetwork:
    rng = np.random.default_rng(seed)
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    parts: dict[str, Any] = {
        "weights": tuple((rng.standard_normal(shape) / np.sqrt(shape[1])).astype(dtype) for shape in shapes),
        "biases": tuple(rng.standard_normal(shape[0]).astype(dtype) for shape in shapes),
        "activation": activation,
        "classes": ("no", "yes"),
    }
    return DenseNetwork(**{**parts, **changes})


def _torch_twin(network: DenseNetwork, torch: Any) -> Any:
    nn = torch.nn
    modules = {"identity": nn.Identity, "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU}
    layers: list[Any] = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.from_numpy(weight.copy()).dtype)
        linear.weight.data, linear.bias.data = torch.from_numpy(weight.copy()), torch.from_numpy(bias.copy())
        layers += [linear, modules[network.activation]()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-12)])
def test_probabilities_equal_those_of_torchs_sequential(activation: str, dtype: Any, tolerance: float) -> None:
    torch = pytest.importorskip("torch")
    features = np.random.default_rng(1).standard_normal((200, 7))
    for widths, classes in (((7, 16, 8, 3), ("a", "b", "c")), ((7, 2), ("a", "b")), ((7, 5, 1), ("a", "b"))):
        network = _network(widths, activation, dtype=dtype, classes=classes)
        with torch.no_grad():
            logits = _torch_twin(network, torch)(torch.from_numpy(features.astype(dtype)))
            second = torch.sigmoid(logits)
            expected = torch.cat([1 - second, second], 1) if widths[-1] == 1 else torch.softmax(logits, 1)
        found = network.predict_proba(features.astype(dtype).astype(np.float64))
        assert np.abs(found - expected.numpy()).max() <= tolerance


def test_probabilities_add_up_to_one_even_for_huge_logits() -> None:
    for widths in ((3, 2), (3, 1)):
        network = _network(widths)
        found = network.predict_proba(np.array([[1e300, -1e300, 1e5], [0, 0, 0], [-1e300, 1e300, 7]]))
        assert np.isfinite(found).all()
        assert np.allclose(found.sum(axis=1), 1)


def test_it_is_a_predictor_and_predicts_the_most_probable_class() -> None:
    network = _network((2, 3), weights=(np.eye(3, 2),), biases=(np.zeros(3),), classes=("a", "b", "c"))
    assert isinstance(network, Predictor)
    assert network.predict(np.array([[2.0, 1.0], [1.0, 2.0], [-1.0, -1.0]])).tolist() == ["a", "b", "c"]
    one = _network((1, 1), weights=(np.ones((1, 1)),), biases=(np.zeros(1),))
    assert one.predict(np.array([[-1.0], [1.0]])).tolist() == ["no", "yes"]


def test_each_part_changes_the_prediction() -> None:
    features = np.random.default_rng(2).standard_normal((5, 3))
    base = _network()
    for other in (_network(seed=1), _network(activation="tanh"), _network(biases=(np.zeros(4), np.ones(2)))):
        assert not np.allclose(base.predict_proba(features), other.predict_proba(features))
    assert set(base.predict(features)) <= {"no", "yes"}
    assert set(_network(classes=("a", "b")).predict(features)) <= {"a", "b"}


def test_the_network_cannot_change() -> None:
    weights = (np.ones((2, 3)),)
    network = _network((3, 2), weights=weights)
    weights[0][:] = 7
    assert (network.weights[0] == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        network.weights[0][0, 0] = 5
    with pytest.raises(AttributeError):
        network.classes = ("a", "b")  # type: ignore[misc]


def test_a_linear_network_has_no_activation() -> None:
    assert _network((3, 2), "tanh").activation == "identity"
    assert _network((3, 4, 2), "tanh").activation == "tanh"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"activation": "softmax"}, ConfigError),
        ({"classes": ("a",)}, ConfigError),
        ({"classes": ("a", "a")}, ConfigError),
        ({"classes": "ab"}, ConfigError),
        ({"classes": (0, 1)}, ConfigError),
        ({"classes": ("a", "b", "c")}, ShapeError),
        ({"weights": ()}, ShapeError),
        ({"weights": (), "biases": ()}, ShapeError),
        ({"weights": (np.ones((4, 3)), np.ones((2, 5)))}, ShapeError),
        ({"weights": (np.ones(3), np.ones((2, 4)))}, ShapeError),
        ({"weights": (np.ones((4, 0)), np.ones((2, 4)))}, ShapeError),
        ({"biases": (np.zeros(4), np.zeros(3))}, ShapeError),
        ({"biases": (np.zeros(4, np.float32), np.zeros(2))}, ShapeError),
        ({"biases": (np.zeros(4), np.array([0.0, math.nan]))}, ConfigError),
        ({"biases": (np.zeros(4), np.zeros(2, np.int64))}, ConfigError),
    ],
)
def test_a_network_whose_parts_do_not_fit_is_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        _network(**changes)


def test_features_of_another_shape_or_not_finite_are_refused() -> None:
    network = _network()
    for wrong in (np.zeros((2, 4)), np.zeros(3), np.zeros((1, 3, 1))):
        with pytest.raises(ShapeError, match=r"must have shape \(n, 3\)"):
            network.predict_proba(wrong)
    with pytest.raises(DataError, match="must be finite"):
        network.predict_proba(np.array([[0.0, math.nan, 1.0]]))
    with pytest.raises(DataError, match="must be numbers"):
        network.predict_proba([["a", "b", "c"]])  # type: ignore[arg-type]
    assert network.predict_proba(np.zeros((0, 3))).shape == (0, 2)
