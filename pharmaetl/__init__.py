"""Pipelines over public drug data: fetched, checked, versioned and published as Parquet."""

__version__ = "0.1.0"
