"""The embedded overlord against other supervisors, all in one run: restart, memory, start, and what it costs to wait.

1. Restart: SIGKILL of a trivial daemon to its READY=1, by the daemon's own clock: one in Python, which is what people
   write, and one in C, which leaves nothing but the supervisor's own time. All peers run at once and are killed
   in turn. Each daemon has lived for PAUSE before, because some of them wait when one has lived for less than a second.
2. Memory, wake-ups and CPU of the supervisor's processes without the daemons: each peer alone, with 1 and with 50.
3. Start: from the command to the last READY=1.
4. A storm: 50 daemons that end at once, with systemd's RestartSec=100ms where there is such a thing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from measure import ROOT
from overlord_peers import (
    PATIENCE,
    S6,
    Circus,
    Overlord,
    Peer,
    Replacement,
    Runit,
    Supervisord,
    Systemd,
)
from overlord_tools import CannotBeHad, Tools

KILLS = 40
PAUSE = 1.2  # seconds
GIVE_UP = 12.0  # seconds after which a daemon does not come back
FEW, MANY = 50, 1000
WATCH = 5.0  # seconds for which idleness and a storm are watched
SETTLE = 12.5  # seconds after a start: the overlord looks at its processes for the last time after 11.1
OURS, BEFORE = "hafta run", "hafta run, before"
ONESHOTS = 1000


def lines() -> Iterator[str]:
    """Measure and yield the lines of the report."""
    if os.geteuid():
        yield "not measured: it needs root, for machines and namespaces"
        return
    tools = Tools()
    try:
        peers = []
        for make in _makers(tools):
            try:
                peers.append(make())
            except CannotBeHad as error:
                yield f"left out: {error}"
        for in_python in (True, False):
            for peer in peers:
                peer.in_python = in_python
            yield from _restarts(peers)
        yield from _sizes(peers)
        yield from _starts(peers)
        yield from _storms(peers)
        yield from _oneshots()
    finally:
        tools.close()


def _makers(tools: Tools) -> list[Callable[[], Peer]]:
    def needing(kind: type[Peer], package: str = "") -> Callable[[], Peer]:
        def make() -> Peer:
            try:
                if package:
                    tools.need(package)
                else:
                    tools.pypi()
            except CannotBeHad as error:
                raise CannotBeHad(f"{kind.name}: {error}") from error
            return kind(tools)

        return make

    def systemd(name: str, restart: str) -> Peer:
        try:
            tools.machine()
        except CannotBeHad as error:
            raise CannotBeHad(f"{name}: {error}") from error
        return Systemd(tools, name, restart)

    return [
        lambda: Overlord(tools, OURS, Path(ROOT)),
        lambda: Overlord(tools, BEFORE, tools.before()),
        lambda: Overlord(tools, "hafta run, 100 ms", Path(ROOT), ""),
        lambda: systemd("systemd", "RestartSec=0"),
        lambda: systemd("systemd, 100 ms", ""),
        needing(S6, "s6"),
        needing(Runit, "runit"),
        needing(Supervisord, "supervisor"),
        needing(Circus),
        needing(Replacement),
    ]


def _restarts(peers: list[Peer]) -> Iterator[str]:
    what = "Python" if peers[0].in_python else "C"
    yield f"\nSIGKILL to ready of a trivial notify daemon in {what}, {KILLS} kills each in turn"
    with contextlib.ExitStack() as stack:
        up = []
        for peer in peers:
            stack.callback(peer.stop)
            if _started(peer, 1) is None:
                yield f"  {peer.name:24} does not start"
            else:
                up.append(peer)
        took: dict[str, list[float]] = {peer.name: [] for peer in up}
        for _ in range(KILLS):
            for peer in list(up):
                seconds = _kill(peer)
                if seconds is None:
                    up.remove(peer)
                    yield f"  {peer.name:24} is not back within {GIVE_UP:g} s, after {len(took[peer.name])} kills"
                else:
                    took[peer.name].append(seconds * 1000)
            time.sleep(PAUSE)
    floor = statistics.median(took.get(Runit.name) or [0])
    for name, times in took.items():
        if times:
            middle, worst = statistics.median(times), max(times)
            ratio = f"{middle / floor:6.2f}x runit" if floor else ""
            goal = "  (goal: 1.2x)" if name == OURS and peers[0].in_python else ""
            yield f"  {name:24} median {middle:8.1f} ms   worst {worst:8.1f} ms   {ratio}{goal}"


def _started(peer: Peer, count: int, *, crash: bool = False) -> float | None:
    """Start a peer; return the seconds until the last daemon was ready, None if that takes too long."""
    began = peer.start(count, crash=crash)
    wanted = set(peer.names())
    while time.monotonic() < began + (PATIENCE if count > FEW else PATIENCE / 4):
        at = {line.split()[0]: int(line.split()[1]) for line in reversed(peer.seen()) if line.count(" ") == 1}
        if wanted <= set(at):
            return max(at.values()) / 1e9 - began
        if peer.process is not None and peer.process.poll() is not None:
            return None
        time.sleep(0.005 if count < MANY else 0.05)
    return None


def _kill(peer: Peer) -> float | None:
    """Kill the daemon; return the seconds until it is ready again."""
    before, until = len(peer.seen()), time.monotonic() + GIVE_UP
    while not (running := list(peer.daemons())):
        if time.monotonic() > until:
            return None
        time.sleep(0.05)
    at = time.monotonic()
    os.kill(running[0], signal.SIGKILL)
    while time.monotonic() < at + GIVE_UP:
        now = peer.seen()
        if len(now) > before:
            return int(now[before].split()[1]) / 1e9 - at
        time.sleep(0.001)
    return None


def _alone(peers: list[Peer]) -> list[Peer]:
    """Return the peers that differ in more than the time that they wait."""
    return [peer for peer in peers if "100 ms" not in peer.name]


def _sizes(peers: list[Peer]) -> Iterator[str]:
    yield f"\nMemory (PSS), wake-ups and CPU in {WATCH:g} s without work: with 1 daemon, with {FEW}"
    sizes: dict[str, float] = {}
    for peer in _alone(peers):
        cells = []
        for count in (1, FEW):
            try:
                if _started(peer, count) is None:
                    cells.append("does not start")
                    continue
                time.sleep(SETTLE)
                pids = peer.supervisors()
                before, used = _wakes(pids), _cpu(pids)
                time.sleep(WATCH)
                wakes, cpu = _wakes(pids) - before, (_cpu(pids) - used) / WATCH
                sizes[peer.name] = pss(pids)
                cells.append(f"{sizes[peer.name]:7.1f} MiB {wakes:5} wake-ups {cpu:7.2%} CPU")
            finally:
                peer.stop()
        yield f"  {peer.name:24} " + "   |".join(cells)
    if OURS in sizes and BEFORE in sizes:
        yield f"  {OURS}, with {FEW}: {sizes[OURS] / sizes[BEFORE]:.2f}x before (goal: 1.2x), and no wake-ups (goal: 0)"


def _starts(peers: list[Peer]) -> Iterator[str]:
    yield f"\nStart to the last READY=1: of {FEW} daemons (median of 3), of {MANY}"
    for peer in _alone(peers):
        cells = []
        for count, rounds in ((FEW, 3), (MANY, 1)):
            times = []
            for _ in range(rounds):
                try:
                    times.append(_started(peer, count))
                finally:
                    peer.stop()
            known = [seconds for seconds in times if seconds is not None]
            cells.append(f"{statistics.median(known):8.2f} s" if known else f"not within {PATIENCE:g} s")
        yield f"  {peer.name:24} " + "   ".join(cells)


def _storms(peers: list[Peer]) -> Iterator[str]:
    yield f"\nA storm of {FEW} daemons that end at once: starts a second, CPU, CPU a start"
    for peer in _alone(peers):
        try:
            if _started(peer, FEW, crash=True) is None:
                yield f"  {peer.name:24} does not start"
                continue
            pids = peer.supervisors()
            before, used = len(peer.seen()), _cpu(pids)
            time.sleep(WATCH)
            starts, cpu = len(peer.seen()) - before, _cpu(pids) - used
            each = f"{cpu / starts * 1000:7.2f} ms" if starts else "      -"
            yield f"  {peer.name:24} {starts / WATCH:8.1f}/s {cpu / WATCH:8.1%} {each}"
        finally:
            peer.stop()


def _oneshots() -> Iterator[str]:
    yield f"\n{ONESHOTS} oneshots under a target: start, and stop by SIGTERM (goal: together 2 s)"
    folder = Path(tempfile.mkdtemp(prefix="hafta-bench-", dir="/dev/shm"))  # a tmpfs, as /run is
    try:
        text = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
        names = [f"one{number}.service" for number in range(ONESHOTS)]
        for name in names:
            (folder / name).write_text(text)
        (folder / "all.target").write_text("[Unit]\n" + "".join(f"Wants={name}\n" for name in names))
        floor = _run_all(["/bin/true"] * ONESHOTS)
        start, stop = _run_target(folder)
        yield f"  {OURS:24} {start:6.2f} s + {stop:.2f} s; {ONESHOTS} x fork and exec of /bin/true alone: {floor:.2f} s"
    finally:
        shutil.rmtree(folder)


def _run_target(folder: Path) -> tuple[float, float]:
    command = ["/usr/bin/python3", "-P", "-m", "hafta.overlord", "--runtime-dir", f"{folder}/r", "--state-dir"]
    began = time.monotonic()
    # A service that stays: without it, all would have ended by themselves. It says so in a file, because the overlord
    # sums up for 10 s what it has said of so many alike.
    up = folder / "up"
    last = f"[Unit]\nAfter=all.target\n[Service]\nExecStart=/bin/sh -c 'echo >{up}; exec sleep 600'\n"
    (folder / "last.service").write_text(last)
    with (folder / "log").open("w") as log, subprocess.Popen(
        [*command, f"{folder}/s", f"{folder}/all.target", f"{folder}/last.service"],
        stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": ROOT},
    ) as run:  # fmt: skip
        while not up.exists() and run.poll() is None and time.monotonic() < began + PATIENCE:
            time.sleep(0.01)
        started = time.monotonic()
        run.terminate()
        run.wait()
    return started - began, time.monotonic() - started


def _run_all(commands: list[str]) -> float:
    began = time.monotonic()
    for command in commands:
        os.waitpid(os.posix_spawn(command, [command], {}), 0)
    return time.monotonic() - began


def pss(pids: list[int]) -> float:
    """Return the MiB that processes have, what they share divided among those that share it."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(re.search(r"(?m)^Pss:\s+(\d+)", text)[1]) for text in texts) / 1024


def _wakes(pids: list[int]) -> int:
    """Return how often the threads of processes have gone to sleep of themselves."""
    found = 0
    for pid in pids:
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            found += int(re.search(r"(?m)^voluntary_ctxt_switches:\s+(\d+)", status.read_text())[1])
    return found


def _cpu(pids: list[int]) -> float:
    """Return the seconds of CPU that processes and the dead among their children have taken."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
