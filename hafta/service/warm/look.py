"""Looking at the worker, for judge.py: /proc/PID/stat and /proc/PID/schedstat, then the clock."""

from __future__ import annotations

import time

from hafta.process.stat import bytes_of
from hafta.service.warm.judge import Look


def look(pid: int) -> Look:
    """Look at a process. What cannot be read counts as a process that has run all the time."""
    stat = (bytes_of(pid, "stat") or b"").rpartition(b")")[2].split()
    counts = (bytes_of(pid, "schedstat") or b"").split()
    state = stat[0].decode() if stat else ""
    try:
        ran, waited = int(counts[0]) / 1e9, int(counts[1]) / 1e9
    except (IndexError, ValueError):
        state, ran, waited = "", 0.0, 0.0
    return Look(time.monotonic(), state, ran, waited)
