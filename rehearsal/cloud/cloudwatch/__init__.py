"""Metrics, statistics and alarms on rehearsal time."""
