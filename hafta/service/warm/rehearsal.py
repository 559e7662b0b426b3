"""What makes a standby quick: everything is imported, and its memory is its own.

A forked process shares its pages with its parent until it writes to them, and even counting a reference is a write.
About a thousand page faults until READY are 6 ms. A standby has them behind it when it is needed: it calls a small
durable sequence, which fails once, in memory. Nothing of the program itself is called, and nothing is reported.

The parent does the same once before it forks: what the first call leaves behind (caches, specialised bytecode) is then
written once and shared. Each child writes to 60 pages less.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.drivers.functions import Outcome
    from hafta.drivers.run import Run
    from hafta.journal.event import Event
    from hafta.service.service import Service

#: What a worker loads between its begin and its first record, when the program has sequences.
OF_SEQUENCES = (
    "hafta.sequence", "hafta.drivers.blocking", "hafta.drivers.call", "hafta.durable.opening", "hafta.durable.codec",
    "hafta.durable.resume", "hafta.durable.checkpoints", "hafta.journal.durable_events", "hafta.service.held",
    "hafta.service.runner", "hafta.service.warm.steps", "hafta.stores", "hafta.stores.file.files",
    "hafta.stores.file.claiming", "hafta.stores.memory",
)  # fmt: skip
ALWAYS = ("hafta.journal.events", "hafta.journal.warm_events", "hafta.systemd.sender", "hafta.service.warm.brood")


def preload() -> None:
    """Import, once, what every worker needs."""
    for name in (*ALWAYS, *(OF_SEQUENCES if "hafta.sequence" in sys.modules else ())):
        __import__(name)


def rehearse(service: Service) -> None:
    """Run through what a worker does first. A rehearsal that fails is one that saves no time, and no more."""
    service.describe()
    if "hafta.sequence" not in sys.modules:
        return
    try:
        _call()
    except Exception:
        return


def _call() -> None:
    from hafta.durable.checkpoints import Checkpoints
    from hafta.engine.words import EXIT
    from hafta.runtime import Runtime
    from hafta.sequence import Sequence
    from hafta.stores.memory import MemoryStore

    class Silent(Runtime):
        """A runtime that reports nothing."""

        def report(self, event: Event) -> None:
            """Say nothing."""

    sequence = Sequence("rehearsal")

    def work(run: Run) -> Outcome:
        run.checkpoint(1, n=1)
        return run.fail("rehearsed") if not run.attempt else EXIT

    sequence.node(work).rollback(lambda _run, _checkpoint: None)
    sequence.call(None, runtime=Silent(), checkpoints=Checkpoints(MemoryStore(), keep={"n": 1}))
