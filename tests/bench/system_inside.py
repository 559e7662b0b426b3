"""Runs in a booted machine: kills units and prints, as JSON, how long each took to be back.

All times are milliseconds from the SIGKILL, on the monotonic clock, with which systemd stamps, too.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable

GIVE_UP = 30.0
PROPERTIES = ("MainPID", "ActiveState", "ActiveEnterTimestampMonotonic")


def show(unit: str) -> dict[str, str]:
    text = subprocess.run(
        ["systemctl", "show", unit, f"--property={','.join(PROPERTIES)}"], check=True, capture_output=True, text=True
    ).stdout
    return dict(line.split("=", 1) for line in text.splitlines() if line)


def wait_for_new(unit: str, old: str) -> int:
    """Return when the unit became active with another process, in microseconds."""
    end = time.monotonic() + GIVE_UP
    while time.monotonic() < end:
        now = show(unit)
        if now["ActiveState"] == "active" and now["MainPID"] not in {"0", old}:
            return int(now["ActiveEnterTimestampMonotonic"])
        time.sleep(0.02)
    raise SystemExit(f"{unit} did not come back within {GIVE_UP} s")


def forget_crashes() -> None:
    """Let each kill be the first: what is measured is the restart, not the hold-off."""
    for path in glob.glob("/run/hafta*/*.starts"):
        os.unlink(path)


def kill(unit: str, signum: int = signal.SIGKILL) -> tuple[float, str]:
    forget_crashes()
    pid = show(unit)["MainPID"]
    now = time.monotonic()
    os.kill(int(pid), signum)
    return now, pid


def restarts(unit: str, kills: int) -> list[float]:
    took = []
    for _ in range(kills):
        at, pid = kill(unit)
        took.append(wait_for_new(unit, pid) / 1000 - at * 1000)
        time.sleep(0.1)
    return took


def records(unit: str, pipe: str, kills: int) -> list[float]:
    """Return when hafta-client, started by hand so that each of its lines comes at once, read its first good record."""
    command = ["/usr/bin/hafta-client", "--pipe", pipe]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as client:
        assert client.stdout is not None
        wait_for_line(client.stdout, "1 successful")
        took = []
        for _ in range(kills):
            at, pid = kill(unit)
            wait_for_line(client.stdout, "Open failed")
            wait_for_line(client.stdout, "1 successful")
            took.append((time.monotonic() - at) * 1000)
            wait_for_new(unit, pid)
            time.sleep(0.1)
        client.terminate()
    return took


def wait_for_line(lines: Iterable[str], start: str) -> None:
    for line in lines:
        if line.startswith(start):
            return
    raise SystemExit(f"the client ended before it said {start!r}")


def hangs(unit: str, times: int) -> list[float]:
    took = []
    for _ in range(times):
        at, pid = kill(unit, signal.SIGSTOP)
        took.append(wait_for_new(unit, pid) / 1000 - at * 1000)
        time.sleep(0.5)
    return took


def interpreter(times: int) -> list[float]:
    took = []
    for _ in range(times):
        before = time.monotonic()
        subprocess.run(["/usr/bin/python3", "-c", "pass"], check=True)
        took.append((time.monotonic() - before) * 1000)
    return took


def main() -> None:
    what, *words = sys.argv[1:]
    numbers = [int(word) if word.isdigit() else word for word in words]
    print(json.dumps(globals()[what](*numbers)))


if __name__ == "__main__":
    main()
