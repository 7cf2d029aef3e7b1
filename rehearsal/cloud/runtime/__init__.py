"""The SageMaker runtime: which instance answers an invocation, and how."""
