"""Measures the rehearsal cloud: its cost, what it carries, and moto beside it."""
