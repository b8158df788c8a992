"""Glue entry point for the silver layer."""

from pharmaetl.spark import glue

if __name__ == "__main__":
    glue.main("silver")
