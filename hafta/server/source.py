"""The stream of records: the alphabet and, at random, bad data. Decides what is written; writes nothing.

A record is bad with probability 1 / rate, each by itself. So the number of good records before the next bad one has the
geometric distribution, and drawing that number instead of each record lets a batch be cut and joined from ready bytes:

    P(gap >= k) = (1 - 1/rate)^k    and so    gap = floor(log(1 - u) / log(1 - 1/rate)),  u uniform in [0, 1)

exact but for the 2^-53 of the random number. The stream depends on rate and seed alone, never on how it is cut.
"""

from __future__ import annotations

import select
import sys
from _random import Random  # `random` loads warnings, bisect and hashes: a millisecond of each start
from math import log1p

GOOD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: Two records long and beginning with no A, so that a reader of records sees bad data twice and is in step again.
BAD = b"This is bad data and has to be at least 25 chars!!!!"
#: The largest write that is whole or not at all, also when the writer is killed: 157 good records make 4082 bytes.
ROOM = select.PIPE_BUF
#: More than will ever be written: 9e18 records.
NEVER = sys.maxsize

_SIZE = len(GOOD)
_GOODS = GOOD * (ROOM // _SIZE)


def gap(draw: float, rate: int) -> int:
    """Return how many good records stand before the next bad one, from a number in [0, 1)."""
    if rate == 0:
        return NEVER
    if rate == 1:
        return 0
    return min(NEVER, int(log1p(-draw) / log1p(-1 / rate)))


class Source:
    """Gives records until `count` of them were given; 0 is for ever. Without a seed, each source is different."""

    def __init__(self, rate: int, seed: int | None = None, count: int = 0) -> None:
        self._rate = rate
        self._draw = Random(seed).random
        self._gap = gap(self._draw(), rate)
        self._left = count or NEVER

    def take(self, limit: int = NEVER) -> tuple[bytes, int, int]:
        """Return whole records of together at most ROOM bytes, how many they are, and how many of them are bad.

        At most `limit` records. None at all means that the count is reached.
        """
        limit = min(limit, self._left)
        parts: list[bytes] = []
        records = bad = size = 0
        while records < limit:
            good = min(self._gap, limit - records, (ROOM - size) // _SIZE)
            parts.append(_GOODS[: good * _SIZE])
            self._gap -= good
            records += good
            size += good * _SIZE
            if self._gap or records == limit or ROOM - size < len(BAD):
                break
            parts.append(BAD)
            self._gap = gap(self._draw(), self._rate)
            records += 1
            bad += 1
            size += len(BAD)
        self._left -= records
        return b"".join(parts), records, bad
