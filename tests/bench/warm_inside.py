"""Runs in a booted machine: copies of hafta-client in the same sandbox, one cold, one warm, are struck in turn.

Nothing is asked while that goes on: when each process was struck is kept, and the journal is read once afterwards. An
entry counts by the time at which its sender made it. Prints JSON.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TypeAlias

GIVE_UP = 10.0  # seconds until a process that still lives counts as missed
PATIENCE = 60.0  # seconds until the next one is ready
EVENTS = ("service-started", "worker-hung", "worker-replaced", "rolled-back", "said")

Entry: TypeAlias = "dict[str, str]"
Strike: TypeAlias = "tuple[float, int]"  # when, by the wall clock, and which process


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def entries(unit: str, since: float) -> list[tuple[float, Entry]]:
    """Return what the unit said of EVENTS since then, with the time at which it was made."""
    matches = [f"_SYSTEMD_UNIT={unit}", *(f"HAFTA_EVENT={event}" for event in EVENTS)]
    subprocess.run(["journalctl", "--sync"], check=True)
    text = output("journalctl", "-o", "json", "-q", f"--since=@{since:.0f}", *matches)
    found = [entry for entry in map(json.loads, text.splitlines()) if "_SOURCE_REALTIME_TIMESTAMP" in entry]
    return sorted(((int(entry["_SOURCE_REALTIME_TIMESTAMP"]) / 1e6, entry) for entry in found), key=lambda one: one[0])


def show(unit: str, key: str) -> str:
    return output("systemctl", "show", unit, f"--property={key}", "--value").strip()


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def processes(group: str) -> dict[int, str]:
    """Return the processes of a control group, and what they are: worker, standby, parent, or empty."""
    root = "/sys/fs/cgroup" if os.path.exists("/sys/fs/cgroup/cgroup.procs") else "/sys/fs/cgroup/systemd"
    pids = map(int, read(f"{root}{group}/cgroup.procs").split())
    return {pid: read(f"/proc/{pid}/cmdline").rstrip("\0 ").rpartition(": ")[2] for pid in pids}


def victim(group: str) -> int:
    """Return the process that does the work; 0: none does."""
    found = processes(group)
    workers = [pid for pid, role in found.items() if role == "worker"]
    if not workers and "parent" not in found.values():
        workers = list(found)
    return workers[0] if workers else 0


def wait_for(group: str, old: int) -> bool:
    """Wait until the old process is gone; False: it lives on."""
    end = time.monotonic() + GIVE_UP
    while time.monotonic() < end:
        if old not in processes(group):
            return True
        time.sleep(0.01)
    return False


def wait_until_ready(unit: str, group: str, *, standby: bool) -> None:
    """Wait until another process works, and the standby waits if there was one: a strike before that measures less."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        roles = processes(group).values()
        if "parent" in roles:
            if "worker" in roles and ("standby" in roles or not standby):
                return
        elif victim(group) and show(unit, "ActiveState") == "active":
            return
        time.sleep(0.02)
    raise SystemExit(f"{unit} is not ready within {PATIENCE:g} s")


def strike(times: int, signum: int, pause: float, *units: str) -> tuple[dict[str, list[Strike]], int]:
    """Send the signal to each unit in turn; return the strikes, and how many processes did not die of it."""
    groups = {unit: show(unit, "ControlGroup") for unit in units}
    done: dict[str, list[Strike]] = {unit: [] for unit in units}
    missed = 0
    for _ in range(times):
        for unit, group in groups.items():
            pid, standby = victim(group), "standby" in processes(group).values()
            done[unit].append((time.time(), pid))
            os.kill(pid, signum)
            if not wait_for(group, pid):
                missed += 1
                os.kill(pid, signal.SIGKILL)
                wait_for(group, pid)
            wait_until_ready(unit, group, standby=standby)
            time.sleep(pause)
    return done, missed


def measured(unit: str, strikes: list[Strike]) -> dict[str, list[float]]:
    """Return the milliseconds from each strike to what followed: found, ready, rolled back, the first good record.

    A process that was struck between two sequences has nothing to roll back.
    """
    told = entries(unit, strikes[0][0] - 1)
    took: dict[str, list[float]] = {"found": [], "ready": [], "rolled": [], "good": []}
    for place, (at, pid) in enumerate(strikes):
        end = strikes[place + 1][0] if place + 1 < len(strikes) else float("inf")
        first: dict[str, float] = {}
        for moment, entry in told:
            if at <= moment < end and (what := meaning(entry, pid)):
                first.setdefault(what, moment)
        for what, moment in first.items():
            took[what].append((moment - at) * 1000)
    return took


def meaning(entry: Entry, pid: int) -> str:
    """Return what an entry says after this process was struck; empty: nothing."""
    event = entry["HAFTA_EVENT"]
    if event in {"worker-hung", "worker-replaced"}:
        return ("found" if event == "worker-hung" else "ready") if entry["HAFTA_WORKER"] == str(pid) else ""
    if entry["_PID"] == str(pid):
        return ""
    if event == "said":
        return "good" if re.match(r"\d+ successful read", entry["MESSAGE"]) else ""
    return {"service-started": "ready", "rolled-back": "rolled"}[event]


def struck(times: str, signum: str, pause: str, *units: str) -> dict[str, object]:
    done, missed = strike(int(times), int(signum), float(pause), *units)
    return {"missed": missed, **{unit: measured(unit, done[unit]) for unit in units}}


def memory(*units: str) -> dict[str, int]:
    """Return the PSS of all processes of each unit, in KiB."""
    found = {}
    for unit in units:
        rollups = [read(f"/proc/{pid}/smaps_rollup") for pid in processes(show(unit, "ControlGroup"))]
        found[unit] = sum(int(size) for text in rollups for size in re.findall(r"^Pss: +(\d+)", text, re.MULTILINE))
    return found


def idle(unit: str, seconds: str) -> dict[str, dict[str, float]]:
    """Return what each process of a warm unit costs: its share of a core, and how often it woke up."""
    roles = processes(show(unit, "ControlGroup"))
    before = {pid: cost(pid) for pid in roles}
    time.sleep(float(seconds))
    after = {pid: cost(pid) for pid in roles}
    return {
        role: {"cpu": (after[pid][0] - before[pid][0]) / 1e9 / float(seconds), "wakes": after[pid][1] - before[pid][1]}
        for pid, role in roles.items()
    }


def cost(pid: int) -> tuple[int, int]:
    """Return the nanoseconds that a process has run, and how often it went to sleep."""
    switches = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", read(f"/proc/{pid}/status"), re.MULTILINE)
    return int(read(f"/proc/{pid}/schedstat").split()[0]), int(switches[1]) if switches else 0


def crash_loop(unit: str, seconds: str) -> float:
    """Start a unit that crashes at once, again and again; return the share of a core that it takes."""
    before = ticks(1, children=True)
    subprocess.run(["systemctl", "start", "--no-block", unit], check=True)
    time.sleep(float(seconds))
    alive = sum(ticks(pid, children=True) + ticks(pid) for pid in processes(show(unit, "ControlGroup")))
    after = ticks(1, children=True)
    subprocess.run(["systemctl", "stop", unit], check=True)
    return (after + alive - before) / os.sysconf("SC_CLK_TCK") / float(seconds)


def ticks(pid: int, *, children: bool = False) -> int:
    """Return the time that a process has run, or that its children that have ended had."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[13:15] if children else fields[11:13])) if fields else 0


def main() -> None:
    what, *words = sys.argv[1:]
    print(json.dumps(globals()[what](*words)))


if __name__ == "__main__":
    main()
