"""From a program to the text of its unit. Pure: what is on this machine, the caller has looked up."""

from __future__ import annotations

import math
import os

from hafta.errors import UsageError
from hafta.frozen import Frozen
from hafta.units.sandbox import Needs, sandbox
from hafta.units.words import is_utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What nobody needs to quote in a command line of a unit.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=/.,:@^~#[]()?&*!<>|{}")

SEQUENCE_WATCHDOG = 10.0  # seconds: WatchdogSec= of a sequence, if nobody says otherwise

_HELD_BACK = """\
in $RUNTIME_DIRECTORY: crash n in a row waits 0 s for n <= 5, then 0.1 s doubling up to 5 s. A run of 10 s or a stop
ends the row. So what dies at once is started 13 times in the first 10 s, then once in 5 s, for ever."""
GUARDED = f"""\
Restarts are at once (RestartSec=0), and held back by the guard, {_HELD_BACK} A guard that cannot even read its options
meets the limit of 40 starts in 10 s."""
SEQUENCED = f"""\
Restarts are at once (RestartSec=0), and held back by the service, {_HELD_BACK} A program that dies before it can count
meets the limit of 40 starts in 10 s."""
BARE = """\
Nothing counts the crashes of this program, so each restart waits 1 s: at most one start in 1 s, for ever. A limit of
starts would leave it down for good after a bad minute."""


class Guarding(Frozen):
    """How `hafta guard` watches the program: its command with all options, and the times that they stand for."""

    command: tuple[str, ...]
    watchdog: int  # WatchdogSec=
    within: float  # seconds after which a hang is answered, at most
    start_grace: float
    stop_grace: float


class Around(Frozen):
    """As whom a program runs, where, and with which variables."""

    user: str = ""  # empty: a dynamic one
    groups: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    directory: str = ""
    of_user: bool = False  # for the user's own manager


class Wanted(Frozen):
    """What a unit is to be. `command` is what runs in the end: absolute, without the guard."""

    name: str
    description: str
    command: tuple[str, ...]
    guarding: Guarding | None = None  # None: the program speaks sd_notify itself
    is_sequence: bool = False  # it counts its own starts
    watchdog: float = 0.0  # of a program that pings by itself; 0: none
    needs: Needs = Needs()
    around: Around = Around()


def unit_text(wanted: Wanted, exposure: str = "") -> str:
    """Return the text of the unit; `exposure` is what systemd-analyze says of it, for a comment.

    Raises UsageError for a text that no reader of units takes.
    """
    blocks = (
        ["[Unit]", f"Description={_escaped(wanted.description)}"],
        [*_limits(wanted)],
        ["[Service]", *_process(wanted)],
        [*_restarts(wanted)],
        [*_times(wanted)],
        [*_account(wanted)],
        [*_sandbox(wanted, exposure)],
        ["[Install]", f"WantedBy={'default' if wanted.around.of_user else 'multi-user'}.target"],
    )
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _limits(wanted: Wanted) -> Iterator[str]:
    yield from _comment(GUARDED if wanted.guarding else SEQUENCED if wanted.is_sequence else BARE)
    if wanted.guarding or wanted.is_sequence:
        yield "StartLimitIntervalSec=10"
        yield "StartLimitBurst=40"
    else:
        yield "StartLimitIntervalSec=0"


def _process(wanted: Wanted) -> Iterator[str]:
    guarding = wanted.guarding
    words = [*guarding.command, "--", *wanted.command] if guarding else wanted.command
    yield "Type=notify"
    yield f"ExecStart={command_line(words)}"
    if wanted.around.directory:
        yield f"WorkingDirectory={_escaped(wanted.around.directory)}"
    for name, value in wanted.around.environment:
        yield f"Environment={quoted(f'{name}={_clean(value, name)}', is_command=False)}"


def _restarts(wanted: Wanted) -> Iterator[str]:
    yield "Restart=always"
    yield f"RestartSec={0 if wanted.guarding or wanted.is_sequence else 1}"
    if wanted.is_sequence:
        yield "# 2 is a wrong setting: a restart cannot correct it."
        yield "RestartPreventExitStatus=2"
    elif wanted.guarding:
        yield "# What a JVM answers to SIGTERM."
        yield "SuccessExitStatus=143"


