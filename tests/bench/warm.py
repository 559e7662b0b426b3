"""Warm: how soon a killed or hung worker is replaced, next to the cold service in the same sandbox; and what it costs.

1. A beat: progress() with and without it.
2. SIGKILL, warm and cold in turn: to READY, to the rollback of the interrupted node; with a standby, and by fork. The
   memory of both. Each client reads from a server whose pipe somebody else holds open.
3. The same without that: a killed client ends its server, too, so both are replaced before the next good record.
4. SIGSTOP under three deadlines: when it was found, and when the next worker was ready. None may be missed.
5. An idle parent, a standby that waits, and a crash loop: shares of a core.
6. Other supervisors, with a trivial daemon (warm_peers.py).

All run by a program that holds nothing back and sums up no entries: what is measured is a restart.
"""

from __future__ import annotations

import json
import os
import signal
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
#: Deadline in seconds, and how many of 400 hangs it gets.
HANGS = {"0.05": KILLS * 9 // 2, "0.2": KILLS * 9 // 2, "1": KILLS}
COLD, WARM, CRASHES = "hafta-client@cold.service", "hafta-client@warm.service", "bench-crashes.service"
IDLE, LOOP = 10, 22  # seconds
PROGRAM = """import sys
sys.path.append("/usr/lib/python3/dist-packages")
import hafta.journal.storm, hafta.service.holdoff
hafta.service.holdoff.FREE = hafta.journal.storm.BURST = 10**9
from {module} import main
sys.exit(main())
"""
SERVERS = """[Unit]
After=hafta-server.service
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=/usr/bin/python3 -IS /srv/server.py --pipe /run/hafta/%i --interval {interval} --bad-rate 0 --mode 0640
User=hafta
Group=hafta
Restart=always
RestartSec=0
KillMode=mixed
Environment=HAFTA_STANDBY=0.1 HAFTA_LADDER=1000000
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
#: Crashes as soon as it is ready, with the hold-off, the ladder and the limits of a unit as they are.
CRASHING = """import os, sys
sys.path.append("/usr/lib/python3/dist-packages")
import hafta, hafta.service
crashes = hafta.Sequence("crashes")
crashes.node(lambda run: os._exit(3), name="work")
sys.exit(hafta.service.run(crashes, warm=True))
"""
CRASHING_UNIT = """[Unit]
StartLimitIntervalSec=10
StartLimitBurst=40
[Service]
Type=notify
ExecStart=/usr/bin/python3 -IS /srv/crashing.py
Restart=always
RestartSec=0
KillMode=mixed
RuntimeDirectory=crashes
RuntimeDirectoryPreserve=restart
"""


def lines() -> Iterator[str]:
    """Measure and yield the lines of the report."""
    yield from map(str, beats())
    if reason := why_not():
        yield f"not measured: {reason}"
        return
    suite = os.environ.get("HAFTA_BENCH_SUITE", "bookworm")
    with tempfile.TemporaryDirectory() as directory, Machine(SUITES[suite]) as machine:
        _prepare(machine, Path(directory))
        yield f"systemd {SUITES[suite].systemd} of {suite}, {KILLS} kills of each in turn"
        for standby, name in (("0.1", "standby"), ("-1", "fork")):
            yield from _kills(machine, standby, name)
        yield from _both(machine)
        yield from _hangs(machine)
        yield from _costs(machine)
    import warm_peers

    yield from warm_peers.lines()


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


def _prepare(machine: Machine, folder: Path) -> None:
    machine.install(build_packages(folder / "packages"))
    machine.push(ROOT / "tests/bench/warm_inside.py", "/srv/inside.py")
    machine.write("/srv/client.py", PROGRAM.format(module="hafta.client"))
    machine.write("/srv/server.py", PROGRAM.format(module="hafta.server.program"))
    machine.write("/srv/crashing.py", CRASHING)
    machine.write("/etc/systemd/system/bench-hold@.service", HOLDERS)
    machine.write(f"/etc/systemd/system/{CRASHES}", CRASHING_UNIT)
    for name, warm in (("cold", 0), ("warm", 1)):
        text = f"[Service]\nEnvironment=HAFTA_WARM={warm}\n"
        machine.write(f"/etc/systemd/system/bench-server@{name}.service.d/warm.conf", text)


def _set(machine: Machine, *, held: bool = True, interval: float = 0.02, **settings: str) -> None:
    """Start both copies; the same sandbox, the same reading, one of them warm."""
    machine.sh("systemctl stop 'bench-hold@*' 'hafta-client@*' 'bench-server@*' hafta-server", check=False)
    machine.write("/etc/systemd/system/bench-server@.service", SERVERS.format(interval=interval))
    for unit in (COLD, WARM):
        warm = SETTINGS.format(**settings) if unit == WARM else "Environment=HAFTA_WARM=0\n"
        machine.write(f"/etc/systemd/system/{unit}.d/bench.conf", f"{CLIENTS}{warm}")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "hafta-server", "bench-server@cold", "bench-server@warm", COLD, WARM)
    if held:
        machine.run("systemctl", "start", "bench-hold@cold", "bench-hold@warm")
    time.sleep(2)  # both have read, and the standby waits


def _kills(machine: Machine, standby: str, name: str) -> Iterator[str]:
    _set(machine, standby=standby, deadline="1")
    took = _run(machine, "struck", KILLS, int(signal.SIGKILL), 0.4, COLD, WARM)
    goals = ("1/30, 5 ms", "1/18") if name == "standby" else ("1/12", "")
    for key, what, goal in zip(("ready", "rolled"), ("READY", "rolled back"), goals, strict=True):
        yield _line(f"cold: SIGKILL to {what}", took[COLD][key])
        yield _line(f"{name}: SIGKILL to {what}", took[WARM][key], took[COLD][key], goal=goal)
    memory = _run(machine, "memory", COLD, WARM)
    what, goal = f"{name}: memory (PSS) of all processes", "2.2x" if name == "standby" else "1.7x"
    yield f"{what:54} {memory[WARM]} KiB, {memory[WARM] / memory[COLD]:.2f}x of cold  (goal: {goal})"


def _both(machine: Machine) -> Iterator[str]:
    """The client is killed, and its server ends because its reader is gone."""
    _set(machine, held=False, standby="0.1", deadline="1")
    took = _run(machine, "struck", KILLS, int(signal.SIGKILL), 0.8, COLD, WARM)
    yield _line("both cold: SIGKILL of the client to a good record", took[COLD]["good"])
    yield _line("both warm: the same", took[WARM]["good"], took[COLD]["good"], goal="1/18")


def _hangs(machine: Machine) -> Iterator[str]:
    missed = 0
    for deadline, times in HANGS.items():
        _set(machine, standby="0.1", deadline=deadline)
        took = _run(machine, "struck", times, int(signal.SIGSTOP), 0.25, WARM)
        missed += took["missed"]
        over = {key: [moment - float(deadline) * 1000 for moment in each] for key, each in took[WARM].items()}
        what = f"over the deadline of {deadline} s"
        yield _line(f"SIGSTOP: found, {what}", over["found"], goal="1 ms")
        yield _line(f"SIGSTOP: READY, {what}", over["ready"], goal="8 ms")
        yield _line(f"SIGSTOP: rolled back, {what}", over["rolled"])
    yield f"{'SIGSTOP: missed':54} {missed} of {sum(HANGS.values())}  (goal: 0)"


def _costs(machine: Machine) -> Iterator[str]:
    _set(machine, interval=1, standby="0.1", deadline="0.05")
    cost = _run(machine, "idle", WARM, IDLE)
    parent, standby = cost["parent"], cost["standby"]
    wakes = f"{parent['wakes'] / IDLE:.1f} wake-ups per second"
    yield f"{'parent: share of a core':54} {parent['cpu']:.2%}, {wakes}  (goal: 0.1 %)"
    yield f"{'standby: wake-ups':54} {standby['wakes']:.0f} in {IDLE} s  (goal: 0)"
    machine.sh("systemctl stop 'bench-hold@*' 'hafta-client@*' 'bench-server@*' hafta-server", check=False)
    share = _run(machine, "crash_loop", CRASHES, LOOP)
    yield f"{'crash loop: share of a core':54} {share:.2%} of {LOOP} s  (goal: 2 %)"


def _run(machine: Machine, *what: str | float) -> Any:
    done = machine.run("/usr/bin/python3", "/srv/inside.py", *map(str, what), timeout=1200)
    return json.loads(done.stdout)


def _line(what: str, took: list[float], floor: list[float] | None = None, goal: str = "") -> str:
    if not took:
        return f"{what:54} nothing was seen"
    median, p99 = statistics.median(took), sorted(took)[-1 - len(took) // 100]
    against = f"   1/{statistics.median(floor) / median:.0f} of cold" if floor else ""
    aim = f"  (goal: {goal})" if goal else ""
    return f"{what:54} median {median:7.1f} ms   p99 {p99:7.1f} ms   of {len(took)}{against}{aim}"
