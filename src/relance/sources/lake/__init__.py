"""Rows of tables in a lake: Parquet datasets, Delta, Iceberg, LanceDB."""

from relance.sources.lake.source import Lake

__all__ = ["Lake"]
