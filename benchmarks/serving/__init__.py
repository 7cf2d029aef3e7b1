"""Measures the inference server beside the containers people use, and beside its own floor."""
