"""From a source file to canonical records: members, encodings, lines, quoting, headers. Standard library only."""
