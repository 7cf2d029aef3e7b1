"""Batch Transform: jobs that run the model's containers over objects in S3."""
