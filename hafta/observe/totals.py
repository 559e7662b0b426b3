"""What is counted of one unit for metrics: numbers that never fall, though the journal forgets and the fold corrects.

1. What no later entry changes is added up once, and is kept. What the newest entries say is added each time.
2. A correction may make the second part smaller. So what is published is the largest sum that was published before, or
   the new one. A number that is too large by a correction stands still until the sum has caught up with it.
3. At most KEYS numbers of a unit have names that it gives: sequences, nodes, causes. What comes later is counted
   together, as OTHERS, for ever: so no number moves from one name to another.
"""

from __future__ import annotations

from hafta.observe.intervals import Class
from hafta.observe.kinds import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hafta.observe.intervals import Span
    from hafta.observe.outages import Outage
    from hafta.observe.tally import Event, Loss

    Key = tuple[str, ...]  # what is counted, and the values of its labels

KEYS = 120
OTHERS = "(others)"
LONGEST = 100  # characters of a label
#: Seconds: a restoration counts for each of these that it was not longer than.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_LOST = {"journald's rate limit": "rate_limit", "holes in the numbers": "hole"}
_ALWAYS = (
    *(("seconds", what.value) for what in Class),
    *(("restarts", kind) for kind in ("failure", "asked")),
    *(("lost", how) for how in ("rate_limit", "hole", "dropped")),
    *(("restoration", str(bound)) for bound in BUCKETS),
    *(("restoration", "+Inf"), ("restoration_sum",)),
)


class Totals:
    """The numbers of one unit. Times are in microseconds."""

    def __init__(self, settled: dict[Key, int] | None = None, published: dict[Key, int] | None = None) -> None:
        self.settled = settled or {}
        self.published = published or {}
        self._names = {key for key in (*self.settled, *self.published) if key not in _ALWAYS}

    def settle(self, spans: Iterable[Span], outages: Iterable[Outage], *, asked: int = 0) -> None:
        """Add what does not change any more."""
        _history(self.settled, spans, outages, self._key)
        _add(self.settled, ("restarts", "asked"), asked)

    def report(self, events: Iterable[Event], losses: Iterable[Loss]) -> None:
        """Add what the service has reported, which nothing corrects."""
        for one in events:
            if one.kind in (Kind.ROLLED_BACK, Kind.ROLLBACK_FAILED):
                what = "rollbacks" if one.kind is Kind.ROLLED_BACK else "rollback_failures"
                kind = "failure" if one.attempt else "back"
                _add(self.settled, self._key(what, one.sequence, one.node, kind), one.stands_for)
            elif one.kind in (Kind.SUCCEEDED, Kind.SEQUENCE_FAILED):
                outcome = "succeeded" if one.kind is Kind.SUCCEEDED else "failed"
                _add(self.settled, self._key("runs", one.sequence, outcome), one.stands_for)
        for loss in losses:
            _add(self.settled, ("lost", _LOST.get(loss.how, "dropped")), loss.count)

    def publish(self, spans: Iterable[Span], outages: Iterable[Outage]) -> dict[Key, int]:
        """Return all numbers, with what the newest spans and outages say."""
        found = {**dict.fromkeys(_ALWAYS, 0), **self.settled}
        _history(found, spans, outages, self._key)
        keys = {**found, **self.published}
        self.published = {key: max(found.get(key, 0), self.published.get(key, 0)) for key in keys}
        return self.published

    @property
    def is_cut(self) -> bool:
        """Whether some names are counted together."""
        return any(OTHERS in key for key in self._names)

    def _key(self, what: str, *labels: str) -> Key:
        """Return the key of these labels: rule 3. The last one, of a fixed set, stays if there are several."""
        key = (what, *map(label, labels))
        if key in _ALWAYS or key in self._names:
            return key
        if len(self._names) >= KEYS:
            last = labels[-1:] if len(labels) > 1 else ()
            key = (what, *(OTHERS for _ in labels[: len(labels) - len(last)]), *last)
        self._names.add(key)
        return key


def label(text: str) -> str:
    """Return what a service calls something, as the value of a label: printable, and not long."""
    return "".join(char if char.isprintable() else "?" for char in text[:LONGEST])


def _history(found: dict[Key, int], spans: Iterable[Span], outages: Iterable[Outage], key: Callable[..., Key]) -> None:
    for span in spans:
        _add(found, ("seconds", span.what.value), span.end - span.begin)
    for one in outages:
        if one.is_failure:
            _add(found, key("failures", one.cause), 1)
        if one.outcome == "restored" and one.until is not None:
            _add(found, ("restarts", "failure"), 1)
            took = one.until - one.at
            for bound in BUCKETS:
                _add(found, ("restoration", str(bound)), int(took <= bound * 1e6))
            _add(found, ("restoration", "+Inf"), 1)
            _add(found, ("restoration_sum",), took)


def _add(found: dict[Key, int], key: Key, count: int) -> None:
    found[key] = found.get(key, 0) + count
