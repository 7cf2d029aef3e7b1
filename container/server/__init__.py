"""The inference server of a greenlight endpoint: SageMaker's container contract over one artifact.

A self-contained package: it imports nothing of the repository around it, because the image holds
nothing else. Of an artifact it runs no code but the inference script, and it unpickles nothing
unless GREENLIGHT_ALLOW_PICKLE says so.
"""
