"""Readers of directive values: text in, value out, ValueError saying what was expected."""

from __future__ import annotations

import os
import signal

from hafta.units import amounts, words
from hafta.units.directive import NotHere
from hafta.units.envfile import is_variable
from hafta.units.names import Name
from hafta.units.restart import Statuses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.units.specifiers import Specifiers

INFINITE = float("inf")

#: Names of exit statuses: systemd.exec(5), "Process Exit Codes", with the numbers at which a row of them begins.
_EXIT_NAMES = {
    0: "SUCCESS FAILURE INVALIDARGUMENT NOTIMPLEMENTED NOPERMISSION NOTINSTALLED NOTCONFIGURED NOTRUNNING",
    64: "USAGE DATAERR NOINPUT NOUSER NOHOST UNAVAILABLE SOFTWARE OSERR OSFILE CANTCREAT IOERR TEMPFAIL PROTOCOL",
    77: "NOPERM CONFIG",
    200: "CHDIR NICE FDS EXEC MEMORY LIMITS OOM_ADJUST SIGNAL_MASK STDIN STDOUT CHROOT IOPRIO TIMERSLACK SECUREBITS",
    214: "SETSCHEDULER CPUAFFINITY GROUP USER CAPABILITIES CGROUP SETSID CONFIRM STDERR",
    224: "PAM NETWORK NAMESPACE NO_NEW_PRIVILEGES SECCOMP SELINUX_CONTEXT PERSONALITY APPARMOR ADDRESS_FAMILIES",
    233: "RUNTIME_DIRECTORY",
    235: "CHOWN SMACK_PROCESS_LABEL KEYRING STATE_DIRECTORY CACHE_DIRECTORY LOGS_DIRECTORY CONFIGURATION_DIRECTORY",
    242: "NUMA_POLICY CREDENTIALS BPF",
    255: "EXCEPTION",
}
EXIT_NAMES = {name: first + at for first, row in _EXIT_NAMES.items() for at, name in enumerate(row.split())}


def identity(value: str, specifiers: Specifiers) -> str:
    """Read the name or the number of a user or a group."""
    name = specifiers.expand(value)
    if name.isascii() and name.isdigit():
        good = str(int(name[:11])) == name and int(name) not in {0xFFFF, 0xFFFFFFFF} and int(name) < 1 << 32
    else:
        negative = name[:1] == "-" and not name[1:].strip("0123456789")
        good = name.strip() == name and name.isprintable() and not negative and name not in {"", ".", ".."}
        good = good and not {":", "/"} & set(name)
    if not good:
        raise ValueError("the name or the number of a user or a group")
    return name


def identities(value: str, specifiers: Specifiers) -> tuple[str, ...]:
    """Read names or numbers of groups."""
    return tuple(identity(word, specifiers) for word in words.split(value, words.STATUSES))


def text(value: str, specifiers: Specifiers) -> str:
    """Read any text."""
    return specifiers.expand(value)


def yes(value: str, _: Specifiers) -> bool:
    """Read a boolean."""
    return amounts.boolean(value)


def seconds(value: str, _: Specifiers) -> float:
    """Read a time span."""
    return amounts.seconds(value)


def delay(value: str, _: Specifiers) -> float:
    """Read a time span that ends."""
    if (found := amounts.seconds(value)) == INFINITE:
        raise ValueError("a time span that ends, such as 5 or 500ms")
    return found


def watchdog(value: str, _: Specifiers) -> float:
    """Read a time span of which infinity, as 0, means: no watchdog."""
    found = amounts.seconds(value)
    return 0.0 if found == INFINITE else found


def timeout(value: str, _: Specifiers) -> float:
    """Read a time span of which 0 means: for ever."""
    return amounts.seconds(value) or INFINITE


def whole(value: str, _: Specifiers) -> int:
    """Read a whole number."""
    return amounts.whole_number(value, 1 << 32)


def mode(value: str, _: Specifiers) -> int:
    """Read an octal mode."""
    if not value or value.strip("01234567") or int(value[:99], 8) > 0o7777:
        raise ValueError("an octal mode such as 0750")
    return int(value, 8)


def one_of(*choices: str) -> Callable[[str, Specifiers], str]:
    """Make a reader of one of these words."""

    def read(value: str, _: Specifiers) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value

    return read


TYPES = ("simple", "exec", "forking", "oneshot", "notify", "notify-reload", "idle")


def service_type(value: str, _: Specifiers) -> str:
    """Read Type=."""
    if value == "dbus":
        raise NotHere("a type without D-Bus: the embedded overlord is not on a bus and cannot see who is")
    if value not in TYPES:
        raise ValueError(f"one of {', '.join(TYPES)}")
    return value


def pid_file(value: str, specifiers: Specifiers) -> str:
    """Read PIDFile=: a relative path is one below the runtime directory."""
    path = specifiers.expand(value)
    path = path if path.startswith("/") else os.path.join(specifiers.roots.runtime, path)
    return absolute(path, "a path without ..")


def preserve(value: str, _: Specifiers) -> str:
    """Read a boolean, or `restart`."""
    if value == "restart":
        return value
    try:
        return "yes" if amounts.boolean(value) else "no"
    except ValueError:
        raise ValueError("no, yes or restart") from None


def units(value: str, specifiers: Specifiers) -> tuple[str, ...]:
    """Read names of units, their specifiers resolved."""
    return tuple(unit_name(specifiers.expand(word), specifiers) for word in words.split(value, words.UNITS))


