"""Drives stacks: packaging gate, one stack per model, the `greenlight` command.

Start reading at `driver.py` (what can be done to a model's stack) and `packaging.py` (what has to
be true before anything is uploaded). Nothing here declares a resource: that is `components`.
"""
