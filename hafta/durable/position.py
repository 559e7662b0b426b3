"""Where a call stands, as a record says it: names and values, no objects of the program."""

from __future__ import annotations

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.death import Death
    from hafta.engine.resume import Doing


class Visit(Frozen):
    """A node on the stack, with the last checkpoint that it had set."""

    node: str
    checkpoint: int = 0
    state: dict[str, Any] = {}  # noqa: RUF012 - frozen values are


class SequencePosition(Frozen):
    """Where one sequence stands."""

    sequence: str
    version: str  # as the user gave it; empty if not
    nodes: tuple[str, ...]  # the names of all nodes
    node: str  # the current one
    doing: Doing  # what goes on there; `then` names its node, as all names here are text
    attempt: int = 0  # consecutive failures
    checkpoint: int = 0
    state: dict[str, Any] = {}  # noqa: RUF012
    stack: tuple[Visit, ...] = ()
    kept: dict[str, Any] | None = None  # the caller's own values, as they were when the function began; None: none


class Position(Frozen):
    """Where a call stands: its sequence and those that run inside of it, the outermost first."""

    sequences: tuple[SequencePosition, ...]
    entered: float  # wall clock of the record's frame, seconds since 1970
    boottime: float  # the same on CLOCK_BOOTTIME: no clock step disturbs it, but it counts within one boot only
    boot: str  # the boot's id; empty where the sandbox hides it
    pid: int
    cause: Death | None = None  # how the process before that one ended, where somebody has seen it
    host: str = ""  # that of the process, in a store that several hosts share
    bound: str = ""  # the node, if there is one, that needs what is on the disk of that host


class Waiting(Frozen):
    """Inner sequences that were interrupted in the function that runs, and are to go on when it calls them again."""

    positions: tuple[SequencePosition, ...]
    origin: Position  # of the record that they come from
    entries: int = 0  # processes that died in the function before it called them