def unit_name(name: str, specifiers: Specifiers) -> str:
    """Return a unit's name; a template becomes the instance that goes with ours. Raises ValueError for no name."""
    parts = Name(name)
    if parts.is_template:
        name = parts.with_instance(specifiers.name.instance or specifiers.name.prefix)
    if not is_unit_name(name):
        raise ValueError(f"names of units such as x.service, not {name}")
    return name


_UNIT_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\@")
_SUFFIXES = frozenset(
    ("service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope")
)
LONGEST_NAME = 255


def is_unit_name(name: str) -> bool:
    """Tell whether a unit can have this name (systemd.unit(5))."""
    stem, _, suffix = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    characters = _UNIT_CHARACTERS.issuperset(name)
    return (
        characters and suffix in _SUFFIXES and bool(prefix) and bool(instance or not at) and len(name) <= LONGEST_NAME
    )


def variables(value: str, specifiers: Specifiers) -> tuple[str, ...]:
    """Read names of variables."""
    found = tuple(specifiers.expand(word) for word in words.split(value, words.VARIABLES))
    for name in found:
        if not is_variable(name):
            raise ValueError(f"names of variables, not {name}")
    return found


def unwanted(value: str, specifiers: Specifiers) -> tuple[str, ...]:
    """Read names of variables, and NAME=VALUE for those that have this value."""
    found = tuple(specifiers.expand(word) for word in words.split(value, words.STRICT))
    for word in found:
        name, _, content = word.partition("=")
        if not is_variable(name) or not words.is_utf8(content):
            raise ValueError(f"names of variables, or NAME=VALUE, not {word}")
    return found


def signal_number(value: str, _: Specifiers | None = None) -> int:
    """Read SIGTERM, TERM or 15."""
    found = _signal(value)
    if found is None:
        raise ValueError("a signal such as SIGTERM or 15")
    return found


_SIGNALS = {
    name.removeprefix("SIG"): int(number)
    for name, number in signal.Signals.__members__.items()
    if name not in {"SIGCLD", "SIGIOT", "SIGPOLL"}  # second names, which systemd does not know
}


def _signal(value: str) -> int | None:
    try:
        return amounts.whole_number(value, signal.SIGRTMAX + 1) or None
    except ValueError:
        pass
    name, sign, distance = value.removeprefix("SIG").partition("+" if "+" in value else "-")
    number = _SIGNALS.get(name)
    if number is None or not sign:
        return number
    try:
        offset = amounts.whole_number(distance, signal.NSIG) if distance[:1] not in "+ \t" else signal.NSIG
    except ValueError:
        return None
    number += offset if sign == "+" else -offset
    is_real_time = name == ("RTMIN" if sign == "+" else "RTMAX")
    return number if is_real_time and signal.SIGRTMIN <= number <= signal.SIGRTMAX else None


def statuses(value: str, _: Specifiers) -> tuple[Statuses]:
    """Read exit statuses and signals: numbers, names such as TEMPFAIL, SIGTERM."""
    codes, signals = set(), set()
    for word in words.split(value, words.STATUSES):
        if (code := _status(word)) is not None:
            codes.add(code)
        elif (number := _signal(word)) is not None and not word.isdigit():
            signals.add(number)
        else:
            raise ValueError(f"exit statuses 0 to 255 or signals, not {word}")
    return (Statuses(frozenset(codes), frozenset(signals)),)


def _status(word: str) -> int | None:
    try:
        return EXIT_NAMES[word] if word in EXIT_NAMES else amounts.whole_number(word, 256)
    except ValueError:
        return None


def assignments(value: str, specifiers: Specifiers) -> tuple[tuple[str, str], ...]:
    """Read NAME=VALUE words."""
    return tuple(assignment(specifiers.expand(word)) for word in words.split(value, words.STRICT))


def assignment(word: str) -> tuple[str, str]:
    """Read one NAME=VALUE."""
    name, equals, content = word.partition("=")
    if not equals or not is_variable(name) or "\0" in content or not words.is_utf8(content):
        raise ValueError(f"NAME=VALUE, not {word}")
    return name, content


def environment_file(value: str, specifiers: Specifiers) -> tuple[tuple[str, bool], ...]:
    """Read a path to a file of assignments; a leading - forgives whatever is wrong with it."""
    path = specifiers.expand(value)
    return ((absolute(path.removeprefix("-"), "an absolute path, - in front if it may be missing"), path[:1] == "-"),)


def directory(value: str, specifiers: Specifiers) -> tuple[str, bool]:
    """Read a working directory: absolute, or ~ for the home of User=; a leading - lets it be missing."""
    optional = value.startswith("-")
    path = value.removeprefix("-")
    expected = "an absolute path or ~, - in front if it may be missing"
    return (path if path == "~" else absolute(specifiers.expand(path), expected)), optional


def absolute(path: str, expected: str) -> str:
    """Return an absolute path as it is used. Raises ValueError saying what was expected."""
    found = words.simplified(path)
    parts = found.split("/")
    too_long = len(os.fsencode(path)) >= _PATH_MAX or max(len(os.fsencode(part)) for part in parts) > LONGEST_NAME
    if not path.startswith("/") or ".." in parts or too_long:
        raise ValueError(expected)
    return found


_PATH_MAX = 4096
