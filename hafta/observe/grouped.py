"""A report by parts: of each day, cause or node what the whole has; and rollbacks by the hour. No I/O and no clock.

A row has all keys; null is what the journal cannot say of such a part: no node is up or down.
"""

from __future__ import annotations

import time

from hafta.observe.estimate import ratio
from hafta.observe.figures import Count, plain, seconds
from hafta.observe.intervals import DOWN, Class, clip, sums
from hafta.observe.kinds import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from hafta.observe.closing import History
    from hafta.observe.figures import Window
    from hafta.observe.tally import Event

WAYS = ("node", "cause", "day")
HOUR = 3600
_KEYS = ("name", "availability", "up_seconds", "down_seconds", "unknown_seconds", "failures", "rollbacks")


def rows(history: History, window: Window, how: str, wall: Callable[[int], float]) -> list[dict[str, Any]]:
    """Return a row for each node, cause or local day."""
    count = Count(history, window)
    found = _nodes(count) if how == "node" else _causes(count) if how == "cause" else _days(count, window, wall)
    return [{key: row.get(key) for key in _KEYS} for row in found]


def hours(history: History, window: Window, wall: Callable[[int], float]) -> dict[tuple[str, str], dict[int, int]]:
    """Return how often each node (sequence, node) was rolled back in each hour, counted since 1970."""
    found: dict[tuple[str, str], dict[int, int]] = {}
    for one in _failed(Count(history, window)):
        node = found.setdefault((one.sequence, one.node), {})
        hour = int(wall(one.at) // HOUR)
        node[hour] = node.get(hour, 0) + one.stands_for
    return found


def midnights(begin: float, end: float) -> Iterator[tuple[float, float]]:
    """Give the local days that a time touches, each from midnight to midnight: seconds since 1970."""
    at = begin
    while at < end:
        parts = time.localtime(at)
        first, after = (
            time.mktime((parts.tm_year, parts.tm_mon, parts.tm_mday + days, 0, 0, 0, 0, 0, -1)) for days in (0, 1)
        )
        yield first, after
        at = after


def _failed(count: Count) -> Iterator[Event]:
    """Give the rollbacks of nodes that had failed themselves."""
    kinds = (Kind.ROLLED_BACK, Kind.ROLLBACK_FAILED)
    return (one for one in count.events if one.kind in kinds and one.attempt)


def _nodes(count: Count) -> list[dict[str, Any]]:
    found: dict[str, int] = {}
    for one in _failed(count):
        name = f"{one.sequence} {one.node}".strip()
        found[name] = found.get(name, 0) + one.stands_for
    return [{"name": name, "rollbacks": number} for name, number in sorted(found.items(), key=lambda one: -one[1])]


def _causes(count: Count) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in count.failures:
        row = found.setdefault(one.cause, {"name": one.cause, "failures": 0, "down_seconds": 0.0})
        until = count.end if one.until is None else min(one.until, count.end)
        row["failures"] += 1
        row["down_seconds"] += seconds(until - one.at)
    return sorted(found.values(), key=lambda row: (-row["failures"], row["name"]))


def _days(count: Count, window: Window, wall: Callable[[int], float]) -> Iterator[dict[str, Any]]:
    ahead = wall(0)  # the clock as it stands now: so a day of it is a span of the history
    for first, after in midnights(wall(count.begin), wall(count.end)):
        begin, end = (round((moment - ahead) * 1e6) for moment in (first, after))
        took = sums(clip(count.spans, begin, end))
        down = sum(took[what] for what in DOWN) + (took[Class.STOPPED] if window.counts_stops else 0)
        yield {
            "name": time.strftime("%Y-%m-%d", time.localtime(first)),
            "availability": plain(ratio(took[Class.UP], down, took[Class.UNKNOWN])),
            "up_seconds": seconds(took[Class.UP]),
            "down_seconds": seconds(down),
            "unknown_seconds": seconds(took[Class.UNKNOWN]),
            "failures": sum(begin <= one.at < end for one in count.failures),
            "rollbacks": sum(one.stands_for for one in _failed(count) if begin <= one.at < end),
        }
