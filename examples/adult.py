"""Income above 50,000 dollars in the UCI Adult census extract: a private logistic regression beside its non-private twin.

    python examples/adult.py FOLDER            # FOLDER holds adult_train.csv.gz and adult_test.csv.gz, with a header line
    python examples/adult.py FOLDER --quick    # an eighth of the rows: to see it run

Every feature is made from one row by bounds and categories that are written down here, taken from the census's public code book
and never from the rows. The settings of the training are the library's defaults; none was chosen by looking at a score.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit import Ledger, PrivateClassifier
from tacit.tables import Bounds, Categories, Column, Encoding, LabelRule, Schema, Table, read_table
from tacit.train import Network, train_plain

EPSILON, DELTA = 1.0, 1e-5

# --- What is publicly known of the columns --------------------------------------------------------------------------------

NUMBERS = {
    "age": (17, 90),
    "education-num": (1, 16),
    "hours-per-week": (1, 99),
    "capital-gain": (0, 99_999),  # dollars, top-coded by the census
    "capital-loss": (0, 4_356),
    "log capital-gain": (0, 12),  # log(1 + dollars), a map of one row at a time: few have any, and amounts span five decades
    "log capital-loss": (0, 12),
}
CATEGORIES = {
    "workclass": "Federal-gov Local-gov Never-worked Private Self-emp-inc Self-emp-not-inc State-gov Without-pay",
    "marital-status": "Divorced Married-AF-spouse Married-civ-spouse Married-spouse-absent Never-married Separated Widowed",
    "occupation": "Adm-clerical Armed-Forces Craft-repair Exec-managerial Farming-fishing Handlers-cleaners Machine-op-inspct "
    "Other-service Priv-house-serv Prof-specialty Protective-serv Sales Tech-support Transport-moving",
    "relationship": "Husband Not-in-family Other-relative Own-child Unmarried Wife",
    "race": "Amer-Indian-Eskimo Asian-Pac-Islander Black Other White",
    "sex": "Female Male",
    "native-country": "Cambodia Canada China Columbia Cuba Dominican-Republic Ecuador El-Salvador England France Germany Greece "
    "Guatemala Haiti Holand-Netherlands Honduras Hong Hungary India Iran Ireland Italy Jamaica Japan Laos Mexico Nicaragua "
    "Outlying-US(Guam-USVI-etc) Peru Philippines Poland Portugal Puerto-Rico Scotland South Taiwan Thailand Trinadad&Tobago "
    "United-States Vietnam Yugoslavia",
}
INCOME = LabelRule(column="income", classes=("<=50K", ">50K"))

ENCODING = Encoding(
    (
        *(Column(name=n, role="feature", kind="numeric", bounds=Bounds(low=a, high=b)) for n, (a, b) in NUMBERS.items()),
        *(
            Column(name=name, role="feature", kind="categorical", categories=Categories(values=tuple(values.split())))
            for name, values in CATEGORIES.items()
        ),
    )
)

# --- From the files to features in [-1, 1] and class numbers --------------------------------------------------------------


def read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows' features, shape (n, d), and classes, shape (n,)."""
    rows = read_table(file, missing=("?",))
    for name in ("capital-gain", "capital-loss"):
        rows = rows.append_column(f"log {name}", pc.log1p(rows[name].cast(pa.float64())))
    table = Table.from_arrow(rows, Schema.of((*ENCODING.columns, Column(name="income", role="label", kind="categorical"))))
    return ENCODING.encode(table), INCOME.labels(table)


# --- Train privately, and without privacy to see what it costs ------------------------------------------------------------


def main(folder: Path, runs: int = 1, quick: bool = False) -> list[tuple[float, float]]:
    """Return each run's accuracy on the test rows, private and of the twin; print them and what was spent."""
    (x, y), (x_test, y_test) = read(folder / "adult_train.csv.gz"), read(folder / "adult_test.csv.gz")
    if quick:
        x, y = x[:4_000], y[:4_000]
    twin = train_plain(x, y, INCOME.classes, Network(), epochs=1_000)
    plain = float(np.mean(twin.predict_proba(x_test).argmax(axis=1) == y_test))
    print(f"without privacy: {plain:.2%} of {len(y_test)} test rows right")

    found = []
    for run in range(runs):
        with tempfile.TemporaryDirectory() as here, Ledger.open(Path(here) / "ledger.sqlite") as ledger:
            ledger.grant("adult", epsilon=EPSILON, delta=DELTA, note="an example")
            model = PrivateClassifier(
                ledger=ledger, budget="adult", bounds=(-1, 1), classes=(0, 1), epsilon=EPSILON, delta=DELTA
            ).fit(x, y)
            right = model.score(x_test, y_test)
            print(f"private, run {run + 1}: {right:.2%} right, for {ledger.spent('adult')}")
        found.append((right, plain))
    return found


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--runs", type=int, default=1, help="trainings, each with fresh noise and a budget of its own")
    arguments.add_argument("--quick", action="store_true", help="an eighth of the rows")
    options = arguments.parse_args()
    main(options.folder, options.runs, options.quick)
