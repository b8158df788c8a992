"""Results of the API as screens: the data that `--json` prints, and the parts that people read."""
