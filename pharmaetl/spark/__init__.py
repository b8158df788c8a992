"""What Glue executes: DataFrame code over the standard library and pyspark alone, for Python 3.10 and later.

No RDD, no Python UDF, no clock, no listing of files: the same code runs on JVM Spark, on Sail and on Glue.
"""
