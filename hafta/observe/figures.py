"""The figures of a report, from the history of a unit and a window: plain values, as the JSON has them.

Every figure is a ratio over the window, or says on how many it rests: means of whole intervals would leave out those
that the window cuts, which are the long ones.
"""

from __future__ import annotations

from bisect import bisect_left

from hafta.frozen import Frozen
from hafta.observe.drills import PART
from hafta.observe.estimate import Figure, Lasted, between_failures, mean, quantile, ratio
from hafta.observe.intervals import DOWN, Class, Span, clip, parts, sums
from hafta.observe.kinds import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from hafta.observe.closing import History
    from hafta.observe.outages import Outage
    from hafta.observe.tally import Event

PARTS = ("abort", "wait", "begin", "hold", "start")
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class Window(Frozen):
    """What is asked for: from `begin` to `end`. `slo`: the share of time to be up that was promised, or None."""

    begin: int
    end: int
    slo: float | None = None
    counts_stops: bool = False


class Count:
    """What of a history lies in a window."""

    def __init__(self, history: History, window: Window) -> None:
        self.begin = window.begin
        self.end = max(min(window.end, history.end), self.begin)
        self.spans = list(clip(history.spans, self.begin, self.end))
        self.covered = max(0, self.end - max(self.begin, history.begin))
        if self.covered < self.end - self.begin:
            before = Span(self.begin, self.end - self.covered, Class.UNKNOWN, "before the journal")
            self.spans.insert(0, before)
        self.sums = sums(self.spans)
        self.outages = [one for one in history.outages if self._touches(one)]
        self.events = [one for one in history.tally.events if self.begin <= one.at < self.end]
        self.losses = [one for one in history.tally.losses if self.begin <= one.at < self.end]

    def _touches(self, outage: Outage) -> bool:
        return outage.at < self.end and (outage.until is None or outage.until > self.begin or outage.at >= self.begin)

    def of(self, times: Sequence[int]) -> int:
        """Return how many of these times lie in the window."""
        return sum(self.begin <= at < self.end for at in times)

    @property
    def down(self) -> int:
        """How long it was down, being held included."""
        return sum(self.sums[what] for what in DOWN)

    @property
    def failures(self) -> list[Outage]:
        """The ends of being up."""
        return [one for one in self.outages if one.is_failure and self.begin <= one.at]

    @property
    def restored(self) -> list[Outage]:
        """The outages that ended with being up."""
        return [one for one in self.outages if one.outcome == "restored" and self.begin <= (one.until or 0) <= self.end]


def report(history: History, window: Window, wall: Callable[[int], float]) -> dict[str, Any]:
    """Return the report of one unit. `wall`: a time of the history as seconds since 1970."""
    count = Count(history, window)
    tally = history.tally
    up, down, unknown = count.sums[Class.UP], count.down, count.sums[Class.UNKNOWN]
    bad = down + (count.sums[Class.STOPPED] if window.counts_stops else 0)
    restored = count.restored
    available = ratio(up, bad, unknown)
    return {
        "unit": history.unit,
        "from": wall(count.begin),
        "to": wall(count.end),
        "asked_seconds": seconds(window.end - window.begin),
        "covered_seconds": seconds(count.covered),
        "known_seconds": seconds(count.end - count.begin - unknown),
        "seconds": {what.value: seconds(count.sums[what]) for what in Class},
        "availability": plain(available),
        "availability_with_machine": plain(ratio(up, bad + count.sums[Class.MACHINE], unknown)),
        "budget": None if window.slo is None else _budget(window.slo, bad, up, unknown, available),
        "mtbf": plain(between_failures(up, len(count.failures))),
        "mttr": plain(mean(down, len(restored))),
        "mttr_without_hold": plain(mean(down - count.sums[Class.HELD], len(restored))),
        "restoration": _restoration(count, wall),
        "parts": _parts(count),
        "failures": _failures(count, count.of(tally.uncertain)),
        "drills": _drills(history, count),
        "restarts": {"asked": count.of(tally.asked), "missing": tally.missing},
        "sequences": _sequences(count),
        "rollbacks": _rollbacks(count.events),
        "lost": _lost(count),
        "unknown": [_interval(span, wall) for span in count.spans if span.what is Class.UNKNOWN],
        "intervals": [_interval(span, wall) for span in count.spans],
        "outages": [_outage(one, wall) for one in count.outages],
        "groups": [],  # hafta/observe/grouped.py
    }


def seconds(usec: int) -> float:
    """Return microseconds as seconds: every digit of them is in the JSON."""
    return usec / 1_000_000


def plain(figure: Figure) -> dict[str, Any]:
    """Return a figure as the JSON has it."""
    reason = figure.reason or None
    return {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n, "reason": reason}


def _budget(slo: float, bad: int, up: int, unknown: int, available: Figure) -> dict[str, Any]:
    everything = up + bad + unknown
    allowed = (1 - slo) * everything
    worst = available.low if available.low is not None else available.value
    return {
        "slo": slo,
        "allowed_seconds": allowed / 1e6,
        "used_seconds": seconds(bad),
        "left_seconds": (allowed - bad) / 1e6,
        "unknown_seconds": seconds(unknown),
        "met": available.value is not None and worst is not None and worst >= slo,
    }


