"""A real service under a real overlord, and `hafta drill` on it as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
for other in ("overlord", "observe"):
    sys.path.append(str(HERE.parent / other))

from overlord_harness import PYTHON, ROOT, Place  # noqa: E402  the two lines above make them importable
from processes import PATIENCE  # noqa: E402
from schema_support import problems, schema  # noqa: E402

FEED = """
import os, sys, hafta, hafta.service
from hafta.service.runner import state_checkpoints

feed = hafta.Sequence("feed")

@feed.node
def work(run):
    run.checkpoint(3)
    run.sleep(0.1)
    return work

@work.rollback
def undo(run, checkpoint):
    return work

sys.exit(hafta.service.run(feed, argv=[], checkpoints=state_checkpoints()))
"""
LINES = (
    "Type=notify", "WatchdogSec=60", "Restart=always", "RestartSec=0", "StateDirectory=feed", "RuntimeDirectory=feed",
    "RuntimeDirectoryPreserve=restart", f"Environment=PYTHONPATH={ROOT}",
)  # fmt: skip
NO_LIMIT = ("StartLimitIntervalSec=0",)


def environ(place: Place) -> dict[str, str]:
    own = {"PYTHONPATH": ROOT, "HAFTA_RUNTIME_DIR": place.runtime, "HAFTA_STATE_DIR": place.state}
    return {**os.environ, **own, "NO_COLOR": "1", "COLUMNS": "200"}


def begin(place: Place, *words: str, **options) -> subprocess.Popen:
    """Begin `hafta` with these words."""
    command = [PYTHON, "-m", "hafta.cli", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environ(place), **pipes, **options)


def hafta(place: Place, *words: str) -> tuple[int, str, str]:
    """Run it; return its status, what it printed, and what it said on stderr."""
    with begin(place, *words) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def drilled(place: Place, *words: str) -> tuple[int, dict, str]:
    """Drill with --json; return the status, the document, which fits the schema, and what it said on stderr."""
    status, out, err = hafta(place, "drill", *words, "--json")
    assert out, err
    answer = json.loads(out)
    assert problems(answer, schema("drill", "drill")) == []
    return status, answer, err


def events(place: Place, unit: str, name: str) -> list[dict]:
    """Return the entries of the event log of one kind of a unit."""
    _, out, _ = hafta(place, "log", unit, "--json", "-n", "100000", "--overlord")
    return [one for one in map(json.loads, out.splitlines()) if one["fields"].get("HAFTA_EVENT") == name]
