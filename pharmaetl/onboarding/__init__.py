"""A new dataset from a look at a real file."""
