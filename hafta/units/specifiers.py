"""The % specifiers of unit files (systemd.unit(5), "Specifiers") for one unit."""

from __future__ import annotations

import grp
import os
import pwd

from hafta.boot import boot_id
from hafta.units.names import Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.units.roots import Roots

MACHINE_INFO = "/etc/machine-info"


class Specifiers:
    """Resolves specifiers for a unit that stands in a file."""

    def __init__(self, name: str, file: str, roots: Roots) -> None:
        self.name = Name(name)
        self.file = file
        self.roots = roots

    def expand(self, text: str) -> str:
        """Return the text with its specifiers resolved. Raises ValueError for one that does not exist.

        A percent sign before anything but a letter or a digit is a percent sign.
        """
        if "%" not in text:
            return text
        parts: list[str] = []
        at = 0
        while (percent := text.find("%", at)) >= 0:
            parts.append(text[at:percent])
            at = percent + 2
            parts.append(self._resolve(text[percent + 1 : at]))
        parts.append(text[at:])
        return "".join(parts)

    def _resolve(self, letter: str) -> str:
        if letter in _SPECIFIERS:
            return _SPECIFIERS[letter](self)
        if letter.isascii() and letter.isalnum():
            raise ValueError(f"a specifier that exists, not %{letter}; a percent sign is written %%")
        return "%" + letter


def unescape(name: str) -> str:
    r"""Undo systemd-escape(1): - is a slash, \xNN a byte."""
    found = bytearray()
    rest = os.fsencode(name.replace("-", "/"))
    while rest:
        plain, mark, rest = rest.partition(b"\\x")
        found += plain
        if mark:
            try:
                found.append(int(rest[:2], 16))
            except ValueError:
                found += mark + rest[:2]
            rest = rest[2:]
    return os.fsdecode(bytes(found))


def caller() -> pwd.struct_passwd:
    """Return the user who runs us."""
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError:  # a container may run a uid that nobody named
        uid = os.geteuid()
        return pwd.struct_passwd((str(uid), "x", uid, os.getegid(), "", os.environ.get("HOME", "/"), "/bin/sh"))


def _group() -> str:
    try:
        return grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        return str(os.getegid())


def _line_of(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.readline().strip().replace("-", "")
    except OSError:
        return ""


def _of_system(name: str) -> Callable[[Specifiers], str]:
    """Make a specifier of a field of os-release(5)."""

    def read(_: Specifiers) -> str:
        from platform import freedesktop_os_release

        try:
            return freedesktop_os_release().get(name, "")
        except OSError:
            return ""

    return read


def _pretty_hostname() -> str:
    from hafta.units.envfile import read_file

    return read_file(MACHINE_INFO, "%q", optional=True).get("PRETTY_HOSTNAME") or os.uname().nodename


def architecture() -> str:
    """Return systemd's name for the machine's architecture; the kernel has another one for some."""
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, "arm" if machine.startswith("armv") else machine)


_ARCHITECTURES = {
    "x86_64": "x86-64",
    "aarch64": "arm64",
    "aarch64_be": "arm64-be",
    "ppc64le": "ppc64-le",
    **dict.fromkeys(("i386", "i486", "i586", "i686"), "x86"),
}

_SPECIFIERS: dict[str, Callable[[Specifiers], str]] = {
    "%": lambda _: "%",
    "n": lambda s: s.name.full,
    "N": lambda s: s.name.stem,
    "p": lambda s: s.name.prefix,
    "P": lambda s: unescape(s.name.prefix),
    "i": lambda s: s.name.instance,
    "I": lambda s: unescape(s.name.instance),
    "j": lambda s: s.name.prefix.rpartition("-")[2],
    "J": lambda s: unescape(s.name.prefix.rpartition("-")[2]),
    "f": lambda s: "/" + unescape(s.name.instance or s.name.prefix).strip("/"),
    "y": lambda s: s.file,
    "Y": lambda s: os.path.dirname(s.file),
    "t": lambda s: s.roots.runtime,
    "S": lambda s: s.roots.state,
    "C": lambda s: s.roots.cache,
    "L": lambda s: s.roots.logs,
    "E": lambda s: s.roots.configuration,
    "d": lambda s: os.path.join(s.roots.runtime, "credentials", s.name.full),
    "T": lambda _: "/tmp",  # noqa: S108 - what %T means is /tmp
    "V": lambda _: "/var/tmp",  # noqa: S108 - what %V means is /var/tmp
    "h": lambda _: caller().pw_dir,
    "s": lambda _: caller().pw_shell,
    "u": lambda _: caller().pw_name,
    "U": lambda _: str(os.geteuid()),
    "g": lambda _: _group(),
    "G": lambda _: str(os.getegid()),
    "H": lambda _: os.uname().nodename,
    "l": lambda _: os.uname().nodename.partition(".")[0],
    "m": lambda _: _line_of("/etc/machine-id"),
    "b": lambda _: boot_id().replace("-", ""),
    "q": lambda _: _pretty_hostname(),
    "v": lambda _: os.uname().release,
    "a": lambda _: architecture(),
    "o": _of_system("ID"),
    "w": _of_system("VERSION_ID"),
    "W": _of_system("VARIANT_ID"),
    "A": _of_system("IMAGE_VERSION"),
    "B": _of_system("BUILD_ID"),
    "M": _of_system("IMAGE_ID"),
}
