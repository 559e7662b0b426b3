"""Whether the kernel has killed a process of this unit for memory: what its control group counts.

A SIGKILL says nothing about who sent it. `memory.events` of a control group (v2) counts the processes that were killed
for memory, and how often its own limit was met. With v1 it is `memory.oom_control`, and `memory.failcnt`, which also
counts what was freed in time. Both count before the process is dead. They name no pid: a child of the worker that was
killed earlier, and a SIGKILL by somebody else after it, look the same.
"""

from __future__ import annotations

import os

from hafta.death import MEMORY, OOM
from hafta.frozen import Frozen
from hafta.process.stat import content

ROOT = "/sys/fs/cgroup"
GROUPS = "/proc/self/cgroup"


class Kills(Frozen):
    """What was counted until now. 0: nothing, or it cannot be read."""

    killed: int  # processes
    limited: int  # times that the limit of this group was met


def kills() -> Kills:
    """Return what is counted."""
    for line in _read(GROUPS).splitlines():
        _, controllers, place = (*line.split(":", 2), "", "")[:3]
        if controllers == "memory":
            folder = os.path.join(ROOT, "memory", place.lstrip("/"))
            limited = _read(f"{folder}/memory.failcnt").strip()
            found = _number(_read(f"{folder}/memory.oom_control"), "oom_kill")
            return Kills(found, int(limited) if limited.isdecimal() else 0)
        if not controllers:
            text = _read(os.path.join(ROOT, place.lstrip("/"), "memory.events"))
            if text:
                return Kills(_number(text, "oom_kill"), _number(text, "oom"))
    return Kills(0, 0)


def since(before: Kills) -> str:
    """Return why a process was killed since then, as a Death has it: MEMORY or OOM; empty: none was."""
    now = kills()
    if now.killed <= before.killed:
        return ""
    return MEMORY if now.limited > before.limited else OOM


def _number(text: str, name: str) -> int:
    for line in text.splitlines():
        word, _, number = line.partition(" ")
        if word == name and number.isdecimal():
            return int(number)
    return 0


def _read(path: str) -> str:
    return (content(path) or b"").decode(errors="replace")  # empty: there is none, or the sandbox hides it
