"""A warm parent next to other supervisors: SIGKILL of a trivial daemon in Python to its being ready again, in turn.

The others start the daemon anew, which costs a start of Python and no import: the least that any of them can do.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from measure import ROOT
from overlord import _kill, _started
from overlord_peers import S6, Peer, Runit, Supervisord, Systemd
from overlord_tools import CannotBeHad, Tools, processes

KILLS = 20
PAUSE = 1.2  # seconds that each daemon has lived: some wait when one has lived for less than a second
PROGRAM = """import sys, time
sys.path.append(sys.argv.pop(1))
import hafta, hafta.service, hafta.service.holdoff
hafta.service.holdoff.FREE = 10**9
path, name = sys.argv[1:]
del sys.argv[1:]
trivial = hafta.Sequence("trivial")

@trivial.node
def work(run):
    with open(path, "a") as file:
        file.write(f"{name} {time.monotonic_ns()}\\n")
    run.sleep(10**6)
    return hafta.EXIT

sys.exit(hafta.service.run(trivial, warm=True))
"""


class Warm(Peer):
    """A warm parent by hand."""

    name = "a warm parent"

    def prepare(self) -> None:
        """Write its program."""
        (self.folder / "trivial.py").write_text(PROGRAM)

    def launch(self) -> None:
        """Start it."""
        words = ("/usr/bin/python3", "-ESs", f"{self.folder}/trivial.py", ROOT, self.ready, *self.names())
        self.spawn(*words, HAFTA_LADDER="1000000")

    def daemons(self) -> dict[int, str]:
        """Return its worker, which has a name of its own."""
        if self.process is None:
            return {}
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(OSError):
            mine = set(map(int, children.read_text().split()))
            return {pid: self.label for pid, words in processes() if pid in mine and words and ": worker" in words[0]}
        return {}


def lines() -> Iterator[str]:
    """Measure and yield the lines of the report."""
    tools = Tools()
    try:
        yield f"\nSIGKILL to ready of a trivial daemon in Python, {KILLS} kills of each in turn"
        with contextlib.ExitStack() as stack:
            up: list[Peer] = []
            for make in _makers(tools):
                try:
                    peer = make()
                except CannotBeHad as error:
                    yield f"left out: {error}"
                    continue
                peer.in_python = True
                stack.callback(peer.stop)
                if _started(peer, 1) is None:
                    yield f"{peer.name:24} does not start"
                else:
                    up.append(peer)
            yield from _restarts(up)
    finally:
        tools.close()


def _makers(tools: Tools) -> list[Callable[[], Peer]]:
    def needing(kind: type[Peer], package: str) -> Callable[[], Peer]:
        def make() -> Peer:
            try:
                tools.need(package)
            except CannotBeHad as error:
                raise CannotBeHad(f"{kind.name}: {error}") from error
            return kind(tools)

        return make

    return [
        lambda: Warm(tools),
        lambda: Systemd(tools, "systemd, RestartSec=0", "RestartSec=0"),
        needing(Runit, "runit"),
        needing(S6, "s6"),
        needing(Supervisord, "supervisor"),
    ]


def _restarts(peers: list[Peer]) -> Iterator[str]:
    took: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(KILLS):
        time.sleep(PAUSE)
        for peer in peers:
            seconds = _kill(peer)
            if seconds is not None:
                took[peer.name].append(seconds * 1000)
    ours = statistics.median(took[Warm.name]) if took.get(Warm.name) else 0.0
    for name, times in took.items():
        if times:
            middle = statistics.median(times)
            ratio = f"   {middle / ours:5.1f}x" if ours else ""
            yield f"{name:24} median {middle:7.1f} ms   worst {max(times):7.1f} ms   of {len(times)}{ratio}"
