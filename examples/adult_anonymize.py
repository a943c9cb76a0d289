"""A census extract, released so that nobody in it stands alone: which models, what it costs, what risk is left, what it is worth.

    python examples/adult_anonymize.py             # made-up people with the columns of UCI Adult
    python examples/adult_anonymize.py FOLDER      # ARX's copy: adult.csv.gz and adult_hierarchy_COLUMN.csv

With ARX's table and hierarchies the first release is ARX's own benchmark (k = 5, 4% suppression, loss by geometric mean), and its
loss is ARX's published optimum, 0.2609.
"""

import argparse
import random
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from tacit.anonymize import (
    Anonymization,
    DistinctLDiversity,
    Hierarchy,
    IntervalHierarchy,
    KAnonymity,
    Loss,
    PrivacyModel,
    TCloseness,
    TreeHierarchy,
    anonymize,
    automatic_hierarchies,
    downstream_accuracy,
    measure_risk,
)
from tacit.tables import read_table

K, LIMIT, TARGET = 5, 0.04, "salary-class"
LOSS = Loss(aggregate="geometric mean")

# --- The people and how their columns are made coarser --------------------------------------------------------------------

SCHOOL = {
    "school": {"some": ["9th", "10th", "11th", "12th"], "finished": ["HS-grad"]},
    "college": {"college": ["Some-college", "Assoc-voc"], "degree": ["Bachelors", "Masters", "Doctorate"]},
}
COLUMNS = {
    "sex": "Male Female",
    "race": "White White White Black Asian-Pac-Islander Other",
    "marital-status": "Married Married Never-married Never-married Divorced Separated Widowed",
    "education": "9th 10th 11th 12th HS-grad HS-grad HS-grad Some-college Some-college Assoc-voc Bachelors Bachelors Masters Doctorate",
    "native-country": "United-States United-States United-States United-States Mexico Canada India Germany Philippines",
    "workclass": "Private Private Private Self-employed State-gov Federal-gov",
    "occupation": "Adm-clerical Craft-repair Exec-managerial Farming-fishing Machine-op-inspct Prof-specialty Sales Tech-support",
}


def made_up(rows: int = 1500) -> tuple[pa.Table, dict[str, Hierarchy]]:
    """Return made-up people, the same every time, with a declared hierarchy for two columns and automatic ones for the others."""
    chance = random.Random(1994)
    people = {name: [chance.choice(values.split()) for _ in range(rows)] for name, values in COLUMNS.items()}
    ages = [min(90, 17 + int(chance.expovariate(1 / 22))) for _ in range(rows)]
    degree = {"Bachelors": 1, "Masters": 2, "Doctorate": 2}
    earn = [
        chance.gauss(0, 1) + degree.get(school, 0) + (married == "Married") + (age > 30) > 2
        for school, married, age in zip(people["education"], people["marital-status"], ages, strict=True)
    ]
    table = pa.table({"age": ages, **people, TARGET: [">50K" if one else "<=50K" for one in earn]})
    declared: dict[str, Hierarchy] = {
        "age": IntervalHierarchy.from_widths(10, 100, [5, 10, 30]),
        "education": TreeHierarchy.from_groups(SCHOOL),
    }
    return table, declared | automatic_hierarchies(table, [name for name in COLUMNS if name not in declared])


def arx(folder: Path) -> tuple[pa.Table, dict[str, Hierarchy]]:
    """Return ARX's Adult with ARX's hierarchies."""
    table = read_table(folder / "adult.csv.gz")
    names = [name for name in table.column_names if name != TARGET]
    return table, {name: TreeHierarchy.from_csv(folder / f"adult_hierarchy_{name}.csv") for name in names}


# --- Three releases of the same people, to compare; in earnest make one and keep to it ------------------------------------

RELEASES: dict[str, tuple[list[PrivacyModel], str]] = {
    "k-anonymity, one level per column": ([KAnonymity(K)], "full-domain"),
    "and 2 incomes in every class, near the whole": (
        [KAnonymity(K), DistinctLDiversity(TARGET, 2), TCloseness(TARGET, 0.2)],
        "full-domain",
    ),
    "k-anonymity, each class on its own": ([KAnonymity(K)], "mondrian"),
}


def main(folder: Path | None = None) -> dict[str, Anonymization]:
    """Return each release; print what it costs, the risk before and after, and what a classifier learns from it."""
    people, quasi = made_up() if folder is None else arx(folder)
    before = measure_risk(people, list(quasi), threshold=1 / K)
    print(
        f"{people.num_rows} people: {before.unique} alone with their {len(quasi)} quasi-identifiers, average risk {before.average:.1%}"
    )
    found = {}
    for what, (models, recoding) in RELEASES.items():
        result = anonymize(
            people,
            quasi=quasi,
            require=models,
            sensitive=[TARGET],
            suppression_limit=LIMIT,
            minimize=LOSS,
            recoding=recoding,  # type: ignore[arg-type]
        )
        _tell(what, people, quasi, result)
        found[what] = result
    return found


def _tell(what: str, people: pa.Table, quasi: Mapping[str, Hierarchy], result: Anonymization) -> None:
    after = measure_risk(result.table, list(quasi), threshold=1 / K)
    worth = downstream_accuracy(people, result.table, origin=result.origins, features=list(quasi), target=TARGET)
    print(f"\n{what}: loss {result.score:.4f} ({result.search})")
    print(f"  {result.suppressed} rows left out; {result.classes} classes of {result.smallest_class} or more")
    print(
        f"  risk: highest {after.highest:.1%}, average {after.average:.1%}, none alone"
        if not after.unique
        else "  someone is alone"
    )
    print(f"  income guessed rightly: {worth.original:.1%} from the original, {worth.released:.1%} from the release")
    print(f"  confirmed by the second implementation: {', '.join(result.verification.checks)}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, nargs="?")
    main(arguments.parse_args().folder)