def _restoration(count: Count, wall: Callable[[int], float]) -> dict[str, Any]:
    seen = []
    for one in count.outages:
        until = count.end if one.until is None else min(one.until, count.end)
        ended = one.outcome == "restored" and until == one.until
        seen.append(Lasted(max(0, count.begin - one.at), until - one.at, ended))
    found: dict[str, Any] = {name: plain(quantile(seen, share)) for name, share in SHARES.items()}
    longest = max(count.restored, key=lambda one: (one.until or 0) - one.at, default=None)
    found["n"] = len(count.restored)
    found["longest"] = longest and _outage(longest, wall)
    return found


def _parts(count: Count) -> dict[str, Any]:
    """Return the means of the parts, of which each restoration has had its share."""
    took, restored = parts(count.spans), count.restored
    found = {name: plain(mean(took.get(name, 0), len(restored))) for name in PARTS}
    ends = [one.until or 0 for one in restored]
    for name, kind in (("resume", Kind.RESUMED), ("first_good", Kind.RECOVERED)):
        times = sorted(one.at for one in count.events if one.kind is kind)
        after = [times[place] - at for at in ends if (place := bisect_left(times, at)) < len(times)]
        found[name] = plain(mean(sum(after), len(after)))
    return found


def _failures(count: Count, uncertain: int) -> dict[str, Any]:
    failures = count.failures
    causes: dict[str, int] = {}
    for one in failures:
        causes[one.cause] = causes.get(one.cause, 0) + 1
    return {
        "value": len(failures),
        "low": len(failures),
        "high": len(failures) + uncertain,
        "n": len(failures),
        "causes": dict(sorted(causes.items(), key=lambda item: (-item[1], item[0]))),
        "failed_starts": sum(one.failed_starts for one in count.outages),
        "given_up": sum(bool(one.given_up) for one in count.outages),
    }


def _drills(history: History, count: Count) -> dict[str, Any]:
    """Return what went down because of drills, which is not counted anywhere else."""
    drilled = [one for one in history.drilled if count.begin <= one.at < count.end]
    took = sum(span.end - span.begin for span in count.spans if span.what is Class.STOPPED and span.part == PART)
    return {"outages": len(drilled), "seconds": seconds(took), "drills": sorted({one.drill for one in drilled})}


def _sequences(count: Count) -> dict[str, Any]:
    good = sum(one.stands_for for one in count.events if one.kind is Kind.SUCCEEDED)
    bad = sum(one.stands_for for one in count.events if one.kind is Kind.SEQUENCE_FAILED)
    lost = sum(one.count for one in count.losses)
    return {"succeeded": good, "failed": bad, "success": plain(ratio(good, bad, lost))}


def _rollbacks(events: Sequence[Event]) -> dict[str, Any]:
    """Return them by node and error. What had not failed itself went back for another node, or for a stop: apart."""
    nodes: dict[tuple[str, str], dict[str, Any]] = {}
    for one in events:
        if one.kind not in (Kind.ROLLED_BACK, Kind.ROLLBACK_FAILED):
            continue
        node = nodes.setdefault(
            (one.sequence, one.node), {"count": 0, "failed": 0, "back": 0, "errors": {}, "took": []}
        )
        if one.usec is not None:
            node["took"].append(one.usec)
        if one.attempt == 0:
            node["back"] += one.stands_for
            continue
        node["count"] += one.stands_for
        node["failed"] += one.stands_for * (one.kind is Kind.ROLLBACK_FAILED)
        error = one.error or "unknown"
        node["errors"][error] = node["errors"].get(error, 0) + one.stands_for
    found = [_node(sequence, name, node) for (sequence, name), node in nodes.items()]
    return {
        "total": sum(one["count"] for one in found),
        "failed": sum(one["failed"] for one in found),
        "nodes": sorted(found, key=lambda one: (-one["count"], one["sequence"], one["node"])),
    }


def _node(sequence: str, name: str, node: dict[str, Any]) -> dict[str, Any]:
    took = sorted(node.pop("took"))
    undone = {
        "median_seconds": seconds(took[len(took) // 2]) if took else None,
        "longest_seconds": seconds(took[-1]) if took else None,
    }
    errors = dict(sorted(node.pop("errors").items(), key=lambda item: (-item[1], item[0])))
    return {"sequence": sequence, "node": name, **node, "errors": errors, "undone": undone}


def _lost(count: Count) -> dict[str, Any]:
    how: dict[str, int] = {}
    for one in count.losses:
        how[one.how] = how.get(one.how, 0) + one.count
    return {"events": sum(how.values()), "how": how}


def _interval(span: Span, wall: Callable[[int], float]) -> dict[str, Any]:
    return {
        "from": wall(span.begin),
        "to": wall(span.end),
        "seconds": seconds(span.end - span.begin),
        "class": span.what.value,
        "part": span.part,
        "run": span.run,
    }


def _outage(one: Outage, wall: Callable[[int], float]) -> dict[str, Any]:
    return {
        "from": wall(one.at),
        "to": None if one.until is None else wall(one.until),
        "seconds": None if one.until is None else seconds(one.until - one.at),
        "cause": one.cause,
        "outcome": one.given_up or one.outcome,
        "failure": one.is_failure,
        "failed_starts": one.failed_starts,
        "run": one.run,
    }
