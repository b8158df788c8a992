"""The command line: reads words, calls `pharmaetl.api`, hands the result to the one module that prints."""
