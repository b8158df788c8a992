"""Glue entry point for the gold layer."""

from pharmaetl.spark import glue

if __name__ == "__main__":
    glue.main("gold")
