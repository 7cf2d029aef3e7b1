"""Ids that come from the seed, so that a run can be replayed to the letter.

Each command and each moment of a manual clock draws from a context of its own, so that what was
only read before changes nothing. moto keeps one source of chance per process and takes its own
ids from it; it is set by the same context.
"""

from __future__ import annotations

import hashlib
import itertools
import uuid

from moto.moto_api._internal import mock_random


class _Context:
    """Where ids are drawn from now; replaced whole, so that no lock is needed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.made = itertools.count()
        self.answered = itertools.count()


_context = _Context("start")


def seed_ids(context: int | str, *, is_moto: bool = True) -> None:
    """Begin anew: from here on the same context gives the same ids.

    Args:
        context: the seed, or the seed and whose ids these are
        is_moto: whether moto may draw ids, too; setting its chance takes longer than ours
    """
    global _context
    _context = _Context(str(context))
    if is_moto:
        mock_random.seed(context)


def new_id() -> str:
    """Return an id of something that is made: a policy, an inference, an event."""
    context = _context
    return _uuid(f"{context.name}/made/{next(context.made)}")


def request_id() -> str:
    """Return an id of an answer."""
    context = _context
    return _uuid(f"{context.name}/answered/{next(context.answered)}")


def _uuid(name: str) -> str:
    digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
    return str(uuid.UUID(bytes=digest, version=4))
