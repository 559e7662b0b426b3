"""Who has a claim, for messages."""

from __future__ import annotations

import os
import time

from hafta.stores.protocol import Holder


def myself() -> Holder:
    """Return this process, as the holder of a claim that begins now."""
    return Holder(pid=os.getpid(), unit=unit(), since=time.time())


def describe(holder: Holder | None) -> str:
    """Describe the holder in a message."""
    if holder is None:
        return "another process"
    since = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(holder.since))
    itself = "this process itself, " if is_myself(holder) else ""
    place = f" on {holder.host}" if holder.host else ""
    return f"{itself}pid {holder.pid}{f' ({holder.unit})' if holder.unit else ''}{place}, since {since}"


def is_myself(holder: Holder | None) -> bool:
    """Tell whether the holder is this process."""
    return holder is not None and not holder.host and holder.pid == os.getpid()


def is_gone(holder: Holder | None) -> bool:
    """Tell whether the process that the note names has ended."""
    if holder is None:
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def host() -> str:
    """Return the name of this host: hosts that share a store must have different ones."""
    return os.uname().nodename


def unit() -> str:
    """Return the unit that this process belongs to, by its control group; empty if there is none."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as groups:
            return unit_of(groups.read())
    except OSError:
        return ""


def unit_of(groups: str) -> str:
    """Return the innermost service or scope in /proc/PID/cgroup: systemd's own hierarchy, or the unified one."""
    for line in groups.splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers in {"", "name=systemd"}:
            for part in reversed(path.split("/")):
                if part.endswith((".service", ".scope")):
                    return part
    return ""
