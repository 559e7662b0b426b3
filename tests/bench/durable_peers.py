"""A step that is on record before the next one begins, as DBOS and TaskFlow do it on SQLite; run in their environment.

Prints, for each, the microseconds of a step: of a workflow of N steps less one of none, divided by N.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
import time
from typing import Any

STEPS = 50


def dbos(folder: str) -> float:
    """Return the microseconds of a step of DBOS."""
    from dbos import DBOS, DBOSConfig

    config: DBOSConfig = {"name": "bench", "system_database_url": f"sqlite:///{folder}/dbos.sqlite"}
    DBOS(config=config)

    @DBOS.step()
    def step(number: int) -> int:
        return number

    @DBOS.workflow()
    def walk(steps: int) -> int:
        return sum(step(number) for number in range(steps))

    DBOS.launch()
    try:
        return _per_step(walk)
    finally:
        DBOS.destroy()


def taskflow(folder: str) -> float:
    """Return the microseconds of a task of TaskFlow, with its SQLite persistence."""
    from taskflow import engines, task
    from taskflow.patterns import linear_flow
    from taskflow.persistence import backends

    class Step(task.Task):
        def execute(self) -> int:
            return 1

    backend = backends.fetch({"connection": f"sqlite:///{folder}/taskflow.sqlite"})
    with contextlib.closing(backend.get_connection()) as connection:
        connection.upgrade()

    def walk(steps: int) -> None:
        flow: Any = linear_flow.Flow("walk")
        flow.add(*[Step(f"step{number}") for number in range(max(1, steps))])
        engines.run(flow, backend=backend)

    return _per_step(walk)


def _per_step(walk: Any) -> float:
    walk(1)
    before = time.monotonic()
    walk(1)
    between = time.monotonic()
    walk(STEPS + 1)
    return ((time.monotonic() - between) - (between - before)) / STEPS * 1e6


def main() -> None:
    """Print what was asked for."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(dir=sys.argv[2]) as folder, contextlib.redirect_stdout(sys.stderr):
        os.chdir(folder)
        took = {"dbos": dbos, "taskflow": taskflow}[sys.argv[1]](folder)
    print(json.dumps(took))


if __name__ == "__main__":
    main()
