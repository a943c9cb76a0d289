"""One expression, the same file from DuckDB, PostgreSQL and Spark: byte for byte."""

import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from anonymize.scale.people import people, request

pytest.importorskip("ibis", reason="not run: ibis and duckdb")

from tacit.anonymize.scale import anonymize_file, count_columns
from tacit.errors import ConfigError


@pytest.fixture
def by_duckdb(tmp_path: Path) -> Any:
    pq.write_table(people(), tmp_path / "people.parquet")
    return anonymize_file(tmp_path / "people.parquet", tmp_path / "duckdb.parquet", **request())


def the_same(connection: Any, name: str, folder: Path, by_duckdb: Any) -> None:
    """Assert that a table released by another database is the same file, and is counted alike."""
    result = anonymize_file(name, folder / "other.parquet", backend=connection, **request())
    assert pq.read_table(result.file).equals(pq.read_table(by_duckdb.file))
    assert result.sha256 == by_duckdb.sha256
    assert result.manifest() == by_duckdb.manifest()
    assert result.suppressed > 0
    assert re.fullmatch(rf"{connection.name} \d+\.\d.*", result.backend)
    assert re.fullmatch(r"duckdb \d+\.\d+\.\d+", by_duckdb.backend)
    assert count_columns(name, backend=connection) == count_columns(folder / "people.parquet")


@pytest.mark.slow
def test_postgresql_releases_the_same_file_though_it_sorts_text_by_language(
    postgres: Any, tmp_path: Path, by_duckdb: Any
) -> None:
    postgres.create_table("people", people())
    assert postgres.raw_sql("SELECT 'Zebra' > 'apple'").fetchone() == (True,)  # not so byte by byte
    the_same(postgres, "people", tmp_path, by_duckdb)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PySpark's own
def test_spark_releases_the_same_file(spark: Any, tmp_path: Path, by_duckdb: Any) -> None:
    spark.read_parquet(str(tmp_path / "people.parquet"), table_name="people")
    the_same(spark, "people", tmp_path, by_duckdb)


def test_an_ibis_table_is_a_source_too(tmp_path: Path, by_duckdb: Any) -> None:
    import ibis

    table = ibis.duckdb.connect().read_parquet(str(tmp_path / "people.parquet"))
    result = anonymize_file(table, tmp_path / "other.parquet", **request())
    assert (result.sha256, result.backend) == (by_duckdb.sha256, by_duckdb.backend)


def test_limits_belong_to_the_database_that_tacit_opens(tmp_path: Path) -> None:
    import ibis

    with pytest.raises(ConfigError, match="belong to the DuckDB"):
        anonymize_file("people", tmp_path / "a.parquet", backend=ibis.duckdb.connect(), threads=1, **request())
