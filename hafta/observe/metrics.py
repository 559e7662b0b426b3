"""What is seen and counted, as families of metrics: the table of names, and the samples of each. No I/O and no clock.

1. No reason, process or run is a label: each would make series that nobody asks for again.
2. A service has at most MOST series. What there may be many of is bounded where it is counted (totals.py) and below.
3. What is not known has no sample. 0 means that it was seen to be 0.
"""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.observe import words
from hafta.observe.totals import BUCKETS, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hafta.observe.sources.counting import Counted
    from hafta.observe.state import Now, Position, Service

    Sample = tuple[str, tuple[str, ...], float]  # the family, the values of its labels

MOST = 200  # series of a service
PLACES = 8  # sequences of a service of which is shown where they stand
HISTOGRAM = "hafta_service_restoration_seconds"


class Family(Frozen):
    """Metrics of one name. `kind`: gauge, counter or histogram; the name of a counter is without _total."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ("unit",)


_OF_NODE = ("unit", "sequence", "node", "kind")
FAMILIES = (
    Family("hafta_service_up", "gauge", "1: the service is up. Absent if it cannot be seen."),
    Family("hafta_service_start_time_seconds", "gauge", "When its main process began, since 1970."),
    Family("hafta_service_crashes_in_a_row", "gauge", "Crashes in a row before its newest start."),
    Family("hafta_service_hold_seconds", "gauge", "How long it holds itself back before it is ready; 0: it does not."),
    Family("hafta_watchdog_timeout_seconds", "gauge", "The watchdog in force."),
    Family("hafta_watchdog_ping_time_seconds", "gauge", "When the watchdog was fed last, since 1970."),
    Family("hafta_service_health", "gauge", "1 for how it stands, as hafta status says it.", ("unit", "health")),
    Family("hafta_service_seconds", "counter", "How long it was so. down is without held.", ("unit", "state")),
    Family("hafta_service_failures", "counter", "Ends of being up that nobody asked for.", ("unit", "cause")),
    Family("hafta_service_restarts", "counter", "Restarts, after a failure or asked for.", ("unit", "kind")),
    Family(HISTOGRAM, "histogram", "How long it took until it was up again."),
    Family("hafta_rollbacks", "counter", "Nodes rolled back. kind back: another node had failed, or a stop.", _OF_NODE),
    Family("hafta_rollback_failures", "counter", "Rollback functions that failed themselves.", _OF_NODE),
    Family("hafta_sequence_runs", "counter", "Sequences that ended.", ("unit", "sequence", "outcome")),
    Family(
        "hafta_sequence_node_time_seconds", "gauge", "When its node was entered, since 1970.",
        ("unit", "sequence", "instance", "node"),
    ),
    Family("hafta_sequence_attempt", "gauge", "Failures of its node in a row.", ("unit", "sequence", "instance")),
    Family(
        "hafta_checkpoint_time_seconds", "gauge", "When its newest record was written, since 1970.",
        ("unit", "sequence", "instance"),
    ),
    Family("hafta_events_lost", "counter", "Events that are not in the journal.", ("unit", "how")),
    Family("hafta_service_series_cut", "gauge", "1: some names are counted together, as (others)."),
    Family("hafta_observe_success", "gauge", "1: this source could be seen whole.", ("source",)),
    Family("hafta_observe_time_seconds", "gauge", "When this was made, since 1970.", ()),
    Family("hafta_observe_duration_seconds", "gauge", "How long that took.", ()),
    Family("hafta_build_info", "gauge", "1, with the version of HAFTA.", ("version",)),
)  # fmt: skip
_COUNTERS = {
    "seconds": "hafta_service_seconds", "failures": "hafta_service_failures", "restarts": "hafta_service_restarts",
    "rollbacks": "hafta_rollbacks", "rollback_failures": "hafta_rollback_failures", "runs": "hafta_sequence_runs",
    "lost": "hafta_events_lost",
}  # fmt: skip
SOURCES = ("systemd", "overlord", "records", "descriptions", "journal")


def of_unit(unit: str, service: Service | None, counted: Counted | None, now: Now) -> list[Sample]:
    """Return the samples of one unit, no series twice, and at most MOST."""
    found = [*(_standing(unit, service, now) if service else ()), *(_counted(unit, counted) if counted else ())]
    if service and counted:
        found += _between(unit, service, counted)
    once = {(family, labels): value for family, labels, value in found}
    return [(*key, value) for key, value in once.items()][:MOST]


def of_look(missing: Iterable[str], at: float, took: float, version: str) -> Iterator[Sample]:
    """Give the samples about the looking itself."""
    unseen = {line.removeprefix("not seen: the ").partition(" ")[0].rstrip(":") for line in missing}
    for source in SOURCES:
        yield "hafta_observe_success", (source,), float(source not in unseen)
    yield "hafta_observe_time_seconds", (), at
    yield "hafta_observe_duration_seconds", (), took
    yield "hafta_build_info", (version,), 1.0


def histogram(numbers: Mapping[tuple[str, ...], int]) -> tuple[list[tuple[str, float]], float]:
    """Return the buckets of the restorations, each with what was not longer, and the sum in seconds."""
    buckets = [(str(bound), float(numbers["restoration", str(bound)])) for bound in BUCKETS]
    whole = float(numbers["restoration", "+Inf"])
    return [*buckets, ("+Inf", whole)], numbers["restoration_sum",] / 1e6


def _standing(unit: str, service: Service, now: Now) -> Iterator[Sample]:
    facts = service.facts
    yield "hafta_service_up", (unit,), float(service.health in {words.UP, words.DEGRADED})
    yield "hafta_service_health", (unit, service.health), 1.0
    if facts.get("MainPID") and (started := facts.get("ExecMainStartTimestampMonotonic")):
        yield "hafta_service_start_time_seconds", (unit,), _clock(started, now)
    if service.watchdog:
        yield "hafta_watchdog_timeout_seconds", (unit,), service.watchdog.period
        if service.watchdog.left is not None:
            ping = facts["WatchdogTimestampMonotonic"]
            yield "hafta_watchdog_ping_time_seconds", (unit,), _clock(ping, now)
    for position in service.sequences[:PLACES]:
        yield from _place(unit, position, now)


def _place(unit: str, position: Position, now: Now) -> Iterator[Sample]:
    names = unit, label(position.sequence), label(position.instance)
    if position.node is not None and position.live:
        yield "hafta_sequence_attempt", names, float(position.attempt)
        if position.seconds is not None:
            yield "hafta_sequence_node_time_seconds", (*names, label(position.node)), now.real - position.seconds
    if position.source == "record" and position.age is not None:
        yield "hafta_checkpoint_time_seconds", names, now.real - position.age


def _counted(unit: str, counted: Counted) -> Iterator[Sample]:
    for (what, *labels), number in counted.numbers.items():
        if what in _COUNTERS:
            yield _COUNTERS[what], (unit, *labels), number / 1e6 if what == "seconds" else float(number)
    yield "hafta_service_series_cut", (unit,), float(counted.is_cut)


def _between(unit: str, service: Service, counted: Counted) -> Iterator[Sample]:
    if counted.crashes is not None:
        yield "hafta_service_crashes_in_a_row", (unit,), float(counted.crashes)
        yield "hafta_service_hold_seconds", (unit,), counted.hold / 1e6 if service.health == words.HELD else 0.0


def _clock(moment: int, now: Now) -> float:
    """Return a time of the monotonic clock, in microseconds, as seconds since 1970."""
    return now.real - now.monotonic + moment / 1e6
