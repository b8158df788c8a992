"""The cloud side: the same pipeline as Step Functions, Lambda and Glue over a lake on S3."""
