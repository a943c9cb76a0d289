"""What counts as a predictor and as a way to train with canaries."""

import numpy as np
from numpy.typing import NDArray

from tacit.models import CanaryTrainFn, Predictor


class Half:
    """Says one half whatever it is asked."""

    classes = ("no", "yes")

    def predict_proba(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full((len(features), 2), 0.5)


class Silent:
    classes = ("no", "yes")


class Echo:
    """Releases each present canary once, without noise."""

    steps = 1
    probability = 1.0

    def __call__(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        return present.astype(np.float64)


def test_a_predictor_is_whatever_has_classes_and_probabilities() -> None:
    predictor: Predictor = Half()  # the type checker agrees
    assert isinstance(predictor, Predictor)
    assert not isinstance(Silent(), Predictor)


def test_a_plain_function_object_trains_canaries() -> None:
    train: CanaryTrainFn = Echo()  # the type checker agrees
    present = np.array([[True, False]])
    assert (train.steps, train.probability) == (1, 1.0)
    assert train(present).tolist() == [[1.0, 0.0]]
