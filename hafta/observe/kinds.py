"""The kinds of journal entries that count for the history of a unit, by MESSAGE_ID, or by text where there is none."""

from __future__ import annotations

import re
from enum import Enum
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.journal.event import Event


class Kind(Enum):
    """What an entry says. The first group is written by the manager, the second by journald and logind, then ours."""

    STARTING = "starting"
    STARTED = "started"
    START_FAILED = "start failed"
    EXITED = "process exited"
    FAILED = "failed"
    DEACTIVATED = "deactivated"
    RESTARTING = "restart scheduled"
    STOPPING = "stopping"
    STOPPED = "stopped"
    OUT_OF_MEMORY = "out of memory"
    HUNG = "watchdog timeout"
    SIGNALLED = "signalled on request"
    TOO_OFTEN = "start limit"

    JOURNAL_STARTED = "journal started"
    JOURNAL_STOPPED = "journal stopped"
    JOURNALD_EXITED = "journald exited"
    SHUTDOWN = "shutdown"
    SLEEPING = "sleeping"
    AWAKE = "awake"
    SUPPRESSED = "entries suppressed"
    DAMAGED = "entries damaged or missing"  # of an event log
    LAST_SEEN = "last entry of anybody"  # made by the source, before what it says stopped without a word

    HELD_BACK = "service-held-back"
    NOT_COUNTED = "start-not-counted"
    WORKER_HUNG = "worker-hung"
    WORKER_REPLACED = "worker-replaced"
    SERVICE_STOPPED = "service-stopped"
    SERVICE_STARTED = "service-started"
    RESUMED = "resumed"
    RECOVERED = "recovered"
    ROLLED_BACK = "rolled-back"
    ROLLBACK_FAILED = "rollback-failed"
    SUCCEEDED = "sequence-succeeded"
    SEQUENCE_FAILED = "sequence-failed"
    EVENTS_DROPPED = "events-dropped"
    DRILL_STARTED = "drill-started"
    DRILL_ENDED = "drill-ended"
    OURS = "another event"
    TEXT = "a line"


#: The manager's, by MESSAGE_ID (systemd/sd-messages.h). Only these of its entries move a unit, besides three texts.
OF_UNITS = {
    "7d4958e842da4a758f6c1cdc7b36dcc5": Kind.STARTING,
    "39f53479d3a045ac8e11786248231fbf": Kind.STARTED,
    "be02cf6855d2428ba40df7e9d022f03d": Kind.START_FAILED,
    "98e322203f7a4ed290d09fe03c09fe15": Kind.EXITED,
    "d9b373ed55a64feb8242e02dbe79a49c": Kind.FAILED,
    "7ad2d189f7e94e70a38c781354912448": Kind.DEACTIVATED,
    "5eb03494b6584870a536b337290809b3": Kind.RESTARTING,
    "de5b426a63be47a7b6ac3eaac82e2f6f": Kind.STOPPING,
    "9d1aaa27d60140bd96365438aad20286": Kind.STOPPED,
    "fe6faa94e7774663a0da52717891d8ef": Kind.OUT_OF_MEMORY,
}
#: journald's and logind's.
OF_THE_JOURNAL = {
    "f77379a8490b408bbe5f6940505a777b": Kind.JOURNAL_STARTED,
    "d93fb3c9c24d451a97cea615ce59c00b": Kind.JOURNAL_STOPPED,
    "a596d6fe7bfa4994828e72309e95d61e": Kind.SUPPRESSED,
}
OF_LOGIND = {"98268866d1d54a499c4e98921d93bc40": Kind.SHUTDOWN}
#: systemd-sleep's.
OF_SLEEP = {"6bbd95ee977941e497c48be27c254128": Kind.SLEEPING, "8811e6df2a8e40f58a94cea26f8ebf14": Kind.AWAKE}
#: Units whose end or start is a sign that the machine shuts down.
SIGNS = {("multi-user.target", Kind.STOPPED), ("shutdown.target", Kind.STARTED)}
#: Of hafta drill.
OF_DRILLS = (Kind.DRILL_STARTED, Kind.DRILL_ENDED)

#: The manager writes these without a MESSAGE_ID.
TEXTS = (
    (re.compile(r"Watchdog timeout\b"), Kind.HUNG),
    (re.compile(r"Sent signal \S+ to main process\b.* on client request\b"), Kind.SIGNALLED),
    (re.compile(r"Start request repeated too quickly\b"), Kind.TOO_OFTEN),
)
_BY_NAME = {kind.value: kind for kind in Kind}


def of_text(message: str) -> Kind:
    """Return the kind of a line of the manager that has no MESSAGE_ID."""
    return next((kind for pattern, kind in TEXTS if pattern.search(message)), Kind.TEXT)


@cache
def events() -> dict[str, type[Event]]:
    """Return every event that HAFTA can report, by MESSAGE_ID."""
    from hafta.journal import drill_events, durable_events, events, guard_events, overlord_events, warm_events
    from hafta.journal.event import Event

    modules = (events, durable_events, guard_events, overlord_events, warm_events, drill_events)
    found = (value for module in modules for value in vars(module).values())
    kinds = (value for value in found if isinstance(value, type) and issubclass(value, Event))
    return {kind.MESSAGE_ID: kind for kind in kinds if kind.MESSAGE_ID}


@cache
def of_ours() -> dict[str, Kind]:
    """Return the kind of each event of HAFTA, by MESSAGE_ID."""
    return {number: _BY_NAME.get(event.NAME, Kind.OURS) for number, event in events().items()}
