"""Real people's table at epsilon 1: each estimator for tables against its twin without privacy.

Mean and standard deviation of 20 fits, measured before the bounds were set (noise of the operating system, official split):

    PrivateNaiveBayes            0.8273  s.d. 0.0009   twin (the same counts without noise)      0.8270
    PrivateLogisticRegression    0.8432  s.d. 0.0032   twin (LogisticRegression)                 0.8464
    PrivateBoostedTrees          0.8470  s.d. 0.0021   twin (HistGradientBoostingClassifier)     0.8724
    PrivateLinearRegression      0.397   s.d. 0.0041   twin (Ridge), R^2 of the age              0.436

Each bound is the mean less 8 standard deviations times sqrt(1 + 1/20): where the scores of fits are normal, one more fit falls
below with probability 8e-8 (Student's t with 19 degrees of freedom).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tacit.privacy.ledger import Ledger
from tacit.train.sklearn import PrivateBoostedTrees, PrivateLinearRegression, PrivateLogisticRegression, PrivateNaiveBayes

pytestmark = pytest.mark.data

NUMBERS = {
    "age": (17, 90),
    "education-num": (1, 16),
    "capital-gain": (0, 99999),
    "capital-loss": (0, 4356),
    "hours-per-week": (1, 99),
}
CODEBOOK = """
workclass: Federal-gov Local-gov Never-worked Private Self-emp-inc Self-emp-not-inc State-gov Without-pay
education: 10th 11th 12th 1st-4th 5th-6th 7th-8th 9th Assoc-acdm Assoc-voc Bachelors Doctorate HS-grad Masters Preschool
Prof-school Some-college
marital-status: Divorced Married-AF-spouse Married-civ-spouse Married-spouse-absent Never-married Separated Widowed
occupation: Adm-clerical Armed-Forces Craft-repair Exec-managerial Farming-fishing Handlers-cleaners Machine-op-inspct
Other-service Priv-house-serv Prof-specialty Protective-serv Sales Tech-support Transport-moving
relationship: Husband Not-in-family Other-relative Own-child Unmarried Wife
race: Amer-Indian-Eskimo Asian-Pac-Islander Black Other White
sex: Female Male
native-country: Cambodia Canada China Columbia Cuba Dominican-Republic Ecuador El-Salvador England France Germany Greece
Guatemala Haiti Holand-Netherlands Honduras Hong Hungary India Iran Ireland Italy Jamaica Japan Laos Mexico Nicaragua
Outlying-US(Guam-USVI-etc) Peru Philippines Poland Portugal Puerto-Rico Scotland South Taiwan Thailand Trinadad&Tobago
United-States Vietnam Yugoslavia
"""
"""Every category there is, from the data set's own description (adult.names), public."""


def categories() -> dict[str, list[str]]:
    """Return the codebook, each column's values in order."""
    found: dict[str, list[str]] = {}
    for word in CODEBOOK.split():
        if word.endswith(":"):
            values = found.setdefault(word[:-1], [])
        else:
            values.append(word)
    return found


CATEGORIES = categories()

LABELS = ["<=50K", ">50K"]
Floats = NDArray[np.float64]


def numbers(table: pd.DataFrame, name: str) -> tuple[Floats, float, float]:
    """Return a column within its bounds; the two with heavy tails as logarithms, a map of one value fixed beforehand."""
    low, high = NUMBERS[name]
    values = np.clip(table[name].to_numpy(float), low, high)
    return (np.log1p(values), 0.0, float(np.log1p(high))) if name.startswith("capital") else (values, low, high)


def codes(table: pd.DataFrame, name: str) -> NDArray[np.int64]:
    """Return each value's place in the codebook, one more for a missing one."""
    found = pd.Categorical(table[name], categories=CATEGORIES[name]).codes.astype(np.int64)
    return np.where(found < 0, len(CATEGORIES[name]), found)


