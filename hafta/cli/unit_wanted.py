"""From the options of `hafta unit` to what its unit is to be: looks up programs and modules on this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys

from hafta import exits
from hafta.errors import UsageError
from hafta.guard.arithmetic import answered_within, watchdog_for
from hafta.guard.options import PROBING
from hafta.units.sandbox import Needs
from hafta.units.write import SEQUENCE_WATCHDOG, Around, Guarding, Wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.settings import Values

HAFTA = "/usr/bin/hafta"
PYTHON = "/usr/bin/python3"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_SEQUENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_ASK_THE_NETWORK = ("tcp:", "http:", "https:")


def make_wanted(values: Values, operands: list[str]) -> Wanted:
    """Return what the unit is to be. Raises UsageError for options that contradict each other, or say too little."""
    if not operands:
        raise UsageError("there is nothing to run", "name it last: hafta unit -- PROGRAM ARG..., or MODULE:SEQUENCE")
    is_sequence = bool(_SEQUENCE.fullmatch(operands[0])) and not os.path.exists(operands[0])
    _check(values, is_sequence=is_sequence)
    if is_sequence:
        command, directory, short = _of_sequence(operands)
    else:
        command, directory, short = _of_program(operands)
    name = _checked_name(values.name.removesuffix(".service") or short)
    is_guarded = not (is_sequence or values.notify)
    reads = [*filter(os.path.isabs, command[:1]), *filter(None, [directory])]
    if values.user:  # the manager's socket and the unit's runtime directory are there, too
        reads.append("/run/user")
    needs = Needs(
        network=values.network, jit=values.jit, proc=values.proc, writes=values.write, devices=values.device,
        capabilities=values.capability, reads=(*reads, *_guard_place(is_guarded=is_guarded)),
    )  # fmt: skip
    if needs.in_tmp and not values.run_as and not values.user:
        raise UsageError("a dynamic user has its own /tmp and /var/tmp", "use --run-as USER, or another directory")
    return Wanted(
        name, values.description or name, command,
        guarding=_guarding(values) if is_guarded else None,
        is_sequence=is_sequence,
        watchdog=values.watchdog or (SEQUENCE_WATCHDOG if is_sequence else 0.0),
        needs=needs, around=Around(values.run_as, values.group, values.set, directory, values.user),
    )  # fmt: skip


def _check(values: Values, *, is_sequence: bool) -> None:
    """Refuse what contradicts itself. Raises UsageError."""
    speaks = "a sequence" if is_sequence else "a program with --notify" if values.notify else ""
    if speaks and values.probe:
        raise UsageError(f"{speaks} has no guard, which --probe is for", "leave out --probe")
    if not speaks and values.watchdog:
        raise UsageError("the watchdog of a guard follows from --interval, --timeout and --failures", "set those")
    if values.user and (values.run_as or values.group or values.capability):
        raise UsageError("a unit of a user runs as this user", "leave out --run-as, --group and --capability")
    asking = next((each.text for each in values.probe if each.text.startswith(_ASK_THE_NETWORK)), "")
    if asking and not values.network:
        raise UsageError(f"--probe {asking} asks over the network, which the sandbox has not", "add --network")


def _of_program(operands: list[str]) -> tuple[tuple[str, ...], str, str]:
    """Return the command, its working directory (none) and its short name."""
    program = operands[0]
    if "/" not in program:
        found = shutil.which(program)
        if found is None:
            raise UsageError(f"there is no program {program} in $PATH", "give its path", status=exits.NOT_FOUND)
        program = found
    short = os.path.basename(program).partition(".")[0]
    return (os.path.abspath(program), *operands[1:]), "", short


def _of_sequence(operands: list[str]) -> tuple[tuple[str, ...], str, str]:
    """Return the command that runs a sequence, the directory of its module, and its short name."""
    name, _, sequence = operands[0].partition(":")
    top = name.partition(".")[0]
    sys.path.insert(0, os.getcwd())
    try:
        spec = importlib.util.find_spec(top)  # finds the file, and runs nothing of it
    finally:
        del sys.path[0]
    if spec is None or not spec.origin:
        hint = "run this where the module is, or put its directory on $PYTHONPATH"
        raise UsageError(f"there is no module {top}", hint, status=exits.NOT_FOUND)
    place = os.path.dirname(os.path.abspath(spec.origin))
    place = os.path.dirname(place) if spec.submodule_search_locations else place
    return (_python(), "-m", "hafta.service", *operands), place, sequence


def _python() -> str:
    """Return the Python that finds hafta: the system's, where hafta is installed for it; else this one."""
    is_system = os.path.realpath(sys.executable) == os.path.realpath(PYTHON) and sys.prefix == sys.base_prefix
    return PYTHON if is_system else os.path.abspath(sys.executable)


def _hafta() -> tuple[str, ...]:
    """Return the command: as the packages install it; else as it is found; else by this Python."""
    if os.path.exists(HAFTA):
        return (HAFTA,)
    found = shutil.which("hafta")
    return (os.path.abspath(found),) if found else (_python(), "-m", "hafta.cli")


def _guard_place(*, is_guarded: bool) -> tuple[str, ...]:
    return _hafta()[:1] if is_guarded else ()


def _guarding(values: Values) -> Guarding:
    times = (values.interval, values.timeout, values.failures)
    command = [*_hafta(), "guard"]
    for setting in PROBING:
        value = getattr(values, setting.key)
        if setting.repeats:
            command += [f"{setting.option}={each.text}" for each in value]
        elif value != setting.default:
            command.append(f"{setting.option}={value:g}")
    return Guarding(
        tuple(command), watchdog_for(*times), answered_within(*times), values.start_grace, values.stop_grace
    )


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a unit's name", "use --name with letters, digits, _, . and -")
    return name
