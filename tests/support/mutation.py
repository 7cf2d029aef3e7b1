"""Bodies made by changing good ones at random, the same on every run; no tests here."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

LARGEST_BODY_BYTES = 600


def mutated_bodies(
    seeds: Sequence[bytes], words: Sequence[bytes], *, count: int, seed: int
) -> Iterator[bytes]:
    """Give bodies that are nearly, but mostly not quite, what a decoder reads.

    Args:
        seeds: good bodies; what comes of them is changed again, now and then
        words: pieces of the format, to be put in anywhere
        count: how many bodies
        seed: decides all of it
    """
    draw = random.Random(seed)
    pool = list(seeds)
    for _ in range(count):
        # Mostly of good ones: what comes of junk is junk.
        is_fresh = draw.random() < 0.8
        body = bytearray(draw.choice(seeds if is_fresh else pool))
        for _ in range(draw.choice((1, 1, 1, 1, 2, 5))):
            _change(body, draw, words, pool)
        changed = bytes(body[:LARGEST_BODY_BYTES])
        if draw.random() < 0.05:
            pool[len(seeds) :] = [*pool[len(seeds) :], changed][-200:]
        yield changed


def _change(
    body: bytearray, draw: random.Random, words: Sequence[bytes], pool: Sequence[bytes]
) -> None:
    start = draw.randint(0, len(body))
    end = min(len(body), start + draw.choice((0, 1, 1, 2, 4, 16)))
    kind = draw.randrange(6)
    if kind == 0 and start < len(body):
        body[start] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del body[start:end]
    elif kind == 2:
        body[start:start] = body[start:end] * draw.choice((1, 2, 8))
    elif kind == 3:
        body[start:end] = draw.choice(words)
    elif kind == 4:
        body[start:end] = draw.randbytes(end - start)
    else:
        other = draw.choice(pool)
        at = draw.randint(0, len(other))
        body[start:] = other[at:]
