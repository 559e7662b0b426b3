"""What is known of a unit, under the names that systemd has for it, in systemd's order.

Values are those of the wire: text, numbers, truth values, lists of text. Spans and times are in microseconds, where 0
is never and FOREVER no end; how a person is shown them is for the client to know (hafta/control/shown.py). A property
that stands for something that the overlord does not have is left out, never invented.
"""

from __future__ import annotations

import socket
import time

from hafta.frozen import Frozen
from hafta.overlord.socket_runner import SocketRunner
from hafta.overlord.table import State
from hafta.units.files import newest
from hafta.units.sockets import Socket
from hafta.units.unit import INFINITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.overlord.history import Moment, Story
    from hafta.overlord.runner import Runner
    from hafta.units.unit import Command, Unit

FOREVER = (1 << 64) - 1  # microseconds
_NOTHING = (0, 0)
#: ActiveState and SubState where the state's own name (table.py) is not what systemd has.
_STATES = {
    State.INACTIVE: ("inactive", "dead"),
    State.CLEARING: ("deactivating", "final-sigterm"),
    State.AUTO_RESTART: ("activating", "auto-restart"),
    State.FAILED: ("failed", "failed"),
}


class Facts(Frozen):
    """One unit that is run: its runner, its story, and what its files say of being enabled."""

    runner: Runner
    story: Story
    enabled: Callable[[Unit], str]
    pinged: float | None = None  # seconds since the watchdog heard from it
    latest: Unit | None = None  # what its files said when they were read last, if that is not in force yet

    @property
    def unit(self) -> Unit:
        """What its files say."""
        return self.runner.unit


def active_state(runner: Runner) -> str:
    """Return what systemd calls ActiveState."""
    return states(runner)[0]


def states(runner: Runner) -> tuple[str, str]:
    """Return what systemd calls ActiveState and SubState."""
    state = runner.state
    if isinstance(runner, SocketRunner):
        return _STATES.get(state, (state.value.partition(" ")[0], ""))[0], runner.phases.phase.value
    if state is State.ACTIVE:
        if not runner.unit.is_service:
            return "active", "active"
        return "active", "running" if runner.main or runner.waits_for_empty else "exited"
    if state in _STATES:
        return _STATES[state]
    active, _, sub = state.value.partition(" ")
    return active, sub.strip("()") or active


def usec(seconds: float) -> int:
    """Return a span in microseconds."""
    return FOREVER if seconds == INFINITE else min(round(seconds * 1_000_000), FOREVER)


