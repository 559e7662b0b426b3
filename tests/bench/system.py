"""How long it takes from the SIGKILL of the server to its first good record at the client, in a booted machine.

The server is cold; BENCH=warm has the warm ones. Beside it, killed in the same way: a unit of nothing but /bin/sh (the
floor: what systemd itself takes), and both with systemd's default RestartSec. What is measured is a restart, not the
hold-off: the crash count is cleared between kills, and the start limit, which nobody who crashes once a second meets,
is off.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))

from booted import SUITES, Machine, why_not
from booted.packages import build_packages

KILLS = 40
HANGS = 5
SERVER, PIPE = "hafta-server.service", "/run/hafta/pipe"
FLOOR = """[Service]
Type=exec
ExecStart=/bin/sh -c 'read forever < /run/bench-floor'
Restart=always
RestartSec=0
[Unit]
StartLimitIntervalSec=0
"""

#: What of the sandbox takes mounts in a namespace of its own, and what takes none. (The empty value resets a list.)
MOUNTS = """PrivateDevices=no
PrivateTmp=no
ProcSubset=all
ProtectControlGroups=no
ProtectHome=no
ProtectKernelLogs=no
ProtectKernelModules=no
ProtectKernelTunables=no
ProtectProc=default
ProtectSystem=no
"""
NO_SANDBOX = f"""{MOUNTS}DevicePolicy=auto
IPAddressDeny=
LockPersonality=no
MemoryDenyWriteExecute=no
PrivateNetwork=no
PrivateUsers=no
ProtectClock=no
ProtectHostname=no
RestrictAddressFamilies=
RestrictNamespaces=no
RestrictRealtime=no
RestrictSUIDSGID=no
SystemCallArchitectures=
SystemCallFilter=
"""


def lines() -> Iterator[str]:
    """Measure and yield the lines of the report."""
    if reason := why_not():
        yield f"not measured: {reason}"
        return
    with tempfile.TemporaryDirectory() as directory, Machine(SUITES["bookworm"]) as machine:
        machine.install(build_packages(Path(directory) / "packages"))
        _prepare(machine)
        yield from _measure(machine)


def _prepare(machine: Machine) -> None:
    machine.push(ROOT / "tests/bench/system_inside.py", "/srv/inside.py")
    machine.run("mkfifo", "/run/bench-floor")
    machine.write("/etc/systemd/system/bench-floor.service", FLOOR)
    _set(machine, SERVER, "")
    machine.run("systemctl", "start", "bench-floor", SERVER)


def _measure(machine: Machine) -> Iterator[str]:
    python = _run(machine, "interpreter", KILLS)
    yield _line("bare interpreter, start to end", python)
    floor = _run(machine, "restarts", "bench-floor", KILLS)
    yield _line("floor: /bin/sh, SIGKILL to its first instruction", floor)
    first = _with(machine, "Type=exec", "restarts", SERVER, KILLS)
    yield _line("hafta-server, SIGKILL to its first instruction", first, floor)
    yield _line("hafta-server, SIGKILL to READY", _run(machine, "restarts", SERVER, KILLS), floor)
    without = _with(machine, MOUNTS, "restarts", SERVER, KILLS)
    yield _line("... without the mounts of its sandbox", without, floor)
    yield _line("... without any sandbox", _with(machine, NO_SANDBOX, "restarts", SERVER, KILLS), floor)
    record = _run(machine, "records", SERVER, PIPE, KILLS)
    goal = statistics.median(python) + statistics.median(floor)
    ratio = statistics.median(record) / goal
    yield _line("SIGKILL of the server to a good record at the client", record, floor)
    yield f"{'':52} {ratio:.2f}x (bare interpreter + floor = {goal:.1f} ms)  (goal: 1.5x)"
    _set(machine, "bench-floor.service", "RestartSec=100ms")
    _set(machine, SERVER, "RestartSec=100ms")
    slow = _run(machine, "restarts", "bench-floor", KILLS)
    yield _line("the floor with systemd's default RestartSec", slow, floor)
    yield _line("hafta-server with it, SIGKILL to READY", _run(machine, "restarts", SERVER, KILLS), slow)
    yield _line("... to a good record", _run(machine, "records", SERVER, PIPE, KILLS), slow)
    _set(machine, SERVER, "")
    watchdog = int(machine.get(SERVER, "WatchdogUSec").rstrip("s")) * 1000
    hang = _run(machine, "hangs", SERVER, HANGS)
    yield _line(f"SIGSTOP of the server to READY (WatchdogSec={watchdog / 1000:g} s)", hang)
    yield f"{'':52} {statistics.median(hang) / watchdog:.2f}x WatchdogSec"


def _with(machine: Machine, setting: str, *what: str | int) -> list[float]:
    _set(machine, SERVER, setting)
    try:
        return _run(machine, *what)
    finally:
        _set(machine, SERVER, "")


def _set(machine: Machine, unit: str, setting: str) -> None:
    interval = "Environment=HAFTA_INTERVAL=0.05 HAFTA_BAD_RATE=0 HAFTA_WARM=0\n" if unit == SERVER else ""
    machine.write(
        f"/etc/systemd/system/{unit}.d/bench.conf", f"[Unit]\nStartLimitIntervalSec=0\n[Service]\n{interval}{setting}\n"
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "try-restart", unit)


def _run(machine: Machine, *what: str | int) -> list[float]:
    done = machine.run("/usr/bin/python3", "/srv/inside.py", *map(str, what), timeout=600)
    return list(json.loads(done.stdout))


def _line(what: str, took: list[float], floor: list[float] | None = None) -> str:
    median, p99 = statistics.median(took), sorted(took)[-1 - len(took) // 100]
    against = f"{median / statistics.median(floor):6.2f}x the floor" if floor else ""
    return f"{what:52} median {median:7.1f} ms   p99 {p99:7.1f} ms   of {len(took)}   {against}".rstrip()
