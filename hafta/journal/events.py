"""The events of every HAFTA program, with their MESSAGE_IDs. units/hafta.catalog explains each to the person on call.

The events of durable calls are in durable_events.py, those of the embedded overlord in overlord_events.py.

A MESSAGE_ID never changes its meaning and is never reused. Durations are in microseconds, like systemd's.
`attempt` counts the failures of a node in a row, including this one. A `checkpoint` is a number; a member of an
IntEnum also shows its name.
"""

from __future__ import annotations

from hafta.journal.event import Event, show_checkpoint, show_count, show_duration, show_reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    Code = tuple[str, int, str]  # file, line, function


class RolledBack(Event):
    """A node went back: its rollback function ran and succeeded, or it has none.

    If `attempt` is 0, the node itself had not failed: control came back to it from a later node.
    """

    MESSAGE_ID = "fb4d312c3de545b496cd4992e418f146"
    NAME = "rolled-back"
    PRIORITY = 4
    VARYING = ("attempt", "duration_usec", "code", "error")

    sequence: str
    node: str
    checkpoint: int
    reason: str  # why the node failed
    attempt: int
    to_node: str | None = None  # where control goes on
    duration_usec: int | None = None
    unwinding: bool | None = None  # True: the policy had already said where control goes next
    code: Code | None = None
    error: str | None = None  # the class of the reason

    def message(self) -> str:
        """Say which node went back from where, and what comes next."""
        return (
            f"Sequence {self.sequence} rolled back node {self.node} from checkpoint {show_checkpoint(self.checkpoint)}"
            f"{_attempt(self.attempt)}{_next(self.unwinding, self.to_node)}: {show_reason(self.reason)}"
        )


class RollbackFailed(Event):
    """A rollback function failed."""

    MESSAGE_ID = "16696878d50a4c538031ee7f41dc2aa6"
    NAME = "rollback-failed"
    PRIORITY = 4
    VARYING = ("attempt", "duration_usec", "code", "error")

    sequence: str
    node: str
    checkpoint: int
    reason: str  # why the rollback function failed
    attempt: int
    to_node: str | None = None
    duration_usec: int | None = None
    unwinding: bool | None = None
    code: Code | None = None
    error: str | None = None  # the class of the reason

    def message(self) -> str:
        """Say which node could not go back, from where, and what comes next."""
        return (
            f"Sequence {self.sequence} could not roll back node {self.node} from checkpoint"
            f" {show_checkpoint(self.checkpoint)}{_attempt(self.attempt)}{_next(self.unwinding, self.to_node)}:"
            f" {show_reason(self.reason)}"
        )


class SequenceSucceeded(Event):
    """A sequence reached its exit."""

    MESSAGE_ID = "9f9572eeaa7c4b61a8acd29dbf547259"
    NAME = "sequence-succeeded"
    VARYING = ("failures", "duration_usec")

    sequence: str
    failures: int  # of its nodes, on the way
    duration_usec: int

    def message(self) -> str:
        """Say how long it took, and how many failures there were on the way."""
        after = f", after {show_count(self.failures, 'failure')} of its nodes" if self.failures else ""
        return f"Sequence {self.sequence} succeeded in {show_duration(self.duration_usec)}{after}"


class SequenceFailed(Event):
    """A sequence failed: there was no earlier node to go back to, or a policy decided so."""

    MESSAGE_ID = "62d831dba3d74c87a53e64655bbdbc82"
    NAME = "sequence-failed"
    PRIORITY = 3
    VARYING = ("attempt", "error")

    sequence: str
    node: str
    reason: str
    attempt: int
    error: str | None = None  # the class of the reason

    def message(self) -> str:
        """Say where and why."""
        return (
            f"Sequence {self.sequence} failed at node {self.node}{_attempt(self.attempt)}: {show_reason(self.reason)}"
        )


class MistakeFound(Event):
    """A failure looks like a mistake in the program. Reported once for each place, whatever the policy decides."""

    MESSAGE_ID = "4984e9c980184173a540b56afe933480"
    NAME = "mistake-found"
    PRIORITY = 3
    VARYING = ("code", "error")

    file: str
    line: int
    function: str
    reason: str  # the last line of the traceback
    code: Code | None = None
    error: str | None = None  # the class of the reason

    def message(self) -> str:
        """Say what and where."""
        where = f"{self.file}, line {self.line}, in {self.function}"
        return f"Mistake in the program: {show_reason(self.reason)} ({where})"


class Panicked(Event):
    """The program reached a state from which it must not continue, and ends at once."""

    MESSAGE_ID = "b0f6823e1c424e8893b8e30707b36250"
    NAME = "panicked"
    PRIORITY = 2
    VARYING = ("error",)

    sequence: str | None
    node: str | None
    reason: str
    error: str | None = None  # the class of the reason

    def message(self) -> str:
        """Say where and why."""
        node = f" in node {self.node}" if self.node else ""
        sequence = f" of sequence {self.sequence}" if self.sequence else ""
        return f"Panic{node}{sequence}: {show_reason(self.reason)}"


class Said(Event):
    """A line for the person at the terminal. Under systemd its priority is debug."""

    MESSAGE_ID = "6c6f377aac5d4f6ba734d49aa71b6af5"
    NAME = "said"
    PRIORITY = 7

    text: str

    def message(self) -> str:
        """Return the text itself."""
        return self.text


