"""What a model sees: the original rows through declared maps of one row at a time (SOUNDNESS 1 and 2)."""

import csv
from pathlib import Path

import numpy as np
import pytest

from small_study import write_small_study
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.study.loading import load_study
from tacit.study.rows import Rows, rows_of
from tacit.study.run import Run


def seen(folder: Path) -> Rows:
    """Return the rows a training in this folder would see; the study's keys are kept between calls."""
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        run = Run(study=load_study(folder / "study.toml"), folder=folder / "runs/small", ledger=ledger, source=SeededSource(1))
        return rows_of(run)


def people(folder: Path) -> list[dict[str, str]]:
    with (folder / "people.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "people.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_training_sees_the_original_rows_through_the_declared_bounds_and_categories(tmp_path: Path) -> None:
    write_small_study(tmp_path)
    rows, people_ = seen(tmp_path), people(tmp_path)
    by_hand = [
        [
            (float(one["age"]) - 20) / 30 - 1,
            0.0,
            *(float(one["town"] == town) for town in ("north", "south")),
            0.0,
            0.0,
            float(one["score"]) / 5 - 1,
            0.0,
        ]
        for one in people_
    ]
    np.testing.assert_allclose(rows.features, by_hand, atol=1e-12)
    assert rows.labels.tolist() == [int(one["ill"] == "yes") for one in people_]
    assert 0.7 < rows.training.mean() < 0.9


@pytest.mark.parametrize(
    "person",
    [
        {"age": "80", "town": "south", "score": "10.00", "ill": "no"},
        {"age": "20", "town": "north", "score": "0.00", "ill": "yes"},
        {"age": "", "town": "", "score": "", "ill": "no"},
        {"age": "2000", "town": "elsewhere", "score": "-1e9", "ill": "yes"},
    ],
)
def test_one_persons_answers_change_that_persons_row_and_no_other(tmp_path: Path, person: dict[str, str]) -> None:
    write_small_study(tmp_path)
    before, rows = seen(tmp_path), people(tmp_path)
    rows[17] |= person
    write(tmp_path, rows)
    after = seen(tmp_path)
    others = np.arange(len(rows)) != 17
    np.testing.assert_array_equal(after.features[others], before.features[others])
    np.testing.assert_array_equal(after.labels[others], before.labels[others])
    np.testing.assert_array_equal(after.training, before.training)
    assert not np.array_equal(after.features[17], before.features[17])


def test_the_split_follows_the_id_and_not_the_place(tmp_path: Path) -> None:
    write_small_study(tmp_path)
    before, rows = seen(tmp_path), people(tmp_path)
    write(tmp_path, rows[::-1])
    np.testing.assert_array_equal(seen(tmp_path).training, before.training[::-1])
