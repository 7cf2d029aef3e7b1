"""Drives stacks: one per model, and the `greenlight` command.

Start reading at `driver.py` (what can be done to a model's stack) and `spec.py` (what a person
writes about a model). What has to be true before anything is uploaded is `automation.gate`. Nothing
here declares a resource: that is `components`.
"""
