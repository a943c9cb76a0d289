"""Public data sets are read as their descriptions say (rows x columns from the data sets' own pages)."""

from pathlib import Path

import pytest

from tacit.tables import Kind, profile, read_table

pytestmark = pytest.mark.data

_SHAPES = {
    "adult/adult_train.csv.gz": (32_561, 15),
    "adult/adult_test.csv.gz": (16_281, 15),
    "arx/adult.csv.gz": (30_162, 9),
    "arx/mach2019_int.csv.gz": (73_489, 16),
    "taiwan-credit/credit-card-clients.csv.gz": (30_000, 24),
    "bank-marketing/bank-full.csv.gz": (40_004, 17),
    "acs-ma2019/ma2019.csv.gz": (7_634, 24),
    "german-credit/german_data_credit.csv.gz": (1_000, 22),
    "heart-cleveland/heart.csv": (303, 14),
    "student-por/student_por_new.csv.gz": (649, 33),
}


@pytest.mark.parametrize("name", _SHAPES)
def test_every_public_data_set_is_read_whole(real_data: Path, name: str) -> None:
    data = read_table(real_data / name)
    assert (data.num_rows, data.num_columns) == _SHAPES[name]


def test_adult_is_profiled_as_published(real_data: Path) -> None:
    """UCI Adult: 1,836 missing work classes, 583 missing countries, ages 17 to 90, 7,841 of 32,561 above 50K."""
    found = profile(read_table(real_data / "adult/adult_train.csv.gz"))
    assert found["workclass"].missing == 1_836
    assert found["native-country"].missing == 583
    assert (found["age"].minimum, found["age"].maximum) == (17, 90)
    assert dict(found["income"].top)[">50K"] == 7_841
    kinds = {column.name for column in found if column.kind is Kind.NUMERIC}
    assert kinds == {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}
