"""Faults on purpose: what is to go wrong, when, and how often."""