def _pinged(facts: Facts) -> Moment:
    from hafta.overlord.history import NEVER, Moment

    if facts.pinged is None:
        return NEVER
    ago = usec(facts.pinged)
    return Moment(time.time_ns() // 1000 - ago, time.monotonic_ns() // 1000 - ago)


def _ended(facts: Facts) -> tuple[int, int]:
    """Return how the main process ended, as waitid(2) has it: CLD_EXITED, CLD_KILLED or CLD_DUMPED, and with what."""
    outcome = facts.story.outcome
    if outcome is None:
        return _NOTHING
    if outcome.signal:
        return (3 if outcome.dumped else 2), outcome.signal
    return 1, outcome.code


def _folders(kind: str) -> dict[str, Callable[[Facts], Any]]:
    """Return the properties of the directories of one kind."""
    name = f"{kind.capitalize()}Directory"
    return {
        f"{name}Mode": lambda f: f"{getattr(f.unit.directories, kind).mode:04o}",
        name: lambda f: list(getattr(f.unit.directories, kind).names),
    }


def _commands(phase: str) -> Callable[[Facts], list[dict[str, Any]]]:
    """Return what lists the commands of a phase."""

    def read(facts: Facts) -> list[dict[str, Any]]:
        commands: tuple[Command, ...] = getattr(facts.unit.commands, phase)
        return [{"path": each.path, "argv": list(each.argv), "ignore_errors": each.ignore_failure} for each in commands]

    return read


def _times(name: str, moment: Callable[[Facts], Moment]) -> dict[str, Callable[[Facts], Any]]:
    return {f"{name}Timestamp": lambda f: moment(f).real, f"{name}TimestampMonotonic": lambda f: moment(f).monotonic}


def _story(name: str) -> dict[str, Callable[[Facts], Any]]:
    return _times(name, lambda facts: facts.story.at(name))


#: Of services alone.
_SERVICE: dict[str, Callable[[Facts], Any]] = {
    "Type": lambda f: f.unit.policy.type,
    "Restart": lambda f: f.unit.policy.restart,
    "NotifyAccess": lambda f: f.unit.notify_access,
    "RestartUSec": lambda f: usec(f.unit.restart_sec),
    "TimeoutStartUSec": lambda f: usec(f.unit.timeout_start),
    "TimeoutStopUSec": lambda f: usec(f.unit.timeout_stop),
    "TimeoutAbortUSec": lambda f: usec(f.unit.timeout_abort),
    "WatchdogUSec": lambda f: usec(f.runner.watchdog),
    **_times("Watchdog", _pinged),
    "RemainAfterExit": lambda f: f.unit.policy.remain,
    "MainPID": lambda f: f.runner.main,
    "ControlPID": lambda f: f.runner.control,
    "StatusText": lambda f: f.runner.status,
    "StatusErrno": lambda f: f.story.errno,
    "Result": lambda f: f.runner.machine.result,
    "NRestarts": lambda f: f.runner.machine.restarts,
    **_story("ExecMainStart"),
    **_story("ExecMainExit"),
    "ExecMainPID": lambda f: f.story.main,
    "ExecMainCode": lambda f: _ended(f)[0],
    "ExecMainStatus": lambda f: _ended(f)[1],
    "ExecCondition": _commands("condition"),
    "ExecStartPre": _commands("start_pre"),
    "ExecStart": _commands("start"),
    "ExecStartPost": _commands("start_post"),
    "ExecReload": _commands("reload"),
    "ExecStop": _commands("stop"),
    "ExecStopPost": _commands("stop_post"),
    "UMask": lambda f: f"{f.unit.umask:04o}",
    "User": lambda f: f.unit.account.user,
    "Group": lambda f: f.unit.account.group,
    "DynamicUser": lambda f: f.unit.account.dynamic,
    "RuntimeDirectoryPreserve": lambda f: f.unit.runtime_preserve,
    **_folders("runtime"),
    **_folders("state"),
    **_folders("cache"),
    **_folders("logs"),
    **_folders("configuration"),
    "KillMode": lambda f: f.unit.kill_mode,
    "KillSignal": lambda f: int(f.unit.kill_signal),
    "SendSIGKILL": lambda f: f.unit.send_sigkill,
    "WatchdogSignal": lambda f: int(f.unit.watchdog_signal),
}

#: Of every unit.
_UNIT: dict[str, Callable[[Facts], Any]] = {
    "Id": lambda f: f.unit.name,
    "Names": lambda f: list(f.unit.about.names or (f.unit.name,)),
    "Requires": lambda f: list(f.unit.needs.requires),
    "Wants": lambda f: list(f.unit.needs.wants),
    "BindsTo": lambda f: list(f.unit.needs.binds_to),
    "PartOf": lambda f: list(f.unit.needs.part_of),
    "Before": lambda f: list(f.unit.needs.before),
    "After": lambda f: list(f.unit.needs.after),
    "Description": lambda f: f.unit.about.description or f.unit.name,
    "LoadState": lambda _: "loaded",
    "ActiveState": lambda f: states(f.runner)[0],
    "SubState": lambda f: states(f.runner)[1],
    "FragmentPath": lambda f: f.unit.file,
    "DropInPaths": lambda f: list(f.unit.about.drop_ins),
    "UnitFileState": lambda f: f.enabled(f.unit),
    **_story("StateChange"),
    **_story("InactiveExit"),
    **_story("ActiveEnter"),
    **_story("ActiveExit"),
    **_story("InactiveEnter"),
    "CanStart": lambda _: True,
    "CanStop": lambda _: True,
    "CanReload": lambda f: can_reload(f.unit),
    "DefaultDependencies": lambda f: f.unit.default_dependencies,
    "NeedDaemonReload": lambda f: _is_outdated(f.latest or f.unit),
    "ConditionResult": lambda f: f.story.condition,
    "AssertResult": lambda f: f.story.assertion,
    **_story("Condition"),
    **_story("Assert"),
    "StartLimitIntervalUSec": lambda f: usec(f.unit.policy.limit_interval),
    "StartLimitBurst": lambda f: f.unit.policy.limit_burst,
    "InvocationID": lambda f: f.story.invocation,
}
_KINDS: dict[int, str] = {
    socket.SOCK_STREAM: "Stream",
    socket.SOCK_DGRAM: "Datagram",
    socket.SOCK_SEQPACKET: "SequentialPacket",
}
#: Of sockets alone.
_SOCKET: dict[str, Callable[[Facts], Any]] = {
    "Result": lambda f: f.runner.machine.result,
    "Triggers": lambda f: list(f.unit.needs.triggers),
    "Listen": lambda f: [
        f"{listen.text} ({_KINDS.get(listen.kind, 'FIFO')})" for listen in (f.unit.socket or Socket()).listen
    ],
}
_SERVICE["HaftaReason"] = _SOCKET["HaftaReason"] = lambda f: f.runner.why if f.runner.state is State.FAILED else ""
NAMES = frozenset((*_SERVICE, *_SOCKET, *_UNIT))


def _is_outdated(unit: Unit) -> bool:
    """Tell whether its files have changed since they were read."""
    return newest((unit.file, *unit.about.drop_ins)) not in {0, unit.about.read}


def can_reload(unit: Unit) -> bool:
    """Tell whether a unit has a reload."""
    return bool(unit.commands.reload) or unit.policy.type == "notify-reload"


def properties(facts: Facts, wanted: frozenset[str] = NAMES) -> dict[str, Any]:
    """Return what is wanted of a unit."""
    special = _SERVICE if facts.unit.is_service else _SOCKET if facts.unit.socket else {}
    table = {**special, **_UNIT}
    return {name: read(facts) for name, read in table.items() if name in wanted}


def unloaded(blank: Facts, state: str, why: str, wanted: frozenset[str] = NAMES) -> dict[str, Any]:
    """Return the same of a unit that is not loaded, and cannot be: LoadState says how, LoadError why."""
    found = properties(blank, wanted)
    changed = {
        "LoadState": state,
        "UnitFileState": "masked" if state == "masked" else "",
        "CanStart": False,
        "CanStop": False,
        "CanReload": False,
        "NeedDaemonReload": False,
    }
    return {**found, **{name: value for name, value in changed.items() if name in found}, "LoadError": why}
