"""The events of durable calls. They have a module to themselves because most calls need none of them.

The rules of hafta.journal.events hold here, too.
"""

from __future__ import annotations

from hafta.journal.event import Event, show_checkpoint, show_duration, show_reason


class Resumed(Event):
    """A sequence resumes where an earlier process left it."""

    MESSAGE_ID = "c808847035d749b782ddd32e21236c9d"
    NAME = "resumed"
    PRIORITY = 5
    VARYING = ("attempt", "age_usec", "cause")

    sequence: str
    node: str
    checkpoint: int
    attempt: int
    instance: str
    age_usec: int  # of the record
    begun: bool  # True: the process ended inside the node; False: the node is the next one
    stopped: bool  # whether that process had been asked to stop
    cause: str | None = None  # how it ended, where somebody has seen it

    def message(self) -> str:
        """Say how the earlier process ended, where, and how long ago."""
        instance = f" instance {self.instance}" if self.instance else ""
        ended = "was stopped" if self.stopped else "died"
        where = (
            f"in node {self.node} at checkpoint {show_checkpoint(self.checkpoint)}, attempt {self.attempt},"
            if self.begun
            else f"between two nodes, before {self.node},"
        )
        return (
            f"Sequence {self.sequence} resumes{instance}: a process {ended} {where} {show_duration(self.age_usec)} ago"
            f"{f': it {show_reason(self.cause)}' if self.cause else ''}"
        )


class OrphanDecided(Event):
    """A record was written by another version of the program; the function for that case decided what to do."""

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
            f"Sequence {self.sequence}{instance} found a record of another version of the program."
            f" Its orphaned function decided: {self.verdict}; {show_reason(self.reason)}"
        )


class StandingBy(Event):
    """Another process has the record; this service waits for its turn."""

    MESSAGE_ID = "7203662567214aee8b7e772241f42904"
    NAME = "standing-by"
    PRIORITY = 5

    sequence: str
    instance: str
    path: str
    holder: str

    def message(self) -> str:
        """Say who has it."""
        instance = f" instance {self.instance}" if self.instance else ""
        return f"Sequence {self.sequence}{instance} waits as standby: held by {self.holder}"


class TakenOver(Event):
    """A host has taken a record over from a process that was not heard of until its lease ended."""

    MESSAGE_ID = "daeeef55485849e286a5a3d946099667"
    NAME = "taken-over"
    PRIORITY = 4
    VARYING = ("former_token", "token", "waited_usec", "free_usec")
    LEFT = "whose lease had ended"

    sequence: str
    instance: str
    path: str
    host: str  # that has it now
    holder: str  # who had it before
    former_token: int
    token: int
    waited_usec: int  # as standby
    free_usec: int | None = None  # for which nobody had it; None: not known

    def message(self) -> str:
        """Say who has it now, from whom, with which tokens, and how long nobody had it."""
        instance = f" instance {self.instance}" if self.instance else ""
        free = "for how long nobody had it is not known"
        if self.free_usec is not None:
            free = f"nobody had it for {show_duration(self.free_usec)}"
        waited = f", after {show_duration(self.waited_usec)} as standby" if self.waited_usec else ""
        return (
            f"Host {self.host} has sequence {self.sequence}{instance} now, with token {self.token}{waited}."
            f" Before that: {self.holder}, token {self.former_token}, {self.LEFT}; {free}"
        )


class HandedOver(TakenOver):
    """A host has a record now that a process gave up in order: its service was stopped, restarted or moved."""

    MESSAGE_ID = "839da51d206741799c8bb1255ab51417"
    NAME = "handed-over"
    PRIORITY = 5
    LEFT = "who gave it up"


class MoveAsked(Event):
    """Somebody asked for a record to go to another host: the service that has it stops."""

    MESSAGE_ID = "50521f6b9bea425e97c6eba3333ef95d"
    NAME = "move-asked"
    PRIORITY = 5

    sequence: str
    instance: str
    path: str

    def message(self) -> str:
        """Say what follows."""
        instance = f" instance {self.instance}" if self.instance else ""
        return f"Sequence {self.sequence}{instance} is to go to another host: this service stops at a recorded place"


class TakeOverRefused(Event):
    """A host does not take a record over, because a node needs what is on the disk of another one."""

    MESSAGE_ID = "dfaad8febd6442e196463bf245068b1f"
    NAME = "take-over-refused"
    PRIORITY = 4

    sequence: str
    instance: str
    path: str
    host: str  # that refuses
    node: str
    bound_to: str  # the host that can go on

    def message(self) -> str:
        """Say which node needs which host."""
        instance = f" instance {self.instance}" if self.instance else ""
        return (
            f"Host {self.host} does not take over sequence {self.sequence}{instance}: node {self.node} needs what is on"
            f" the disk of host {self.bound_to}. It looks again until that host is back, or the record is discarded"
        )


class StoreTrouble(Event):
    """A store could not do what it was asked to do."""

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