class ServiceFailed(Event):
    """A service cannot continue, and ends. Its overlord restarts it."""

    MESSAGE_ID = "40f5befc409a41c3b171034179d491cd"
    NAME = "service-failed"
    PRIORITY = 3
    VARYING = ("error",)

    service: str
    reason: str
    hint: str
    status: int
    error: str | None = None  # the class of the reason

    def message(self) -> str:
        """Say why, what to do, and with which exit status."""
        hint = f"; {show_reason(self.hint)}" if self.hint else ""
        return f"Service {self.service} failed with exit status {self.status}: {show_reason(self.reason)}{hint}"


class ServiceStarted(Event):
    """A service is up: it has just told its overlord so."""

    MESSAGE_ID = "8c60391a2ea84dca83e5c27fd8733561"
    NAME = "service-started"
    VARYING = ("crashes", "exec_usec", "begun_usec")

    service: str
    version: str  # of HAFTA
    begun_usec: int  # since the first line of the program that is HAFTA's
    crashes: int | None = None  # in a row, before this start; None: nobody has counted them
    exec_usec: int | None = None  # since the process began, which the kernel counts in hundredths of a second

    def message(self) -> str:
        """Say after how long, and after how many crashes."""
        took = show_duration(self.begun_usec if self.exec_usec is None else self.exec_usec)
        after = f", crashes in a row before that: {self.crashes}" if self.crashes else ""
        return f"Service {self.service} is ready after {took}{after}"


class Recovered(Event):
    """After a failure that was not the first in a row, or after a restart, a node has ended well."""

    MESSAGE_ID = "4d1c87d8d0de4462a51d1a2f73877913"
    NAME = "recovered"
    PRIORITY = 5
    VARYING = ("failures", "duration_usec")

    sequence: str
    node: str
    failures: int  # of the node in a row, which are over; 0: the sequence had resumed
    duration_usec: int  # since the first of them, or since the call that resumed began

    def message(self) -> str:
        """Say what works again, and after what."""
        after = f"after {show_count(self.failures, 'failure')} in a row" if self.failures else "after it had resumed"
        return f"Sequence {self.sequence} has recovered at node {self.node}, {after}"


class ServiceHeldBack(Event):
    """A service that crashed too often waits before it starts again."""

    MESSAGE_ID = "d83ec8b86c7f4802b99ae26e8e5f2111"
    NAME = "service-held-back"
    PRIORITY = 4

    service: str
    crashes: int  # in a row
    delay_usec: int

    def message(self) -> str:
        """Say how often it crashed, and how long it waits."""
        what = f"crashed {show_count(self.crashes, 'time')} in a row and waits {show_duration(self.delay_usec)}"
        return f"Service {self.service} {what} before it starts"


class StartNotCounted(Event):
    """A service cannot count its starts, so it does not know how often it has crashed. It waits at each start."""

    MESSAGE_ID = "ba5a915c3da241babfcca05f1473eec3"
    NAME = "start-not-counted"
    PRIORITY = 4

    service: str
    path: str
    reason: str
    delay_usec: int

    def message(self) -> str:
        """Say where and why, how long it waits, and what to look at."""
        return (
            f"Service {self.service} cannot count its starts in {self.path}: {show_reason(self.reason)}. It waits"
            f" {show_duration(self.delay_usec)}. Look at RuntimeDirectory= of its unit, or at $RUNTIME_DIRECTORY"
        )


class ServiceStopped(Event):
    """A service ends because it was asked to, or because its work is done."""

    MESSAGE_ID = "4a985600d4ef43d895b17f795bf71f82"
    NAME = "service-stopped"

    service: str
    reason: str

    def message(self) -> str:
        """Say why."""
        return f"Service {self.service} stopped: {show_reason(self.reason)}"


class EventsDropped(Event):
    """Some events could not be sent. Sending works again now."""

    MESSAGE_ID = "0092a41fa67044c38c83047645ef410c"
    NAME = "events-dropped"
    PRIORITY = 4
    VARYING = ("count",)

    count: int

    def message(self) -> str:
        """Say how many."""
        was = "was" if self.count == 1 else "were"
        return f"{show_count(self.count, 'event')} could not be sent to the journal and {was} lost"


class NotificationsDropped(Event):
    """Some notifications could not be sent to the overlord. Sending works again now."""

    MESSAGE_ID = "3b9a13f132ec4752a265825856426904"
    NAME = "notifications-dropped"
    PRIORITY = 4
    VARYING = ("count",)

    count: int

    def message(self) -> str:
        """Say how many."""
        return f"{show_count(self.count, 'notification')} to the overlord could not be sent at the first try"


class VariableIgnored(Event):
    """An environment variable from the overlord is malformed. The service runs without what it stands for."""

    MESSAGE_ID = "5027132be9b448acb786fb810d9d09e8"
    NAME = "variable-ignored"
    PRIORITY = 4

    variable: str
    reason: str  # with the value

    def message(self) -> str:
        """Say which variable and what is wrong with it."""
        return f"Environment variable {self.variable} is ignored: {show_reason(self.reason)}"


def _attempt(attempt: int) -> str:
    return f", attempt {attempt}" if attempt else ""


#: What stands in the place of the next node when there is none.
_ENDS = {"done": ", and the sequence ends", "failed": ", and the sequence fails", "panicked": ", and the process ends"}


def _next(unwinding: bool | None, to_node: str | None) -> str:
    if to_node:
        return _ENDS.get(to_node) or f", next node {to_node}"
    return ", on the way back to the previous node" if unwinding else ""
