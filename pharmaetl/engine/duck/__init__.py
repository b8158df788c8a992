"""DuckDB as an engine for the transforms: the part of PySpark's DataFrame API that they use, written as DuckDB's SQL.

Frames are SQL texts that DuckDB plans as a whole; nothing runs before rows are collected, counted or written.
"""
