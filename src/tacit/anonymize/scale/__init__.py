"""Anonymization where the rows lie: DuckDB over files, PostgreSQL or Spark, by one Ibis expression for all of them."""

from tacit.anonymize.scale.profile import ColumnCount, count_columns
from tacit.anonymize.scale.record import FileAnonymization
from tacit.anonymize.scale.release import anonymize_file

__all__ = ["ColumnCount", "FileAnonymization", "anonymize_file", "count_columns"]
