"""The handlers of the Lambda functions.

They need of this package everything but `cli`, `onboarding` and `aws.cdk` (`spark` too: its sources are part of the
code's hash), and pydantic, requests, urllib3, pyarrow, boto3 and aws-lambda-powertools; no pyspark, pysail, pandas or
numpy. The dataset's own folder lies in `datasets/<org>/<dataset>`, where PHARMAETL_DATASETS points to or beside the
package.
"""
