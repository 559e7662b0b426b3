"""`recovered`: the first node that ends well after a row of failures, or after resuming."""

import pytest

import hafta.runtime
from hafta.engine.machine import Machine
from hafta.journal.event import Event
from hafta.stores import MemoryStore
from hafta.testing import FakeRuntime


class Quick(hafta.runtime.Runtime):
    """A runtime in which no observer wants to see each step: plain nodes are on their fast path."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)


def walked(failures: list[tuple[str, str]], runtime: Quick | FakeRuntime) -> list[tuple[str, int]]:
    """Run a sequence of the nodes a, b and c, one of which fails or succeeds as the list has it; what recovered."""
    sequence, left = hafta.Sequence("s"), iter(failures)

    def step(run: hafta.Run, to: object) -> object:
        name, how = next(left)
        assert name == str(run.node)
        if how == "fails":
            raise ValueError(name)
        return to

    @sequence.node
    def a(run):
        return step(run, b)

    @sequence.node
    def b(run):
        return step(run, c)

    @sequence.node
    def c(run):
        return step(run, hafta.EXIT)

    sequence.call(runtime=runtime)
    assert next(left, None) is None
    return [(event.node, event.failures) for event in runtime.events if event.NAME == "recovered"]


def way(text: str) -> list[tuple[str, str]]:
    """Return the steps of `a a! b`: an exclamation mark is a failure."""
    return [(word[0], "fails" if word.endswith("!") else "ends") for word in text.split()]


@pytest.mark.parametrize(
    ("steps", "recovered"),
    [
        ("a b c", []),
        ("a! a b! b c! c", []),
        ("a! a! a b c", [("a", 2)]),
        ("a b! b! b! b c", [("b", 3)]),
        ("a b! b! b c! c! c", [("b", 2), ("c", 2)]),
        ("a b! b! b! b! b! a b c", [("b", 5)]),  # back to a, which had not failed: that is no recovery
        ("a b! b! b! b! b! a! a! a b c", [("a", 7)]),  # the row goes on at a, which ends it
        ("a! a! a! a! a!", []),
    ],
)
@pytest.mark.parametrize("world", [Quick, FakeRuntime])
def test_a_node_that_ends_well_after_two_failures_in_a_row_has_recovered(steps, recovered, world):
    assert walked(way(steps), world()) == recovered


def around(event: hafta.PolicyEvent) -> hafta.Verdict:
    """Give a node up after three failures."""
    if event.kind is hafta.NORMAL_FAIL:
        return hafta.ROLL_BACK_CURRENT
    return hafta.proceed("instead" if event.attempt == 3 else event.node)


def test_a_way_around_the_node_that_fails_is_a_recovery_too():
    sequence = hafta.Sequence("s")

    @sequence.node
    def first(_run):
        return broken

    @sequence.node(policy=lambda run, event: around(event))
    def broken(_run):
        raise OSError(5, "broken")

    @sequence.node
    def instead(_run):
        return hafta.EXIT

    runtime = FakeRuntime()
    sequence.call(runtime=runtime)
    assert [(event.node, event.failures) for event in runtime.events if event.NAME == "recovered"] == [("instead", 3)]


def test_it_says_how_long_the_row_lasted():
    sequence = hafta.Sequence("s")

    @sequence.node
    def work(run):
        run.sleep(2)
        if run.attempt < 2:
            return run.fail("no")
        return hafta.EXIT

    runtime = FakeRuntime()
    sequence.call(runtime=runtime)
    [event] = [event for event in runtime.events if event.NAME == "recovered"]
    assert 4_000_000 <= event.duration_usec < 4_100_000


class Killed(BaseException):
    pass


def test_a_sequence_that_resumes_has_recovered_when_the_first_node_ends_well():
    sequence, store, deaths = hafta.Sequence("s"), MemoryStore(), iter([True])

    @sequence.node
    def work(run):
        run.checkpoint(1)
        if next(deaths, False):
            raise Killed
        return after

    @sequence.node
    def after(_run):
        return hafta.EXIT

    def call() -> list[tuple[str, int]]:
        runtime = FakeRuntime()
        sequence.call(runtime=runtime, checkpoints=hafta.Checkpoints(store))
        return [(event.node, event.failures) for event in runtime.events if event.NAME == "recovered"]

    with pytest.raises(Killed):
        call()
    assert call() == [("work", 0)]
    assert call() == []


def test_a_plain_node_is_on_its_fast_path_before_a_row_and_after_the_recovery(monkeypatch):
    sequence, walks = hafta.Sequence("s"), []
    turns, walk = iter(range(10)), Machine.walk
    monkeypatch.setattr(Machine, "walk", lambda machine, run: walks.append(1) or walk(machine, run))

    @sequence.node
    def work(_run):
        turn = next(turns)
        if turn in {2, 3}:
            raise ValueError(turn)
        return work if turn < 9 else hafta.EXIT

    runtime = Quick()
    sequence.call(runtime=runtime)
    assert [event.NAME for event in runtime.events] == ["rolled-back", "rolled-back", "recovered"]
    assert len(walks) == 3  # up to the first failure, the second one, and from the recovery to the end
