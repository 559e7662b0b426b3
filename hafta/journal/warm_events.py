"""The events of the warm parent (docs/warm.md). They have a module to themselves: a cold service needs none of them.

The rules of hafta.journal.events hold here, too.
"""

from __future__ import annotations

from hafta.journal.event import Event, show_count, show_duration, show_reason


class WorkerHung(Event):
    """A worker made no progress for longer than it may, or took longer than the timeout of its node. It is ended."""

    MESSAGE_ID = "2d16afae74714f0a910e1af7cd3d467e"
    NAME = "worker-hung"
    PRIORITY = 4
    VARYING = ("worker", "reason")

    service: str
    worker: int
    reason: str
    sequence: str | None = None
    node: str | None = None

    def message(self) -> str:
        """Say which process, where, and for how long."""
        return f"Worker {self.worker} of service {self.service} {show_reason(self.reason)}. It is ended"


class WorkerReplaced(Event):
    """A worker has died, and another one works in its place, or failed before it was ready. `reason`: how it died."""

    MESSAGE_ID = "ae9fc9e9491b4adeb6f284e88ce8cdcb"
    NAME = "worker-replaced"
    PRIORITY = 4
    VARYING = ("worker", "by", "replaced", "crashes", "reason", "down_usec")

    service: str
    worker: int
    by: int
    reason: str
    replaced: int  # workers of this parent
    crashes: int  # in a row
    sequence: str | None = None
    node: str | None = None
    down_usec: int = 0  # since the parent knew that no worker works, until now
    ready: bool = True  # whether the other one is

    def message(self) -> str:
        """Say which process died how, and which one works instead since when."""
        row = f", {self.crashes} crashes in a row" if self.crashes > 1 else ""
        went = f" after {show_duration(self.down_usec)}" if self.ready else ", but never became ready"
        return (
            f"Worker {self.worker} of service {self.service} {show_reason(self.reason)}. Worker {self.by}"
            f" {'replaces' if self.ready else 'replaced'} it{went} ({show_count(self.replaced, 'replacement')}{row})"
        )


class RuleBroken(Event):
    """A worker breaks a rule, such as a limit of memory. Another one takes its place at its next safe point."""

    MESSAGE_ID = "70e36f6d4db14b0aa2ab2b3a2b21d2a5"
    NAME = "rule-broken"
    PRIORITY = 4
    VARYING = ("worker", "reason")

    service: str
    worker: int
    reason: str

    def message(self) -> str:
        """Say which process, and what."""
        return f"Worker {self.worker} of service {self.service} is to be replaced: {show_reason(self.reason)}"


class ReloadRefused(Event):
    """A service was asked to reload itself, and works on as it was."""

    MESSAGE_ID = "b1f3ac3a6ecf4c32a3a4ed20d8a79bd9"
    NAME = "reload-refused"
    PRIORITY = 3

    service: str
    reason: str

    def message(self) -> str:
        """Say why."""
        return f"Service {self.service} did not reload, and works on as it was: {show_reason(self.reason)}"


class WarmGivenUp(Event):
    """Workers died too often in a row: the parent ends, too, so that the overlord starts the whole service again."""

    MESSAGE_ID = "cc0c6be893bb4695b7c54bb15958b227"
    NAME = "warm-given-up"
    PRIORITY = 3
    VARYING = ("reason",)

    service: str
    crashes: int  # in a row
    reason: str  # how the last one died

    def message(self) -> str:
        """Say how often, and how the last one died."""
        return (
            f"Service {self.service} ends, so that its overlord restarts it from the beginning: {self.crashes} crashes"
            f" in a row. The last worker {show_reason(self.reason)}"
        )
