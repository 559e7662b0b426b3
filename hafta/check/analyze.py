"""What systemd's own tools say of a unit: its release, `systemd-analyze verify` and `security`."""

from __future__ import annotations

import os
import re

from hafta.check.rule import Spot
from hafta.errors import HaftaError
from hafta.systemd.tools import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TOOL = "systemd-analyze"
_PLACE = re.compile(r"(/[^:]+):(\d+): (.*)")
_EXPOSURE = re.compile(r"exposure level .*: (\d+(?:\.\d+)?) ")


def release() -> int | None:
    """Return the release of systemd on this machine; None if there is none."""
    try:
        found = re.match(r"systemd (\d+)", run("systemctl", "--version").stdout)
    except HaftaError:
        return None
    return int(found[1]) if found else None


def verify(name: str, files: Sequence[str], *, of_user: bool) -> tuple[Spot, ...]:
    """Return what systemd says about a unit and its files, each line once. Raises HaftaError if it cannot be asked."""
    done = run(TOOL, *(["--user"] if of_user else []), "verify", "--man=no", "--", files[0])
    return said(name, files, done.stderr.splitlines())


def said(name: str, files: Sequence[str], lines: Iterable[str]) -> tuple[Spot, ...]:
    """Return the lines that are about this unit: those that begin with one of its files, or with its name."""
    real = {os.path.realpath(file): file for file in files}
    stem, _, suffix = name.rpartition(".")
    own = re.compile(rf"(?:{re.escape(name)}|{re.escape(stem.partition('@')[0])}@[^:/]*\.{re.escape(suffix)}): (.*)")
    found: list[Spot] = []
    for line in map(str.strip, lines):
        if (match := _PLACE.match(line)) and os.path.realpath(match[1]) in real:
            found.append(Spot(match[3], real[os.path.realpath(match[1])], int(match[2])))
        elif match := own.match(line):
            found.append(Spot(match[1], files[0]))
    return tuple(dict.fromkeys(found))


def exposure(file: str, *, of_user: bool) -> float | None:
    """Return the exposure of a service, 0 to 10; None if it cannot be told. Raises HaftaError as verify() does."""
    how = ["--user"] if of_user else []
    done = run(TOOL, *how, "security", "--offline=yes", "--no-pager", "--", file)
    found = _EXPOSURE.search(done.stdout)
    return float(found[1]) if found else None
