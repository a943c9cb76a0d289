"""Without Ibis the package can be imported, and says what is missing when it is needed."""

import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from anonymize.scale.people import people, request
from tacit.anonymize.scale import anonymize_file, count_columns
from tacit.errors import MissingExtra


@pytest.mark.parametrize("package", ["ibis", "duckdb"])
def test_what_is_missing_is_named_with_the_remedy(tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(people(), tmp_path / "people.parquet")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match="tacit\\[anonymize\\]"):
        anonymize_file(tmp_path / "people.parquet", tmp_path / "out.parquet", **request())
    with pytest.raises(MissingExtra, match="tacit\\[anonymize\\]"):
        count_columns(tmp_path / "people.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["people.parquet"]
