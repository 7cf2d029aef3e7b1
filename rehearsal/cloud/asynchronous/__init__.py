"""Asynchronous inference: requests wait in a queue, answers and failures go to S3 and SNS."""
