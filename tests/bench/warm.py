"""Warm: how soon a killed or hung worker is replaced, next to the cold service in the same sandbox; the cost of a beat.

In a booted machine two copies of hafta-client, each with a fast server of its own, are killed in turn. Both run by a
program that holds nothing back: what is measured is a restart, and many crashes in a row would be held back.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/system"), str(ROOT / "tests/bench")]

from booted import SUITES, Machine, why_not
from booted.packages import build_packages
from measure import compare, cpu

from hafta.service.service import Service
from hafta.service.warm.beat import Page
from hafta.service.warm.beating import BeatingService

KILLS = int(os.environ.get("HAFTA_BENCH_KILLS", "40"))
HANGS = 20
COLD, WARM = "hafta-client@cold.service", "hafta-client@warm.service"
PROGRAM = """import sys
sys.path.append("/usr/lib/python3/dist-packages")
import hafta.service.holdoff
hafta.service.holdoff.FREE = 10**9
from {module} import main
sys.exit(main())
"""
SERVERS = """[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=/usr/bin/python3 -IS /srv/server.py --pipe /run/hafta/%i --interval 0.02 --bad-rate 0 --mode 0640
User=hafta
Group=hafta
Restart=always
RestartSec=0
"""
#: Keeps a pipe open, so that a server outlives its client: its own restart is not what is measured.
HOLDERS = """[Service]
ExecStart=/bin/sh -c 'exec sleep infinity < /run/hafta/%i'
"""
CLIENTS = """[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=
ExecStart=/usr/bin/python3 -IS /srv/client.py
"""
SETTINGS = """Environment=HAFTA_WARM=1 HAFTA_DEADLINE={deadline} HAFTA_STANDBY={standby} HAFTA_LADDER=1000000
KillMode=mixed
OOMPolicy=continue
"""


def lines() -> Iterator[str]:
    """Measure and yield the lines of the report."""
    yield from map(str, beats())
    if reason := why_not():
        yield f"not measured: {reason}"
        return
    suite = os.environ.get("HAFTA_BENCH_SUITE", "bookworm")
    with tempfile.TemporaryDirectory() as directory, Machine(SUITES[suite]) as machine:
        machine.install(build_packages(Path(directory) / "packages"))
        machine.push(ROOT / "tests/bench/warm_inside.py", "/srv/inside.py")
        machine.write("/srv/client.py", PROGRAM.format(module="hafta.client"))
        machine.write("/srv/server.py", PROGRAM.format(module="hafta.server.program"))
        machine.write("/etc/systemd/system/bench-server@.service", SERVERS)
        machine.write("/etc/systemd/system/bench-hold@.service", HOLDERS)
        yield f"systemd of {suite}, {KILLS} kills of each in turn"
        yield from _measure(machine)


def beats() -> Iterator[object]:
    """The cost of a beat: progress() of a worker against progress() of a cold service."""
    cold, rounds = Service("bench", {}), 20_000
    warm = BeatingService("bench", {}, Page(), os.eventfd(0), 1.0)

    def many(service: Service) -> float:
        progress = service.progress
        return cpu(lambda: [progress() for _ in range(rounds)], rounds)

    yield compare(
        "progress() with a beat", lambda: many(warm), lambda: many(cold),
        unit="ns", against="progress() without", goal="1.4x",
    )  # fmt: skip


def _measure(machine: Machine) -> Iterator[str]:
    for standby, name in (("0.2", "standby"), ("-1", "fork")):
        _set(machine, standby=standby, deadline="1")
        took = _run(machine, "kills", KILLS, COLD, WARM)
        for number, what in enumerate(("resumed (READY and the claim)", "rolled back")):
            cold = [each[number] for each in took[COLD]]
            yield _line(f"cold: SIGKILL to {what}", cold)
            yield _line(f"{name}: SIGKILL to {what}", [each[number] for each in took[WARM]], cold)
        memory = _run(machine, "memory", COLD, WARM)
        what = f"{name}: memory (PSS) of all processes"
        yield f"{what:52} {memory[WARM]} KiB, {memory[WARM] / memory[COLD]:.2f}x of cold"
    for deadline in ("0.05", "0.2", "1"):
        _set(machine, standby="0.2", deadline=deadline)
        took = _run(machine, "hangs", HANGS, WARM)
        over = [[moment - float(deadline) * 1000 for moment in each] for each in took]
        yield _line(f"SIGSTOP, resumed, over the deadline of {deadline} s", [each[0] for each in over])
        yield _line(f"SIGSTOP, rolled back, over the deadline of {deadline} s", [each[1] for each in over])


def _set(machine: Machine, **settings: str) -> None:
    """Start both copies; the same sandbox, the same reading, one of them warm."""
    machine.sh("systemctl stop 'bench-hold@*' 'hafta-client@*' 'bench-server@*' hafta-server", check=False)
    for unit in (COLD, WARM):
        warm = SETTINGS.format(**settings) if unit == WARM else "Environment=HAFTA_WARM=0\n"
        machine.write(f"/etc/systemd/system/{unit}.d/bench.conf", f"{CLIENTS}{warm}")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "hafta-server", "bench-server@cold", "bench-server@warm", COLD, WARM)
    machine.run("systemctl", "start", "bench-hold@cold", "bench-hold@warm")
    time.sleep(2)  # both have read, and the standby waits


def _run(machine: Machine, *what: str | int) -> Any:
    done = machine.run("/usr/bin/python3", "/srv/inside.py", *map(str, what), timeout=1200)
    return json.loads(done.stdout)


def _line(what: str, took: list[float], floor: list[float] | None = None) -> str:
    median, p99 = statistics.median(took), sorted(took)[-1 - len(took) // 100]
    against = f"   1/{statistics.median(floor) / median:.0f} of cold" if floor else ""
    return f"{what:52} median {median:7.1f} ms   p99 {p99:7.1f} ms   of {len(took)}{against}"
