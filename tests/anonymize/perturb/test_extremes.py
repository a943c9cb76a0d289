from typing import Any

import pyarrow as pa
import pytest

from anonymize.perturb.tables import FEW, people
from tacit.anonymize.perturb import code_extremes
from tacit.errors import ConfigError, DataError, PrivacyError
from tacit.noise import OsSource

SOURCE = OsSource.from_os()
AGES = pa.table({"age": [1, 17, 18, 40, None, 90, 91, 95, 99]})


def ages(**settings: Any) -> Any:
    return code_extremes(AGES, "age", source=SOURCE, **settings).table["age"]


def test_values_beyond_a_threshold_become_it_and_those_on_it_stay() -> None:
    assert ages(top=90).to_pylist() == [1, 17, 18, 40, None, 90, 90, 90, 90]
    assert ages(bottom=18).to_pylist() == [18, 18, 18, 40, None, 90, 91, 95, 99]
    assert ages(bottom=18, top=90).to_pylist() == [18, 18, 18, 40, None, 90, 90, 90, 90]
    assert ages(bottom=18, top=90).type == pa.int64()
    assert ages(top=90.5).to_pylist() == [1, 17, 18, 40, None, 90, 90.5, 90.5, 90.5]
    assert ages(top=200).equals(AGES["age"])


def test_means_keep_the_total() -> None:
    assert ages(top=90, replace="mean").to_pylist() == [1, 17, 18, 40, None, 90, 95, 95, 95]
    made = code_extremes(people(2_000), "income", bottom=5_000, top=40_000, replace="mean", source=SOURCE, attacker=FEW)
    effect = made.effect.columns["income"]
    assert effect.mean_after == pytest.approx(effect.mean_before, rel=1e-12)
    assert effect.changed > 0.1


def test_a_mean_of_fewer_than_three_rows_is_refused() -> None:
    with pytest.raises(PrivacyError, match="fewer than 3"):
        ages(bottom=18, replace="mean")
    with pytest.raises(PrivacyError, match="fewer than 3"):
        ages(top=98, replace="mean")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bottom": 5, "top": 5},
        {"bottom": 6, "top": 5},
        {"top": float("nan")},
        {"top": float("inf")},
        {"top": True},
        {"bottom": "1"},
    ],
)
def test_thresholds_that_are_none_are_refused(settings: Any) -> None:
    with pytest.raises(ConfigError):
        ages(**settings)
    with pytest.raises(ConfigError, match="replace"):
        ages(top=90, replace="median")


def test_text_is_refused() -> None:
    with pytest.raises(DataError, match="this is done with numbers"):
        code_extremes(people(5), "town", top=3, source=SOURCE)
