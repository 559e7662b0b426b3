"""The settings that every service has besides its own: --debug, and those of the warm parent (docs/warm.md).

A program's own setting of the same name wins: then the warm parent has the default.
"""

from __future__ import annotations

from hafta.errors import UsageError
from hafta.frozen import Frozen
from hafta.settings import Setting, number, parse, switch, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hafta.settings import Program

SHORTEST = 0.05  # seconds: below it, a busy machine looks like a hang


def read_deadline(text: str) -> float:
    """Read a deadline in seconds; 0 is none."""
    try:
        value = number(text)
    except ValueError:
        value = -1.0
    if 0 < value < SHORTEST or value < 0:
        raise ValueError(f"0, or a number of seconds from {SHORTEST:g} on")
    return value


def read_delay(text: str) -> float | None:
    """Read a number of seconds; -1 is never."""
    try:
        return None if text == "-1" else number(text)
    except ValueError:
        raise ValueError("a number of seconds, or -1") from None


DEBUG = Setting("debug", switch, default=False, help="show the traceback of an error")
WARM = Setting("warm", switch, default=False, help="keep a parent that replaces a dead or hung worker in milliseconds")
DEADLINE = Setting(
    "deadline", read_deadline, 1.0, "warm: a worker without progress for this long hangs; 0: never", "SECONDS", "1"
)
STANDBY = Setting(
    "standby", read_delay, 0.2,
    "warm: the next worker waits, rehearsed, this long after READY (costs half of the service's memory); -1: none",
    "SECONDS",
)  # fmt: skip
GRACE = Setting("grace", number, 0.25, "warm: a hung worker has this long to print its stacks", "SECONDS")
STOP = Setting("stop", number, 4.0, "warm: a worker has this long to stop, before it is killed", "SECONDS", "4")
LADDER = Setting("ladder", whole, 10, "warm: after N replacements in a row, restart the parent, too", "N")

OF_WARM = (WARM, DEADLINE, STANDBY, GRACE, STOP, LADDER)


class Warm(Frozen):
    """How the warm parent of one service works."""

    deadline: float = DEADLINE.default
    standby: float | None = STANDBY.default
    grace: float = GRACE.default
    stop: float = STOP.default
    ladder: int = LADDER.default
    instance: object = ""  # which copy of the service this is, if it has such a setting


def complete(program: Program, *, warm: bool = False, deadline: float | None = None) -> Program:
    """Return the program with the settings that every service has. `warm` and `deadline` are their defaults here.

    Raises ValueError for a deadline that is none, and for a setting `debug` that is another one.
    """
    changed = {WARM: WARM.replace(default=warm)}
    if deadline is not None:
        changed[DEADLINE] = DEADLINE.replace(default=read_deadline(f"{deadline:g}"), shown_default=f"{deadline:g}")
    given = {setting.name for setting in program.settings}
    debug = () if DEBUG in program.settings else (DEBUG,)
    more = (changed.get(setting, setting) for setting in OF_WARM if setting.name not in given)
    return program.replace(settings=(*program.settings, *debug, *more))


def asked(program: Program, argv: Sequence[str], environ: Mapping[str, str]) -> Warm | None:
    """Return how the warm parent is to work; None where the service is to run cold, also to report a wrong setting."""
    ours = {setting.name: setting for setting in program.settings if setting.help in _HELP}
    wanted = ours.get(WARM.name)
    if wanted is None or not (wanted.default or environ.get(WARM.variable) or any("warm" in word for word in argv)):
        return None
    if not _SHOWN.isdisjoint(argv):
        return None
    try:
        values, _ = parse(program, argv, environ)
    except UsageError:
        return None
    if not values.warm:
        return None
    given = {name: getattr(values, name) for name in Warm._fields if name in ours}
    return Warm(**given, instance=getattr(values, "instance", ""))


_HELP = {setting.help for setting in OF_WARM}
_SHOWN = {"-h", "--help", "--version"}
