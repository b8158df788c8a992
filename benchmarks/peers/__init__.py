"""What a user would write by hand: CSV to bronze (text) and silver Parquet, null counts. Nothing else is done."""
