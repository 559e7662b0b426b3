"""The events of durable calls, apart from hafta.journal.events because most calls need none. The same rules hold."""

from __future__ import annotations

from hafta.journal.event import Event, show_checkpoint, show_duration, show_reason


class Resumed(Event):
    """A sequence takes up where an earlier process had left it."""

    MESSAGE_ID = "c808847035d749b782ddd32e21236c9d"
    NAME = "resumed"
    PRIORITY = 5
    VARYING = ("attempt", "age_usec")

    sequence: str
    node: str
    checkpoint: int
    attempt: int
    instance: str
    age_usec: int  # of the record
    begun: bool  # whether the node was interrupted; else it is next
    stopped: bool  # whether that process had been asked to stop

    def message(self) -> str:
        """Say what had become of the earlier process, where, and how long ago."""
        instance = f" instance {self.instance}" if self.instance else ""
        ended = "was stopped" if self.stopped else "died"
        where = (
            f"in node {self.node} at checkpoint {show_checkpoint(self.checkpoint)}, attempt {self.attempt},"
            if self.begun
            else f"between two nodes, before {self.node},"
        )
        return (
            f"Sequence {self.sequence} resumes{instance}: a process {ended} {where} {show_duration(self.age_usec)} ago"
        )


class OrphanDecided(Event):
    """A record was written by another version of the program, whose own function has decided what becomes of it."""

    MESSAGE_ID = "ddf3ccdd18904675beaedd93303323e0"
    NAME = "orphan-decided"
    PRIORITY = 4

    sequence: str
    instance: str
    node: str  # as it was recorded, like the version
    version: str
    missing: str | None  # nodes of the record that the program does not have
    reason: str
    verdict: str

    def message(self) -> str:
        """Say what was recorded, how it differs, and what follows."""
        instance = f", instance {self.instance}," if self.instance else ""
        return (
            f"Sequence {self.sequence}{instance} met a record of another version of the program,"
            f" whose function decided: {self.verdict}; {show_reason(self.reason)}"
        )


class StoreTrouble(Event):
    """A durable store could not do its part."""

    MESSAGE_ID = "b24eef2337ef44b3ae79470f83e5a33a"
    NAME = "store-trouble"
    PRIORITY = 3

    sequence: str
    instance: str
    path: str
    reason: str
    action: str  # what is done about it

    def message(self) -> str:
        """Say what is wrong with which file, and what is done about it."""
        instance = f", instance {self.instance}" if self.instance else ""
        return f"Store {self.path} of sequence {self.sequence}{instance}: {show_reason(self.reason)}; {self.action}"
