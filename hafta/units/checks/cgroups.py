"""Conditions on cgroups: which controllers there are, how much memory we may have, how much pressure there is."""

from __future__ import annotations

import errno
import os

from hafta.units import words
from hafta.units.checks.reading import content, first_line, mounts
from hafta.units.names import Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = "/sys/fs/cgroup"
_UNIFIED = frozenset(("cpu", "cpuset", "io", "memory", "pids"))
_SEPARATE = frozenset(("cpu", "cpuacct", "blkio", "memory", "devices", "pids"))
_PSEUDO = frozenset(f"bpf-{what}" for what in ("firewall", "devices", "foreign", "socket-bind"))
_ALL = _UNIFIED | _SEPARATE | _PSEUDO | {"bpf-restrict-network-interfaces"}
_PRESSURES = ("cpu", "io", "memory")
_SPANS = {"10sec": "avg10", "1min": "avg60", "5min": "avg300"}


def is_unified() -> bool:
    """Tell whether there is one tree of cgroups (v2). Raises OSError if there is none at all."""
    kind = next((kind for point, kind in reversed(mounts()) if point == ROOT), "")
    if kind not in {"cgroup2", "tmpfs"}:
        raise OSError(errno.ENOMEDIUM, "no cgroups are mounted")
    return kind == "cgroup2"


def _controllers() -> frozenset[str]:
    """Return the controllers that may be used."""
    if is_unified():
        return _UNIFIED.intersection(content(f"{ROOT}/cgroup.controllers").split())
    return frozenset(name for name in _SEPARATE if os.path.exists(f"{ROOT}/{name}"))


def has_controllers(value: str) -> bool:
    """Answer for v1, v2, or names of controllers, all of which must be there; unknown ones do not count."""
    if value in {"v1", "v2"}:
        return is_unified() is (value == "v2")
    found = _controllers()
    wanted = _ALL.intersection(words.split(value, words.VARIABLES))
    return wanted <= found


def memory_limit() -> float:
    """Return how many bytes of memory we may use; infinite where nothing limits that."""
    try:
        text = first_line(f"{ROOT}/memory.max" if is_unified() else f"{ROOT}/memory/memory.limit_in_bytes")
    except OSError:
        text = ""
    return int(text) if text.isascii() and text.isdigit() else float("inf")


def pressure(kind: str) -> Callable[[str], bool]:
    """Make a check of the pressure on one resource: whether it is at most so high, or cannot be known."""

    def check(value: str) -> bool:
        if not all(os.path.exists(f"/proc/pressure/{each}") for each in _PRESSURES):
            return True
        where, limit, average = _parts(value)
        path = f"/proc/pressure/{kind}"
        if where:
            if not is_unified() or kind not in _controllers():
                return True
            path = f"{ROOT}{_place(where)}/{kind}.pressure"
        wanted = permyriad(limit)
        try:
            return _average(path, "some" if kind == "cpu" else "full", average) <= wanted
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:  # the kernel has it, and was started without it
                return True
            raise

    return check


def _parts(value: str) -> tuple[str, str, str]:
    """Return the slice, if one is named, the limit, and the name of the average."""
    found = [part for part in value.split(":") if part]
    if not found:
        raise ValueError("a percentage is expected")
    limit, *span = [part for part in found[min(1, len(found) - 1)].split("/") if part] or [""]
    where = found[0].strip(words.WHITESPACE) if len(found) > 1 else ""
    return where, limit.strip(words.WHITESPACE), _span(span[0]) if span else "avg300"


def _span(text: str) -> str:
    rest = text.lstrip(words.WHITESPACE)
    found = next((average for begin, average in _SPANS.items() if rest.startswith(begin)), "")
    if not found:
        raise ValueError("10sec, 1min or 5min is expected behind the slash")
    return found


def _place(name: str) -> str:
    """Return where the cgroup of a slice is: that of a-b.slice is in that of a.slice."""
    parts = Name(name)
    if parts.suffix != "slice" or "@" in name or "" in parts.prefix.split("-"):
        raise ValueError(f"{name} is not a slice")
    pieces = parts.prefix.split("-")
    return "".join(f"/{'-'.join(pieces[: count + 1])}.slice" for count in range(len(pieces)))


def permyriad(text: str) -> int:
    """Read a percentage with at most two decimals, or one with ‰ or ‱, as ten thousandths."""
    for mark, decimals in (("%", 2), ("‰", 1), ("‱", 0)):
        number, found, rest = text.removeprefix("+").partition(mark)
        whole, point, fraction = number.partition(".")
        if not found or rest:
            continue
        digits = whole + fraction.ljust(decimals, "0")
        good = digits.isascii() and digits.isdigit() and len(fraction) <= decimals and (bool(fraction) or not point)
        if good and whole and int(digits[:9]) <= 10_000 and len(digits.lstrip("0")) < 9:
            return int(digits)
    raise ValueError("a percentage is expected")


def _average(path: str, kind: str, name: str) -> int:
    """Return an average as ten thousandths: of the time in which some tasks waited, or all of them (full)."""
    lines = {line.split()[0]: line.split()[1:] for line in content(path).splitlines() if line}
    for word in lines.get(kind) or lines["some"]:
        key, _, value = word.partition("=")
        if key == name:
            return round(float(value) * 100)
    raise ValueError(f"{path} has no {name}")
