"""Reading the kernel's own files, in /proc and /sys."""

from __future__ import annotations

import os

MOST = 1 << 20  # bytes


def content(path: str) -> str:
    """Return what a file of the kernel holds. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        parts: list[bytes] = []
        while (data := os.read(fd, 65536)) and len(parts) < MOST // 65536:
            parts.append(data)
    finally:
        os.close(fd)
    return b"".join(parts).decode("utf-8", "surrogateescape")


def content_or_nothing(path: str) -> str:
    """Return what a file of the kernel holds; nothing if it cannot be read."""
    try:
        return content(path)
    except OSError:
        return ""


def first_line(path: str) -> str:
    """Return the first line of a file; empty if it cannot be read."""
    return content_or_nothing(path).partition("\n")[0]


def mounts() -> list[tuple[str, str]]:
    """Return where something is mounted, and the kind of file system, the last mounted one last."""
    found = []
    for line in content_or_nothing("/proc/self/mountinfo").splitlines():
        before, dash, after = line.partition(" - ")
        words = before.split(" ")
        if dash and len(words) > 4:
            found.append((_plain(words[4]), after.split(" ")[0]))
    return found


def _plain(path: str) -> str:
    r"""Undo the kernel's \040 for a blank."""
    if "\\" not in path:
        return path
    first, *rest = path.split("\\")
    return first + "".join(chr(int(part[:3], 8)) + part[3:] for part in rest)
