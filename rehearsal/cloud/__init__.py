"""The rehearsal cloud: moto's server plus SageMaker hosting that waits, fails and rolls back."""
