"""`hafta unit`: prints the unit of a program or of a sequence, with its sandbox; or puts it in place."""

from __future__ import annotations

import os
import re

import click

from hafta import exits
from hafta.cli.options import options, words
from hafta.guard.options import PROBING
from hafta.guard.options import seconds as above_zero
from hafta.settings import Program, Setting, parse, path, switch
from hafta.units.values import assignment
from hafta.units.write import unit_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SPECIAL = frozenset(" \"'\\")  # in a list of paths of a unit


def several(text: str) -> tuple[str]:
    """Read a name of which there may be more."""
    if not text or not text.isprintable() or " " in text:
        raise ValueError("a name without blanks")
    return (text,)


def absolute(text: str) -> tuple[str]:
    """Read an absolute path of which there may be more."""
    if not path(text).startswith("/") or not text.isprintable() or not _SPECIAL.isdisjoint(text):
        raise ValueError("an absolute path without blanks, quotes and backslashes")
    return (os.path.normpath(text),)


def device(text: str) -> tuple[str]:
    """Read the path of a device, or a kind of devices as systemd names it, of which there may be more."""
    if re.fullmatch(r"(char|block)-[A-Za-z0-9_.+-]+", text):
        return (text,)
    try:
        return absolute(text)
    except ValueError as error:
        raise ValueError(f"{error}, and not a kind of devices such as char-ttyUSB") from None


def variable(text: str) -> tuple[tuple[str, str]]:
    """Read a variable of which there may be more."""
    try:
        return (assignment(text),)
    except ValueError:
        raise ValueError("NAME=VALUE in UTF-8") from None


def _switch(name: str, about: str) -> Setting:
    return Setting(name, switch, default=False, help=about, scope="unit")


def _repeated(name: str, read: Any, about: str, metavar: str) -> Setting:
    return Setting(name, read, (), f"{about}; may be given more than once", metavar, repeats=True, scope="unit")


SETTINGS = (
    Setting(
        "name", str, "", "the unit's name", "NAME", shown_default="that of the program or of the sequence", scope="unit"
    ),
    Setting("description", str, "", "what the unit is", "TEXT", shown_default="its name", scope="unit"),
    *PROBING,
    _switch("notify", "the program speaks sd_notify itself: no guard"),
    Setting(
        "watchdog", above_zero, None, "seconds within which a program with --notify, or a sequence, pings", "SECONDS",
        shown_default="none with --notify, 10 for a sequence", scope="unit",
    ),
    Setting(
        "run-as", str, "", "the user that runs it", "USER", shown_default="a dynamic user of the service", scope="unit"
    ),
    _repeated("group", several, "a group that it is in, too", "GROUP"),
    _switch("network", "it uses the network"),
    _repeated("write", absolute, "a file or directory that it writes to, besides its state directory", "PATH"),
    _repeated("device", device, "a device that it reads and writes, or all of a kind: char-ttyUSB", "DEVICE"),
    _repeated("capability", several, "a capability that it has, such as CAP_NET_BIND_SERVICE", "NAME"),
    _switch("jit", "it writes memory and executes it: Java, Node.js, .NET, LuaJIT"),
    _switch("proc", "it reads more of /proc than its processes: meminfo, cpuinfo"),
    _repeated("set", variable, "a variable of its environment", "NAME=VALUE"),
    _switch("install", "put the unit in place, enable it and start it"),
    _switch("user", "for the user's own manager (systemctl --user)"),
    _switch("force", "with --install: also over a file that was changed, or that somebody else has put there"),
)  # fmt: skip

PROGRAM = Program(
    "hafta unit",
    "Print a systemd unit for a program or a sequence: watched, restarted, in a sandbox that is opened only by what is"
    " named here.",
    SETTINGS,
    (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.IN_USE, exits.SYSTEM),
    operands="MODULE:SEQUENCE | -- PROGRAM [ARG]...",
)


@click.command(name="unit", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("program", nargs=-1, metavar=PROGRAM.operands)
def unit(program: tuple[str, ...], **given: Any) -> int:
    """Make the unit; print it or put it in place."""
    from hafta.cli.unit_install import exposure_of, install  # late: the other commands need not wait for subprocess
    from hafta.cli.unit_wanted import make_wanted

    values, operands = parse(PROGRAM, [*words(PROGRAM, given), "--", *program], os.environ)
    wanted = make_wanted(values, operands)
    text = unit_text(wanted, exposure_of(f"{wanted.name}.service", unit_text(wanted)))
    if values.install:
        patience = wanted.guarding.start_grace if wanted.guarding else 90.0
        install(f"{wanted.name}.service", text, of_user=wanted.around.of_user, force=values.force, patience=patience)
    else:
        click.echo(text, nl=False)
    return exits.OK
