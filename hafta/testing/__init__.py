"""Test your own sequences: a clock in which no test ever sleeps, forced failures of a named node, a list of all events.

runtime = FakeRuntime()
runtime.force("fetch", TimeoutError("no answer"), times=3)
result = feed.call(Data(), runtime=runtime)
assert result
assert runtime.slept == [0.1, 0.2, 0.4]
assert [event.NAME for event in runtime.events] == ["rolled-back"] * 3
"""

from hafta.testing.crash import Report, Violated, crash_everywhere
from hafta.testing.endings import EndlessWait, ForcedFailure, ProcessEnded
from hafta.testing.runtime import FakeRuntime
from hafta.testing.steps import Step

__all__ = [
    "EndlessWait",
    "FakeRuntime",
    "ForcedFailure",
    "ProcessEnded",
    "Report",
    "Step",
    "Violated",
    "crash_everywhere",
]