def one_hot(table: pd.DataFrame, without: str = "") -> Floats:
    """Return numbers scaled to [-1, 1] and one column of 0 and 1 for every category: each column of the table adds at most 1
    to a row's squared length."""
    columns = []
    for name in NUMBERS:
        if name != without:
            values, low, high = numbers(table, name)
            columns.append(((values - low) / (high - low) * 2 - 1)[:, None])
    return np.hstack([*columns, *(np.eye(len(CATEGORIES[name]) + 1)[codes(table, name)] for name in CATEGORIES)])


def coded(table: pd.DataFrame) -> tuple[Floats, tuple[list[float], list[float]], list[int]]:
    """Return one column for every column of the table, their bounds, and how many bins each is worth."""
    many = [numbers(table, name) for name in NUMBERS]
    sizes = [len(CATEGORIES[name]) for name in CATEGORIES]
    columns = [*(values for values, *_ in many), *(codes(table, name) for name in CATEGORIES)]
    low = [*(one for _, one, _ in many), *(0.0 for _ in sizes)]
    high = [*(one for *_, one in many), *(float(size) for size in sizes)]
    return np.column_stack(columns), (low, high), [16] * len(many) + [size + 1 for size in sizes]


@pytest.fixture(scope="module")
def adult(request: pytest.FixtureRequest) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder: Path = request.getfixturevalue("real_data") / "adult"
    read: Any = {"keep_default_na": False, "na_values": ["?"]}
    return tuple(pd.read_csv(folder / f"adult_{part}.csv.gz", **read) for part in ("train", "test"))


@pytest.fixture
def paying(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A budget of epsilon 1 at delta 1e-5: exactly one fit."""
    with Ledger.open(tmp_path / "ledger.sqlite", key_folder=tmp_path / "keys") as ledger:
        ledger.grant("adult", epsilon=1.0, delta=1e-5)
        yield {"ledger": ledger, "budget": "adult", "epsilon": 1.0, "delta": 1e-5}


def test_naive_bayes_loses_nothing(adult: tuple[pd.DataFrame, pd.DataFrame], paying: dict[str, Any]) -> None:
    train, test = adult
    rows, bounds, bins = coded(train)
    fitted = PrivateNaiveBayes(bounds=bounds, bins=bins, classes=LABELS, **paying).fit(rows, train["income"].to_numpy(object))
    assert fitted.score(coded(test)[0], test["income"].to_numpy(object)) > 0.8199


def test_boosted_trees_are_as_good_as_a_linear_model_without_privacy(
    adult: tuple[pd.DataFrame, pd.DataFrame], paying: dict[str, Any]
) -> None:
    train, test = adult
    rows, bounds, _ = coded(train)
    fitted = PrivateBoostedTrees(bounds=bounds, classes=LABELS, **paying).fit(rows, train["income"].to_numpy(object))
    assert fitted.score(coded(test)[0], test["income"].to_numpy(object)) > 0.8301


@pytest.mark.slow
def test_logistic_regression_stays_near_its_twin(adult: tuple[pd.DataFrame, pd.DataFrame], paying: dict[str, Any]) -> None:
    train, test = adult
    model = PrivateLogisticRegression(bounds=(-1, 1), row_norm=np.sqrt(13), classes=LABELS, **paying)
    fitted = model.fit(one_hot(train), train["income"].to_numpy(object))
    assert fitted.score(one_hot(test), test["income"].to_numpy(object)) > 0.8173


def test_linear_regression_explains_most_of_what_its_twin_does(
    adult: tuple[pd.DataFrame, pd.DataFrame], paying: dict[str, Any]
) -> None:
    train, test = adult
    model = PrivateLinearRegression(bounds=(-1, 1), target_bounds=(17, 90), row_norm=np.sqrt(12), **paying)
    fitted = model.fit(one_hot(train, "age"), train["age"].to_numpy(float))
    assert fitted.score(one_hot(test, "age"), test["age"].to_numpy(float)) > 0.3629
