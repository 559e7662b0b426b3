"""Which file system a path is on, for messages: some file systems lack features that records need."""

from __future__ import annotations

import os

_MOUNTS = "/proc/self/mountinfo"


def file_system(path: str) -> str:
    """Return its type and where it is mounted, as "vfat at /media/card"; "unknown" where that cannot be read."""
    real = os.path.realpath(path)
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
            found = [_mount(line) for line in mounts]
    except OSError:
        return "unknown"
    above = [(len(point), kind, point) for kind, point in found if _is_below(real, point)]
    if not above:
        return "unknown"
    _, kind, point = max(above, key=lambda mount: mount[0])
    return f"{kind} at {point}"


def _mount(line: str) -> tuple[str, str]:
    mount, _, source = line.partition(" - ")
    point = mount.split(" ")[4]
    for code in ("040", "011", "012", "134"):  # how the kernel writes blank, tab, newline and backslash
        point = point.replace(f"\\{code}", chr(int(code, 8)))
    return source.split(" ")[0], point


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")
