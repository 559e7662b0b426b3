"""An annotated program: mypy --strict and pyright read every line of it, and find a misspelt attribute."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from enum import IntEnum

import hafta
from hafta.policies import Attempts, Backoff


class CP(IntEnum):
    CLEAR = 0
    RECEIVED = 1


@dataclass
class Gauge:
    path: str
    fd: int = -1
    values: list[float] = field(default_factory=list[float])


gauge = hafta.Sequence[Gauge]("gauge")


@gauge.node(timeout=5, policy=Attempts(3) | Backoff(0.01))
def open_gauge(run: hafta.Run[Gauge]) -> hafta.Outcome:
    run.data.fd = os.open(run.data.path, os.O_RDONLY)
    return read_gauge


@gauge.node
def read_gauge(run: hafta.Run[Gauge]) -> hafta.Outcome:
    run.checkpoint(CP.CLEAR)
    line = os.read(run.data.fd, 80)
    if not line:
        return run.fail("the gauge is silent")
    run.checkpoint(CP.RECEIVED)
    run.data.values.append(float(line))
    run.call(report, run.data.values[-1])
    return hafta.EXIT


@read_gauge.rollback
def close_gauge(run: hafta.Run[Gauge], checkpoint: int) -> hafta.Outcome | None:
    if checkpoint == CP.CLEAR:
        run.sleep(0.01)
    os.close(run.data.fd)
    return open_gauge


@read_gauge.policy
def give_up_on_nonsense(run: hafta.Run[Gauge], event: hafta.PolicyEvent) -> hafta.Verdict:
    if isinstance(event.reason, ValueError):
        return hafta.FAIL_SEQUENCE
    return hafta.default_policy(run, event)


report = hafta.Sequence[float]("report")


@report.node
async def wait_and_print(run: hafta.AsyncRun[float]) -> hafta.Outcome:
    await run.sleep(0.01)
    print(f"{run.data:g} bar")
    return hafta.EXIT


class Alarm(hafta.Steps):
    def __init__(self, limit: float, values: list[float]) -> None:
        self.limit = limit
        self.values = values

    @hafta.node
    def compare(self, run: hafta.Run) -> hafta.Outcome:
        return self.ring if max(self.values) > self.limit else hafta.EXIT

    @hafta.node(durable=True)
    async def ring(self, run: hafta.AsyncRun) -> hafta.Outcome:
        await run.sleep(0.02)
        print(f"above {self.limit:g} bar")
        return hafta.EXIT

    @ring.rollback
    def ring_again(self, run: hafta.Run, checkpoint: int) -> hafta.Outcome | None:
        return self.ring


@hafta.retried(Attempts(3) | Backoff(0.01))
def size_of(path: str) -> int:
    return os.stat(path).st_size


if __name__ == "__main__":
    print(f"{size_of(sys.argv[1])} bytes")
    read = Gauge(sys.argv[1])
    result = gauge.call(read)
    if result:
        Alarm(3, read.values).call()
    print(result)
    sys.exit(not result)
