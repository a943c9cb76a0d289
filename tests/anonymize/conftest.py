"""ARX's example table, where the data sets are at hand; tests that use it carry the marker `data`."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv


@pytest.fixture(scope="session")
def arx(real_data: Path) -> Path:
    """Return the folder of ARX's Adult table and hierarchies."""
    return real_data / "arx"


@pytest.fixture(scope="session")
def adult(arx: Path) -> pa.Table:
    """Return Adult as ARX ships it: 30,162 rows, 9 columns."""
    return csv.read_csv(arx / "adult.csv.gz", parse_options=csv.ParseOptions(delimiter=";"))
