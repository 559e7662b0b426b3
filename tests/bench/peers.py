"""The same job done with tenacity and with transitions."""

from __future__ import annotations

import time
from typing import Any

import tenacity
import transitions


def retry_with_tenacity(failures: int) -> float:
    """Return the nanoseconds of CPU for one failure that is undone and tried again."""
    undone = 0

    def undo(_state: Any) -> None:
        nonlocal undone
        undone += 1

    def run(work: Any) -> None:
        tenacity.Retrying(wait=tenacity.wait_none(), before_sleep=undo, stop=tenacity.stop_after_attempt(5))(work)

    def flaky() -> Any:
        turns = iter((True, False))

        def work() -> None:
            if next(turns):
                raise ValueError("bad data")

        return work

    works = [flaky() for _ in range(failures)]
    before = time.process_time_ns()
    for work in works:
        run(work)
    took = (time.process_time_ns() - before) / failures
    assert undone == failures
    return took


def walk_with_transitions(rounds: int) -> float:
    """Return the nanoseconds of CPU for one transition."""

    class Model:
        step: Any
        state: str

    model = Model()
    table = [
        {"trigger": "step", "source": "there", "dest": "back"},
        {"trigger": "step", "source": "back", "dest": "there"},
    ]
    transitions.Machine(model, states=["there", "back"], transitions=table, initial="there")
    before = time.process_time_ns()
    for _ in range(rounds * 2):
        model.step()
    return (time.process_time_ns() - before) / (rounds * 2)
