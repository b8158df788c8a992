"""Glue entry point for the bronze layer."""

from pharmaetl.spark import glue

if __name__ == "__main__":
    glue.main("bronze")