def _times(wanted: Wanted) -> Iterator[str]:
    guarding = wanted.guarding
    if guarding is None:
        yield "TimeoutStartSec=90"
        yield "TimeoutStopSec=10"
        if wanted.watchdog:
            yield from _comment("Pings follow the work. Choose at least twice the longest step without one.")
            yield f"WatchdogSec={wanted.watchdog:g}"
    else:
        yield from _comment(
            "The guard asks for the time that --start-grace, --stop-grace and a hold-off need with EXTEND_TIMEOUT_USEC."
        )
        yield f"TimeoutStartSec={math.ceil(guarding.start_grace) + 10}"
        yield f"TimeoutStopSec={math.ceil(guarding.stop_grace) + 2}"
        yield "KillMode=mixed"
        yield from _comment(
            f"A ping follows a pass of all probes. A hang is answered within {guarding.within:g} s: the guard triggers"
            " the watchdog. The period is 2 * (failures + 1) * max(interval, timeout), so that it does not run out"
            " before the last failure that is allowed; it ends a guard that hangs itself."
        )
        yield f"WatchdogSec={guarding.watchdog}"
    yield "TimeoutAbortSec=1"
    yield "LimitCORE=0"


def _account(wanted: Wanted) -> Iterator[str]:
    if not wanted.around.of_user:
        yield f"User={wanted.around.user}" if wanted.around.user else "DynamicUser=yes"
    if wanted.around.groups:
        yield f"SupplementaryGroups={' '.join(wanted.around.groups)}"
    for kind in ("Runtime", "State"):
        yield f"{kind}Directory={wanted.name}"
        yield f"{kind}DirectoryMode=0750"
    yield "# Restarts keep the count of crashes; a stop removes it."
    yield "RuntimeDirectoryPreserve=restart"
    yield "UMask=0027"


def _sandbox(wanted: Wanted, exposure: str) -> Iterator[str]:
    yield from _comment(f"The sandbox{_loosened(wanted.needs)}. {exposure}".strip())
    for name, value in sandbox(wanted.needs):
        yield f"{name}={_escaped(value)}"


def _loosened(needs: Needs) -> str:
    parts = [
        *(["the network"] if needs.network else []),
        *(["executable memory"] if needs.jit else []),
        *(["all of /proc"] if needs.proc else []),
        *(["reading homes"] if needs.in_home else []),
        *(["the shared /tmp"] if needs.in_tmp else []),
        *needs.capabilities,
        *needs.devices,
        *(f"writing to {path}" for path in needs.writes),
    ]
    return f", loosened for: {', '.join(parts)}" if parts else ""


def _comment(text: str) -> Iterator[str]:
    """Break a comment into lines, as long as those of the shipped units."""
    line = "#"
    for word in text.split():
        if len(line) + 1 + len(word) > 120:
            yield line
            line = "#"
        line += f" {word}"
    yield line


def command_line(words: Sequence[str]) -> str:
    """Return a command line that systemd takes apart into these words."""
    return " ".join(quoted(word) for word in words)


def quoted(word: str, *, is_command: bool = True) -> str:
    """Return a word as a unit file needs it: quotes, escapes, specifiers, and variables of command lines."""
    text = word.replace("%", "%%")
    text = text.replace("$", "$$") if is_command else text
    if text and _PLAIN.issuperset(text.replace("%%", "").replace("$$", "")):
        return text
    return '"' + "".join(_escape(char) for char in text) + '"'


def _escape(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))


def _escaped(text: str) -> str:
    return " ".join(_clean(text).split()).replace("%", "%%")


def _clean(text: str, name: str = "") -> str:
    """Return a text that may stand in a unit: systemd takes none that is not UTF-8 (nor do we), not even escaped."""
    if not is_utf8(text):
        problem = f"{name + ': ' if name else ''}{text!a} cannot stand in a unit: it is not all characters of UTF-8"
        raise UsageError(problem, "put it into a file, and have the program read that")
    return text
