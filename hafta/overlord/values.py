"""Readers of directive values: text in, value out, ValueError saying what was expected."""

from __future__ import annotations

import resource
import signal
from math import ceil

from hafta.overlord.restart import Statuses
from hafta.systemd.unitfile import boolean, split_words, time_span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.specifiers import Specifiers

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


def text(value: str, specifiers: Specifiers) -> str:
    """Read any text, its specifiers resolved."""
    return specifiers.expand(value)


def yes(value: str, _: Specifiers) -> bool:
    """Read a boolean."""
    return boolean(value)


def seconds(value: str, _: Specifiers) -> float:
    """Read a time span."""
    return time_span(value)


def delay(value: str, _: Specifiers) -> float:
    """Read a time span that ends."""
    if (found := time_span(value)) == INFINITE:
        raise ValueError("a time span that ends, such as 5 or 500ms")
    return found


def watchdog(value: str, _: Specifiers) -> float:
    """Read a time span of which infinity, as 0, means: no watchdog."""
    found = time_span(value)
    return 0.0 if found == INFINITE else found


def timeout(value: str, _: Specifiers) -> float:
    """Read a time span of which 0 means: for ever."""
    return time_span(value) or INFINITE


def whole(value: str, _: Specifiers) -> int:
    """Read a whole number."""
    if not (value.isascii() and value.isdigit()) or len(value) > 9:
        raise ValueError("a whole number, 0 or more")
    return int(value)


def mode(value: str, _: Specifiers) -> int:
    """Read an octal mode."""
    if not value or value.strip("01234567") or int(value, 8) > 0o7777:
        raise ValueError("an octal mode such as 0750")
    return int(value, 8)


def one_of(*words: str) -> Callable[[str, Specifiers], str]:
    """Make a reader of one of these words."""

    def read(value: str, _: Specifiers) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return value

    return read


def names(value: str, specifiers: Specifiers) -> tuple[str, ...]:
    """Read words, their specifiers resolved."""
    return tuple(specifiers.expand(word) for word in split_words(value))


def folders(value: str, specifiers: Specifiers) -> tuple[str, ...]:
    """Read names of directories below a root: relative, never climbing out of it."""
    found = names(value, specifiers)
    for name in found:
        if name.startswith("/") or {"", ".", ".."} & set(name.split("/")):
            raise ValueError("names of directories, not absolute and without . or ..")
        if ":" in name:
            raise ValueError("names of directories; the link that a colon asks for is not made")
    return found


def signal_number(value: str, _: Specifiers | None = None) -> int:
    """Read SIGTERM, TERM or 15."""
    found = _signal(value)
    if found is None:
        raise ValueError("a signal such as SIGTERM or 15")
    return found


def _signal(value: str) -> int | None:
    if value.isascii() and value.isdigit():
        return int(value) if int(value) in signal.valid_signals() else None
    name, sign, distance = value.removeprefix("SIG").partition("+" if "+" in value else "-")
    if f"SIG{name}" not in signal.Signals.__members__:
        return None
    number = int(signal.Signals[f"SIG{name}"])
    if not sign:
        return number
    if name not in {"RTMIN", "RTMAX"} or not (distance.isascii() and distance.isdigit()):
        return None
    number += int(sign + distance)
    return number if signal.SIGRTMIN <= number <= signal.SIGRTMAX else None


def statuses(value: str, _: Specifiers) -> tuple[Statuses]:
    """Read exit statuses and signals: numbers, names such as TEMPFAIL, SIGTERM."""
    codes, signals = set(), set()
    for word in split_words(value):
        if word.isascii() and word.isdigit() and int(word) < 256:
            codes.add(int(word))
        elif word in EXIT_NAMES:
            codes.add(EXIT_NAMES[word])
        elif not word.isdigit() and (number := _signal(word)) is not None:
            signals.add(number)
        else:
            raise ValueError(f"exit statuses 0 to 255 or signals, not {word}")
    return (Statuses(frozenset(codes), frozenset(signals)),)


def assignments(value: str, specifiers: Specifiers) -> tuple[tuple[str, str], ...]:
    """Read NAME=VALUE words."""
    return tuple(assignment(specifiers.expand(word)) for word in split_words(value))


def assignment(word: str) -> tuple[str, str]:
    """Read one NAME=VALUE."""
    name, equals, content = word.partition("=")
    if not equals or not is_variable(name) or "\0" in content:
        raise ValueError(f"NAME=VALUE, not {word}")
    return name, content


def is_variable(name: str) -> bool:
    """Tell whether this can be the name of an environment variable."""
    return name.isascii() and name.isidentifier()


def environment_file(value: str, specifiers: Specifiers) -> tuple[tuple[str, bool], ...]:
    """Read a path to a file of assignments; a leading - lets it be missing."""
    path = specifiers.expand(value.removeprefix("-"))
    if not path.startswith("/"):
        raise ValueError("an absolute path, - in front if the file may be missing")
    return ((path, value.startswith("-")),)


def directory(value: str, specifiers: Specifiers) -> tuple[str, bool]:
    """Read a working directory: absolute, or ~ for the home of User=; a leading - lets it be missing."""
    path = specifiers.expand(value.removeprefix("-"))
    if not path.startswith("/") and path != "~":
        raise ValueError("an absolute path or ~, - in front if it may be missing")
    return path, value.startswith("-")


def limit(name: str) -> Callable[[str, Specifiers], tuple[int, int, int]]:
    """Make a reader of LimitNAME=: soft:hard or one amount for both."""
    amount = {"CPU": _cpu_time, "NICE": _niceness}.get(name, _amount)

    def read(value: str, _: Specifiers) -> tuple[int, int, int]:
        soft, colon, hard = value.partition(":")
        return getattr(resource, f"RLIMIT_{name}"), amount(soft), amount(hard if colon else soft)

    return read


def _amount(text: str) -> int:
    if text == "infinity":
        return resource.RLIM_INFINITY
    digits, power = text, "KMGTPE".find(text[-1:]) + 1 if text else 0
    if power:
        digits = text[:-1]
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("a number, with K, M, G, T, P or E behind it if you like, or infinity")
    return int(int(digits) * 1024**power)


def _cpu_time(text: str) -> int:
    """Read a time span as whole seconds, which is all that the kernel can limit: rounded up, as in systemd."""
    found = time_span(text)
    return resource.RLIM_INFINITY if found == INFINITE else ceil(found)


def _niceness(text: str) -> int:
    """Read a nice level with its sign, -20 to +19; or, without a sign, the limit that it means: 20 less the level."""
    if text[:1] not in {"+", "-"}:
        return _amount(text)
    if not (text.isascii() and text[1:].isdigit()) or not -20 <= int(text) <= 19:
        raise ValueError("a nice level from -20 to +19, or the limit as a number without a sign")
    return 20 - int(text)
