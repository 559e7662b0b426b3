"""What the person on call waits for: the commands that look at services, against what they cannot do without."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from measure import Line, compare, environment

CLICK = "import click"
HELP = "from hafta.cli import main; main(['--help'])"
STATUS = "from hafta.cli import main; main(['status'])"


def lines() -> Iterator[Line | str]:
    """Measure and yield the lines of the report."""
    yield compare(
        "hafta --help", lambda: wall(HELP), lambda: wall(CLICK), unit="ms", against="import click", goal="1.2x",
        rounds=40,
    )  # fmt: skip
    yield compare(
        "hafta status", lambda: wall(STATUS), lambda: wall(CLICK), unit="ms", against="import click", goal="2x",
        rounds=40,
    )  # fmt: skip


def wall(code: str) -> float:
    """Return the milliseconds from starting an interpreter to its end."""
    before = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return (time.monotonic() - before) * 1000
