"""The same job done with tenacity and with transitions."""

from __future__ import annotations

from typing import Any

import tenacity
import transitions
from measure import cpu


def retry_with_tenacity(failures: int) -> float:
    """Return the nanoseconds of CPU for one failure that is undone and tried again."""
    undone = []

    def flaky() -> Any:
        turns = iter((True, False))

        def work() -> None:
            if next(turns):
                raise ValueError("bad data")

        return work

    def run(work: Any) -> None:
        stop = tenacity.stop_after_attempt(5)
        tenacity.Retrying(wait=tenacity.wait_none(), before_sleep=undone.append, stop=stop)(work)

    works = [flaky() for _ in range(failures)]
    took = cpu(lambda: [run(work) for work in works], failures)
    assert len(undone) == failures
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
    return cpu(lambda: [model.step() for _ in range(rounds * 2)], rounds * 2)
