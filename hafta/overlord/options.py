"""The settings of `hafta run`, declared once: for the bare program, for click, for the man page."""

from __future__ import annotations

from hafta import exits
from hafta.settings import Program, Setting, number, path, switch
from hafta.units.values import assignment

_STATUSES = (
    *(exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.IN_USE, exits.TIMED_OUT),
    exits.SYSTEM,
)


def paths(text: str) -> tuple[str, ...]:
    """Read paths with colons between them."""
    return tuple(path(word) for word in text.split(":"))


def extra(text: str) -> tuple[tuple[str, str, str]]:
    """Read NAME=VALUE or UNIT:NAME=VALUE; return unit, name, value."""
    before, equals, value = text.partition("=")
    unit, _, name = before.rpartition(":")
    try:
        return ((unit, *assignment(f"{name}{equals}{value}")),)
    except ValueError:
        raise ValueError("NAME=VALUE or UNIT:NAME=VALUE") from None


def every(text: str) -> tuple[tuple[str, float]]:
    """Read UNIT=SECONDS."""
    unit, _, seconds = text.rpartition("=")
    try:
        if unit and (value := number(seconds)) > 0:
            return ((unit, value),)
    except ValueError:
        pass
    raise ValueError("UNIT=SECONDS, more than 0")


SETTINGS = (
    Setting(
        "unit-path",
        paths,
        (),
        "look for units in DIR first; may be given more than once",
        metavar="DIR[:DIR]...",
        repeats=True,
    ),
    Setting(
        "runtime-dir",
        path,
        "",
        "what stands for /run (%t), and holds the overlord's own files",
        metavar="DIR",
        shown_default="/run for root (/run/hafta-overlord beside a systemd), else $XDG_RUNTIME_DIR/hafta-overlord or"
        " /tmp/hafta-overlord-UID",
    ),
    Setting(
        "state-dir",
        path,
        "",
        "what stands for /var/lib (%S); caches and logs (%C, %L) are then below it",
        metavar="DIR",
        shown_default="/var/lib for root (/var/lib/hafta-overlord beside a systemd), else"
        " $XDG_STATE_HOME/hafta-overlord or ~/.local/state/hafta-overlord",
    ),
    Setting(
        "ephemeral",
        switch,
        default=False,
        help="for demonstrations: what services keep (%S) is of this run only, and removed at its end",
    ),
    Setting(
        "set",
        extra,
        (),
        "add a variable to the environment of all services, or of one; wins over the unit file; may be given more than"
        " once",
        metavar="[UNIT:]NAME=VALUE",
        repeats=True,
    ),
    Setting(
        "kill",
        every,
        (),
        "for demonstrations: SIGKILL this unit's main process about every SECONDS; may be given more than once",
        metavar="UNIT=SECONDS",
        repeats=True,
    ),
    Setting(
        "as-root",
        switch,
        default=False,
        help="when root runs a unit whose User= does not exist, run it as root; without this, the unit fails",
    ),
    Setting(
        "no-cgroups",
        switch,
        default=False,
        help="tell the processes of units apart by the table of processes, also where cgroups could be had",
    ),
    Setting(
        "no-event-log",
        switch,
        default=False,
        help="keep no event log: hafta log, report and status then know nothing of what was",
    ),
    Setting("for", number, 0.0, "stop after this many seconds; 0: when all units have ended", "SECONDS", "0"),
    Setting("debug", switch, default=False, help="show the traceback of an error"),
)

PROGRAM = Program(
    "hafta run",
    "Run systemd units where systemd is not PID 1: start in order, watch, restart, stop in reverse order.",
    SETTINGS,
    _STATUSES,
    operands="UNIT...",
)
