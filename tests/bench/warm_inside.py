"""Runs in a booted machine: two copies of hafta-client in the same sandbox, one cold, one warm, are killed in turn.

Prints, as JSON, how long each took from the SIGKILL to its entries `resumed` and `rolled-back`, by the time at which
journald was sent them; and from a SIGSTOP of the warm worker to the same entries of the next one. (The parent's own
entries would not do: it sums up what is alike.)
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

#: Seconds. A client that was killed between two sequences has nothing to resume: then it is killed once more.
GIVE_UP, TRIES = 10.0, 5
#: Seconds between two kills: the standby waits again by then.
PAUSE = 0.6


def journal(unit: str, start: str, *events: str) -> list[dict[str, str]]:
    """Return the entries after the cursor. journalctl 252 loses the first one after --after-cursor=."""
    matches = [f"_SYSTEMD_UNIT={unit}", *(f"HAFTA_EVENT={event}" for event in events)]
    command = ["journalctl", "-o", "json", "-q", f"--cursor={start}", *matches]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [entry for entry in map(json.loads, text.splitlines()) if entry["__CURSOR"] != start]


def cursor() -> str:
    subprocess.run(["journalctl", "--sync"], check=True)
    text = subprocess.run(["journalctl", "-n", "0", "--show-cursor", "-q"], check=True, capture_output=True, text=True)
    return text.stdout.partition("-- cursor: ")[2].strip()


def wait_for(unit: str, start: str, *events: str) -> list[float]:
    """Return when the first entry of each kind was sent, in seconds of the wall clock; nothing if one never comes."""
    end = time.monotonic() + GIVE_UP
    while time.monotonic() < end:
        found: dict[str, float] = {}
        for entry in journal(unit, start, *events):
            if "_SOURCE_REALTIME_TIMESTAMP" in entry:
                found.setdefault(entry.get("HAFTA_EVENT", ""), int(entry["_SOURCE_REALTIME_TIMESTAMP"]) / 1e6)
        if found.keys() >= set(events):
            return [found[event] for event in events]
        time.sleep(0.05)
    return []


def show(unit: str, key: str) -> str:
    return subprocess.run(
        ["systemctl", "show", unit, f"--property={key}", "--value"], check=True, capture_output=True, text=True
    ).stdout.strip()


def victim(unit: str) -> int:
    """Return the process that does the work."""
    main = int(show(unit, "MainPID"))
    with open(f"/proc/{main}/task/{main}/children") as children:
        for child in children.read().split():
            with open(f"/proc/{child}/cmdline") as line:
                if line.read().rstrip("\0").endswith(": worker"):
                    return int(child)
    return main


def kill(unit: str, signum: int, *events: str) -> list[float]:
    """Return the milliseconds from the signal to each entry."""
    for _ in range(TRIES):
        start, pid = cursor(), victim(unit)
        at = time.time()
        os.kill(pid, signum)
        took = [(moment - at) * 1000 for moment in wait_for(unit, start, *events)]
        time.sleep(PAUSE)
        if took:
            return took
    raise SystemExit(f"{unit}: never all of {events} within {GIVE_UP} s")


def kills(times: int, *units: str) -> dict[str, list[list[float]]]:
    """Kill the units in turn."""
    took: dict[str, list[list[float]]] = {unit: [] for unit in units}
    for _ in range(times):
        for unit in units:
            took[unit].append(kill(unit, signal.SIGKILL, "resumed", "rolled-back"))
    return took


def hangs(times: int, unit: str) -> list[list[float]]:
    took = []
    for _ in range(times):
        took.append(kill(unit, signal.SIGSTOP, "resumed", "rolled-back"))
    return took


def memory(*units: str) -> dict[str, int]:
    """Return the PSS of all processes of each unit, in KiB."""
    found = {}
    for unit in units:
        group = show(unit, "ControlGroup")
        root = "/sys/fs/cgroup" if os.path.exists("/sys/fs/cgroup/cgroup.procs") else "/sys/fs/cgroup/systemd"
        with open(f"{root}{group}/cgroup.procs") as procs:
            pids = procs.read().split()
        total = 0
        for pid in pids:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += int(re.search(r"^Pss: +(\d+)", file.read(), re.MULTILINE)[1])  # type: ignore[index]
        found[unit] = total
    return found


def main() -> None:
    what, *words = sys.argv[1:]
    print(json.dumps(globals()[what](*[int(word) if word.isdigit() else word for word in words])))


if __name__ == "__main__":
    main()
