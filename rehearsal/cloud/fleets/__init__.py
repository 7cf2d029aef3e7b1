"""Instances as real server processes: images, artifacts, start-up, health, stop."""
