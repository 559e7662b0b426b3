"""Torture: faults in bulk. HAFTA_TORTURE=long takes an hour or two; the short mode six minutes."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys

import pytest

sys.path[:0] = [os.path.dirname(__file__), os.path.join(os.path.dirname(__file__), "../unit/overlord")]

LONG = os.environ.get("HAFTA_TORTURE") == "long"
LONGEST = 7200  # seconds that one test of the long mode may take; each counts its faults, so it ends
NONE = "faults, 0 violations"


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(os.path.dirname(__file__)):
            item.add_marker(pytest.mark.torture)
            if LONG:
                item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.fixture
def long():
    """Whether to take the time."""
    return LONG


@pytest.fixture
def tell(record_property):
    """Say the figures of a torture, in the summary of the run."""

    def figures(faults: int, what: str, *, seen: int = 0) -> None:
        """Say how many faults there were; of negative controls, how many losses were seen as they must be."""
        record_property("figures", (faults, what, seen))

    return figures


def pytest_terminal_summary(terminalreporter):
    """Say how many faults each method has made, and all together."""
    methods: dict[str, list[tuple[int, str, int]]] = {}
    for report in terminalreporter.stats.get("passed", []):
        for figures in [value for name, value in report.user_properties if name == "figures"]:
            methods.setdefault(report.nodeid.partition("[")[0].rpartition("/")[2], []).append(figures)
            if terminalreporter.verbosity > 0:
                terminalreporter.write_line(f"{report.nodeid}: {figures[0]} faults: {figures[1]}")
    total = 0
    for method, told in methods.items():
        faults, seen = sum(figures[0] for figures in told), sum(figures[2] for figures in told)
        total += 0 if seen else faults
        terminalreporter.write_line(f"{method}: {faults} " + (f"controls, {seen} losses seen" if seen else NONE))
    if methods:
        failed = len(terminalreporter.stats.get("failed", [])) + len(terminalreporter.stats.get("error", []))
        word = f"{total} {NONE}" if not failed else f"{total} {NONE} in what passed, and {failed} tests failed"
        terminalreporter.write_line(f"torture: {word}", bold=True)


def run_script(name: str, rounds: int, seconds: float, *arguments: object, python: tuple[str, ...] = ()) -> str:
    """Run a script of this directory with a new seed, before its arguments the rounds; return what it says."""
    seed = random.randrange(1 << 32)
    script = os.path.join(os.path.dirname(__file__), name)
    command = [sys.executable, *python, script, *map(str, (arguments[0], rounds, seed, *arguments[1:]))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=rounds * seconds, check=False)
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-3000:]}"
    return done.stdout.strip()


def need(*tools: str) -> pytest.MarkDecorator:
    """Skip, outside CI, where a tool is missing."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def need_fuse() -> pytest.MarkDecorator:
    """Skip, outside CI, where a disk cannot be served from user space."""
    asked = subprocess.run(["/usr/bin/python3", "-c", "import fusepy"], check=False, capture_output=True)
    missing = asked.returncode != 0 or not os.path.exists("/dev/fuse")
    return pytest.mark.skipif(missing, reason="needs /dev/fuse and python3-fusepy")


def as_root(why: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(os.geteuid() != 0, reason=f"needs root: {why}")
