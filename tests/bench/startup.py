"""What it costs to import hafta, and how soon hafta-server is ready, against a bare interpreter.

hafta-server is started by the launcher that the packages install, as its unit does: without the site module, which a
bare interpreter has. So there is a second floor, which has no site module either.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from measure import ROOT, Line, compare, environment


def lines() -> Iterator[Line | str]:
    """Measure and yield the lines of the report."""
    everything = "import hafta; hafta.Sequence, hafta.Run, hafta.panic, hafta.default_policy"
    for what, figure, code, unit, goal in (
        ("import hafta: CPU", cpu, "import hafta", "ms", "+15 ms"),
        ("hafta, its names used: CPU", cpu, everything, "ms", "+15 ms"),
        ("hafta, its names used: memory", memory, everything, "MiB", "+3 MiB"),
    ):
        ours, bare = (lambda figure=figure, code=code: figure(code)), (lambda figure=figure: figure("pass"))
        yield compare(what, ours, bare, unit=unit, against="bare interpreter", goal=goal)
    with installed() as launcher:
        for flags, against, goal in ((), "bare interpreter", "1.9x"), (("-IS",), "bare interpreter without site", ""):
            yield compare(
                "hafta-server: start to READY", lambda: ready(launcher), lambda flags=flags: wall(*flags, "-c", "pass"),
                unit="ms", against=against, goal=goal, rounds=40,
            )  # fmt: skip


def cpu(code: str) -> float:
    """Return the milliseconds of CPU of an interpreter that runs this."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def memory(code: str) -> float:
    """Return the MiB that an interpreter has resident after this."""
    tell = "import os; print(int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGESIZE') / 2**20)"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{tell}"], check=True, env=environment(), capture_output=True)
    return float(done.stdout)


def wall(*arguments: str) -> float:
    """Return the milliseconds from starting an interpreter to its end."""
    before = time.monotonic()
    subprocess.run([sys.executable, *arguments], check=True, env=environment())
    return (time.monotonic() - before) * 1000


@contextlib.contextmanager
def installed() -> Iterator[str]:
    """Give the launcher of hafta-server as the packages have it, and a library with what it needs of one."""
    sys.path.append(f"{ROOT}/packaging/generate")
    from launchers import SERVICE

    with tempfile.TemporaryDirectory() as library:
        os.symlink(f"{ROOT}/hafta", f"{library}/hafta")
        found = importlib.util.find_spec("sdnotify")
        if found is not None and found.origin is not None:
            place = os.path.dirname(found.origin) if found.submodule_search_locations else found.origin
            os.symlink(place, f"{library}/{os.path.basename(place)}")
        launcher = f"{library}/hafta-server"
        with open(launcher, "w", encoding="utf-8") as file:
            file.write(SERVICE.format(library=library, module="hafta.server.program", function="main"))
        yield launcher


def ready(launcher: str) -> float:
    """Return the milliseconds from starting hafta-server to its READY=1."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(f"{directory}/notify")
        notify.settimeout(30)
        whole = {**environment(), "NOTIFY_SOCKET": f"{directory}/notify", "HAFTA_PIPE": f"{directory}/pipe"}
        before = time.monotonic()
        server = subprocess.Popen([sys.executable, "-IS", launcher], env=whole, stdout=subprocess.DEVNULL)
        while b"READY=1" not in notify.recv(4096):
            pass
        took = (time.monotonic() - before) * 1000
        server.terminate()
        server.wait()
        return took
