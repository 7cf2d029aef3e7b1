"""Ids that come from the seed, so that a run can be replayed to the letter.

moto keeps one source of chance per process and takes its own ids from it; request ids are drawn
beside it, because a client that only asks must not change what the next one that changes gets.
"""

from __future__ import annotations

import random
import threading
import uuid

from moto.moto_api._internal import mock_random

_REQUESTS = random.Random(0)
_LOCK = threading.Lock()


def seed_ids(seed: int | str) -> None:
    """Begin anew: from here on the same seed gives the same ids, ours and moto's."""
    with _LOCK:
        _REQUESTS.seed(f"requests/{seed}")
        mock_random.seed(seed)


def new_id() -> str:
    """Return an id of something that is made: a policy, an inference, an event."""
    with _LOCK:
        return str(mock_random.uuid4())


def request_id() -> str:
    """Return an id of an answer."""
    with _LOCK:
        return str(uuid.UUID(int=_REQUESTS.getrandbits(128), version=4))
