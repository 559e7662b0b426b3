"""What it costs to import hafta, and how soon hafta-server is ready, against a bare interpreter."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from measure import Line, compare

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": ROOT}


def lines() -> Iterator[Line | str]:
    """Measure and yield the lines of the report."""
    bare = "bare interpreter"
    yield compare(
        "import hafta: CPU", lambda: cpu("import hafta"), lambda: cpu("pass"), unit="ms", against=bare, goal="+15 ms"
    )
    everything = "import hafta; hafta.Sequence, hafta.Run, hafta.panic, hafta.default_policy"
    yield compare(
        "hafta, its names used: CPU",
        lambda: cpu(everything),
        lambda: cpu("pass"),
        unit="ms",
        against=bare,
        goal="+15 ms",
    )
    yield compare(
        "hafta, its names used: memory",
        lambda: memory(everything),
        lambda: memory("pass"),
        unit="MiB",
        against=bare,
        goal="+3 MiB",
    )
    yield compare(
        "hafta-server: start to READY", ready, lambda: wall("pass"), unit="ms", against=bare, goal="2x", rounds=40
    )


def cpu(code: str) -> float:
    """Return the milliseconds of CPU of an interpreter that runs this."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def memory(code: str) -> float:
    """Return the MiB that an interpreter has resident after this."""
    tell = "import os; print(int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGESIZE') / 2**20)"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{tell}"], check=True, env=ENVIRONMENT, capture_output=True)
    return float(done.stdout)


def wall(code: str) -> float:
    """Return the milliseconds from starting an interpreter to its end."""
    before = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    return (time.monotonic() - before) * 1000


def ready() -> float:
    """Return the milliseconds from starting hafta-server to its READY=1."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(f"{directory}/notify")
        notify.settimeout(30)
        environment = {**ENVIRONMENT, "NOTIFY_SOCKET": f"{directory}/notify", "HAFTA_PIPE": f"{directory}/pipe"}
        before = time.monotonic()
        server = subprocess.Popen([sys.executable, "-m", "hafta.server"], env=environment, stdout=subprocess.DEVNULL)
        while b"READY=1" not in notify.recv(4096):
            pass
        took = (time.monotonic() - before) * 1000
        server.terminate()
        server.wait()
        return took
