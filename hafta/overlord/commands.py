"""The control process of a unit: it runs the commands of a phase, one after the other."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hafta.overlord.launcher import Started
    from hafta.units.unit import Command, Unit

#: The directive of each phase, for people.
DIRECTIVES = {
    "condition": "ExecCondition=",
    "start_pre": "ExecStartPre=",
    "start": "ExecStart=",
    "start_post": "ExecStartPost=",
    "reload": "ExecReload=",
    "stop": "ExecStop=",
    "stop_post": "ExecStopPost=",
}


def directive(unit: Unit, phase: str) -> str:
    """Return the directive of a phase. A socket has no ExecStop=: what it runs before it closes is ExecStopPre=."""
    return "ExecStopPre=" if unit.socket and phase == "stop" else DIRECTIVES[phase]


class Control:
    """At most one process at a time; `phase` is the phase of the commands that were run last."""

    def __init__(self, start: Callable[[Command], Started]) -> None:
        self.phase = ""
        self.failed = ""  # the phase whose command failed last
        self._start = start
        self._process: Started | None = None
        self._left: list[Command] = []

    @property
    def pid(self) -> int:
        """The number of the process, 0 if there is none."""
        return self._process.pid if self._process else 0

    @property
    def has_more(self) -> bool:
        """Whether the phase has another command."""
        return bool(self._left)

    def begin(self, phase: str, commands: Sequence[Command]) -> None:
        """Run the first command of a phase. Raises what starting it raises."""
        self.phase, self._left = phase, list(commands)
        self.next()

    def next(self) -> None:
        """Run the next command of the phase. Raises what starting it raises."""
        assert self._process is None, "two control processes"
        self._process = self._start(self._left.pop(0))

    def ended(self) -> Started:
        """Take the end of the process, and return it."""
        process, self._process = self._process, None
        assert process is not None
        return process
