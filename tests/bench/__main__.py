"""`make bench`: every figure is a ratio, measured in one run against a named floor or peer."""

from __future__ import annotations

import os
import platform
import sys

sys.path[:0] = [
    os.path.dirname(os.path.abspath(__file__)),
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
]

import durable
import engine
import operator_commands
import startup
from measure import report


def main() -> None:
    """Run the benches named on the command line, or all."""
    benches = {
        "engine": lambda: report("Engine (CPU time, median of 15 rounds in turn)", engine.lines()),
        "durable": lambda: report("Durable calls (median of 15 or 40 rounds in turn)", durable.lines()),
        "startup": lambda: report("Start-up (median of 15 or 40 rounds in turn)", startup.lines()),
        "operator": lambda: report("The operator's commands (median in turn)", operator_commands.lines()),
        "throughput": _throughput,
        "hosts": _hosts,
        "overlord": _overlord,
        "system": _system,
        "warm": _warm,
    }
    chosen = sys.argv[1:] or [name for name in benches if name not in {"hosts", "overlord", "system", "warm"}]
    if unknown := set(chosen) - set(benches):
        sys.exit(f"bench: no such bench: {', '.join(sorted(unknown))}\nbench: there are {', '.join(benches)}")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in chosen:
        benches[name]()


def _throughput() -> None:
    import throughput

    report("Throughput", throughput.run())


def _hosts() -> None:
    import hosts

    report("Stores that hosts share (etcd-server, postgresql)", hosts.lines())


def _overlord() -> None:
    import overlord

    report("The embedded overlord and others (root; some minutes)", overlord.lines())


def _warm() -> None:
    import warm

    report("Warm (root; a booted machine; some minutes)", warm.lines())


def _system() -> None:
    import system

    report("Recovery in a booted machine (bookworm, systemd 252)", system.lines())


if __name__ == "__main__":
    main()
