"""The inference server of a greenlight endpoint: SageMaker's container contract over an ONNX model.

A self-contained package: it imports nothing of the repository around it, because the image holds
nothing else. It never unpickles anything: what is served is `model.onnx` and two JSON files.
"""
