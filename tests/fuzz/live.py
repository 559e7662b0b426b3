"""A running overlord, with services that say anything to it and clients that ask anything.

A look at it, twenty times a second, is a question at its control socket: what the answer takes is how long the loop
was away, but for the time in which it or we were ready to run and had no processor. A machine that others share stands
still now and then, for its disk or for its host, and does not tell anybody: so one late look is none, three are.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import makers
from readers import LEAST, Finding

ROOT = Path(__file__).resolve().parents[2]
SLOWEST = 0.1  # seconds of a turn of the loop
TURNS = 2  # that an answer takes: one to let us in, one to read and answer
STILL = 2  # late looks in 30 s for which the machine may be to blame
NEVER = 3.0  # seconds of one late look for which it may not
PATIENCE = 120.0  # seconds in which it starts, answers at all, and stops
GROWTH = 4.0  # MiB that it may grow by after the first third
LOOK = b'{"method":"hafta.Overlord.List","parameters":{"properties":["ActiveState"]},"more":true}\0'
TALKER = """
import array, os, random, socket, sys, time
sys.path[:0] = sys.argv[2:]
import makers
r = random.Random(sys.argv[1] + str(time.monotonic_ns()))
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setblocking(False)
s.connect(os.environ["NOTIFY_SOCKET"])
s.send(b"READY=1")
NAMES = ("READY", "STATUS", "MAINPID", "WATCHDOG", "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "ERRNO", "FDSTORE", "FDNAME",
         "BARRIER", "STOPPING", "RELOADING", "MONOTONIC_USEC", "X", "")
end = time.monotonic() + r.choice((0.3, 3, 30))
while time.monotonic() < end:
    lines = [f"{r.choice(NAMES)}={r.choice((makers.value(r), str(os.getppid()), '1'))}" for _ in range(r.randrange(5))]
    data = r.choice((chr(10).join(lines).encode("utf-8", "replace"), makers.raw(r)))[:60000]
    fds = array.array("i", [1] * r.choice((0, 0, 1, 200)))
    try:
        s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else [])
    except OSError:
        pass
    os.write(1, makers.raw(r))
    if r.random() < 0.02 and os.fork() == 0:
        os.setsid()
        end = time.monotonic() + 0.5
    time.sleep(0.01)
os._exit(r.choice((0, 1, 7)))
"""
UNIT = """[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
NotifyAccess=all
FileDescriptorStoreMax=3
Restart=always
RestartSec={pause}
ExecStart={python} -P {talker} {seed} {here} {root}
"""


def run(folder: Path, seed: int, seconds: float) -> dict[str, int]:
    """Let it all happen for some seconds. Raises Finding."""
    (folder / "talker.py").write_text(TALKER)
    for number, pause in enumerate(("0", "100ms")):
        text = UNIT.format(
            python=sys.executable,
            talker=folder / "talker.py",
            seed=seed + number,
            here=Path(__file__).parent,
            root=ROOT,
            pause=pause,
        )
        (folder / f"talker{number or ''}.service").write_text(text)
    (folder / "quiet.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n")
    command = [sys.executable, "-P", "-m", "hafta.overlord", "--runtime-dir", f"{folder}/run", "--state-dir"]
    units = [f"{folder}/{name}.service" for name in ("talker", "talker1", "quiet")]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "output").open("wb") as output:
        overlord = subprocess.Popen([*command, f"{folder}/state", *units], stdout=output, stderr=output, env=environ)
    try:
        return _watch(overlord, folder, Random(f"{seed}:live"), seconds)
    finally:
        if overlord.poll() is None:
            overlord.kill()
        overlord.wait()


def _watch(overlord: subprocess.Popen[bytes], folder: Path, random: Random, seconds: float) -> dict[str, int]:
    door = _door(folder)
    looks = asked = 0
    late: list[str] = []
    begun, first = time.monotonic(), None
    while (now := time.monotonic() - begun) < seconds or min(looks, asked) <= LEAST:
        late += _look(door, overlord.pid)
        if len(late) > STILL * max(1.0, seconds / 30):
            raise Finding("\n".join([*late, _end(folder)]))
        looks += 1
        for _ in range(random.randrange(4)):
            _ask(door, makers.request(random))
            asked += 1
        if first is None and now > seconds / 3:
            first = _size(overlord.pid)
        time.sleep(0.05)
    _judge(overlord, folder, first or (0.0, 0))
    return {"looks": looks, "requests": asked, "MiB of output": (folder / "output").stat().st_size >> 20}


def _judge(overlord: subprocess.Popen[bytes], folder: Path, first: tuple[float, int]) -> None:
    size, descriptors = _size(overlord.pid)
    overlord.send_signal(signal.SIGTERM)
    try:
        status = overlord.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        raise Finding(f"it did not stop within {PATIENCE:g} s\n{_end(folder)}") from None
    if status:
        raise Finding(f"it ended with status {status}\n{_end(folder)}")
    if re.search(rb"(?m)^Traceback|internal error", (folder / "output").read_bytes()):  # a service's line has its name
        raise Finding(f"a traceback\n{_end(folder)}")
    if size > first[0] + GROWTH or descriptors > first[1] + 40:
        raise Finding(f"it grew from {first[0]:.1f} MiB and {first[1]} descriptors to {size:.1f} MiB and {descriptors}")


def _door(folder: Path) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for found in folder.glob("run/hafta-overlord/*/control"):
            with suppress(ConnectionRefusedError), _connect(str(found)):  # it is there a moment before it listens
                return str(found)
        time.sleep(0.02)
    raise Finding(f"it did not start\n{_end(folder)}")


def _connect(door: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(PATIENCE)
    try:
        client.connect(door)
    except OSError:
        client.close()
        raise
    return client


def _look(door: str, pid: int) -> list[str]:
    """Return a line if the first byte of an answer came late. Raises Finding if it came very late."""
    ran, waited = _processor(pid)
    with _connect(door) as client:
        began = time.monotonic()
        client.sendall(LOOK)
        if not client.recv(1 << 16):
            raise Finding("it hung up on a good question")
        took = time.monotonic() - began
    ran, waited = (now - then for now, then in zip(_processor(pid), (ran, waited), strict=True))
    if took - waited <= TURNS * SLOWEST:
        return []
    line = f"the loop was away for {took:.2f} s: it ran for {ran:.2f} s and waited for the processor for {waited:.2f} s"
    if took - waited > NEVER:
        raise Finding(line)
    return [line]


def _ask(door: str, data: bytes) -> None:
    """Send anything; read what comes at once, and go away."""
    with _connect(door) as client, suppress(OSError):
        client.setblocking(False)
        client.send(data)
        select.select([client], [], [], 0.01)
        client.recv(1 << 16)


def _processor(pid: int) -> tuple[float, float]:
    """Return the seconds for which a process has run, and those for which it and we have waited for a processor."""
    its, ours = (Path(f"/proc/{each}/schedstat").read_text().split() for each in (pid, os.getpid()))
    return int(its[0]) / 1e9, (int(its[1]) + int(ours[1])) / 1e9


def _size(pid: int) -> tuple[float, int]:
    """Return the MiB that a process has to itself, and how many descriptors."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = sum(int(number) for number in re.findall(r"(?m)^Private_\w+:\s+(\d+)", text))
    return own / 1024, len(os.listdir(f"/proc/{pid}/fd"))


def _end(folder: Path) -> str:
    data = (folder / "output").read_bytes()
    lines = [line for line in data.decode(errors="replace").splitlines() if "overlord" in line[:12] or "File " in line]
    return "\n".join(lines[-30:])
