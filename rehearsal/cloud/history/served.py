"""Which instance served the request a thread is at: AWS doesn't say, a replay must know."""

from __future__ import annotations

import threading


class _Served(threading.local):
    instance_id: str | None = None


_served = _Served()


def note_instance(instance_id: str | None) -> None:
    """Say which instance the request of this thread went to; None before it went anywhere."""
    _served.instance_id = instance_id


def noted_instance() -> str | None:
    """Return the instance the request of this thread went to."""
    return _served.instance_id
