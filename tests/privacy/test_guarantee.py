import math

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.privacy import Guarantee, Neighbours


@pytest.mark.parametrize("epsilon", [-0.1, math.inf, math.nan, "3", True, None])
def test_an_epsilon_that_is_no_number_or_no_bound_is_refused(epsilon: object) -> None:
    with pytest.raises(ConfigError, match="epsilon"):
        Guarantee(epsilon=epsilon, delta=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize("delta", [-1e-9, 1.0, math.nan, "1e-5", True])
def test_a_delta_outside_its_range_is_refused(delta: object) -> None:
    with pytest.raises(ConfigError, match="delta"):
        Guarantee(epsilon=1.0, delta=delta)  # type: ignore[arg-type]


@pytest.mark.parametrize("unit", ["", None, 3])
def test_a_unit_without_a_name_is_refused(unit: object) -> None:
    with pytest.raises(ConfigError, match="unit"):
        Guarantee(epsilon=1.0, delta=1e-5, unit=unit)  # type: ignore[arg-type]


def test_an_unknown_neighbouring_relation_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(ConfigError, match="zero-out-one"):
        Guarantee(epsilon=1.0, delta=1e-5, neighbours="add-remove")  # type: ignore[arg-type]


def test_json_holds_every_field_and_builds_the_same_guarantee() -> None:
    guarantee = Guarantee(epsilon=3, delta=1e-5, unit="user_id", neighbours=Neighbours.REPLACE_ONE)
    assert guarantee.to_json() == {"epsilon": 3.0, "delta": 1e-5, "unit": "user_id", "neighbours": "replace-one"}
    assert Guarantee(**guarantee.to_json()) == guarantee


def test_numbers_are_kept_as_plain_floats() -> None:
    guarantee = Guarantee(epsilon=np.float32(2.0), delta=np.float64(1e-5))  # type: ignore[arg-type]
    assert type(guarantee.epsilon) is float
    assert type(guarantee.delta) is float


@pytest.mark.parametrize(
    ("epsilon", "printed"), [(3, "3"), (3.0001, "3.001"), (2.99924278, "3"), (0.1, "0.1"), (0.0, "0"), (1.23412, "1.235")]
)
def test_a_claim_is_never_printed_stronger_than_it_is(epsilon: float, printed: str) -> None:
    text = str(Guarantee(epsilon=epsilon, delta=1.00001e-5))
    assert text == f"epsilon {printed} at delta 1.001e-05 for one row (zero-out-one)"
