"""A small study of made-up people: the whole walk in seconds."""

import csv
import random
from pathlib import Path

TEXT = """\
[study]
name = "small"

[data]
path = "people.csv"
rows = 400
id = "id"

[columns.id]
role = "identifier"
treat = "drop"

[columns.name]
role = "identifier"

[columns.age]
role = "quasi"
bounds = [20, 80]
hierarchy = { widths = [10, 20] }

[columns.town]
role = "quasi"
categories = ["north", "south"]

[columns.score]
role = "feature"
bounds = [0, 10]

[columns.ill]
role = "label"
categories = ["no", "yes"]

[anonymize]
k = 4
suppression_limit = 0.05

[train]
epsilon = 2.0
delta = 1e-5
epochs = 4

[evaluate]
audit_runs = 60
audit_canaries = 60

[ledger]
path = "ledger.sqlite"
dataset = "people"
"""


def write_small_study(folder: Path, text: str = TEXT, rows: int = 400) -> Path:
    """Write people.csv and study.toml into a folder; return the study's path."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(11)
    with (folder / "people.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "name", "age", "town", "score", "ill"])
        for number in range(rows):
            score = chance.uniform(0, 10)
            ill = "yes" if score + chance.gauss(0, 2) > 5 else "no"
            person = [f"p{number:04d}", f"Ada Person{number}", chance.randint(20, 80), chance.choice(["north", "south"])]
            writer.writerow([*person, f"{score:.2f}", ill])
    study = folder / "study.toml"
    study.write_text(text, encoding="utf-8")
    return study
