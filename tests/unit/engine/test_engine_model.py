"""Random sequences behave as the naive model says: in the blocking driver, in its fast path, and in asyncio."""

from engine_effort import RULES
from engine_script import NORMAL, POLICY, ROLLBACK, RealWorld, Shape, Tape, agree, expect, plain
from hypothesis import given
from hypothesis import strategies as st

import hafta
from hafta.engine.machine import Phase
from hafta.exits import PANIC
from hafta.journal.events import SequenceFailed
from hafta.testing import FakeRuntime, ProcessEnded

shapes = st.builds(
    lambda size, bits, inner: Shape("outer", size, bits, inner and Shape("inner", *inner)),
    st.integers(1, 4),
    st.integers(0, 2**21 - 1),
    st.none() | st.tuples(st.integers(1, 3), st.integers(0, 2**21 - 1)),
)
FUNCTIONS = {NORMAL, ROLLBACK, POLICY}


class Recorder(FakeRuntime):
    """Writes down what is asked, reported and slept, among what the functions say."""

    def __init__(self, said):
        super().__init__()
        self.said = said

    def step(self, step):
        reason = plain(step.reason)
        self.said.append(
            ("step", step.sequence, step.node, step.kind.name, step.attempt, step.checkpoint, reason, step.next)
        )
        self.said += [("broken", machine.node.name) for machine in self.machines if not holds(machine)]

    def report(self, event):
        if event.NAME in {"rolled-back", "rollback-failed"}:
            how = event.NAME == "rolled-back", event.sequence, event.node, event.checkpoint, event.attempt
            self.said.append(("rolled back", *how, bool(event.unwinding), event.reason, event.to_node))
        elif isinstance(event, SequenceFailed):
            self.said.append(("failed", event.sequence, event.node, event.attempt))

    def sleep(self, seconds):
        self.said.append(("slept", seconds))
        super().sleep(seconds)

    async def asleep(self, seconds):
        self.said.append(("slept", seconds))
        await super().asleep(seconds)

    @property
    def machines(self):
        return [describe.__self__.machine for describe in self.describers]


def holds(machine):
    """The invariant at the head of machine.py: the stack is a dict, so a node can stand on it only once."""
    return machine.phase is Phase.DONE or (machine.node not in machine.stack and machine.attempt >= 0)


def once_each(said):
    """A failed attempt is rolled back exactly once before the next attempt of that node, if it goes as it should."""
    open_attempts = set()
    for what, *rest in said:
        if what == "step" and rest[2] == "NORMAL_FAIL" and rest[6] != "panicked":
            assert (rest[0], rest[1]) not in open_attempts
            open_attempts.add((rest[0], rest[1]))
        elif what == "rolled back":
            open_attempts.discard((rest[1], rest[2]))
        elif what == NORMAL:
            assert not any(node == rest[0] for _, node in open_attempts)


def play(shape, choices, *, asynchronous=False, watched=True):
    """Run the real thing: what was said, and how it ended."""
    said = []
    runtime = Recorder(said)
    if not watched:
        runtime.observers = lambda _sequence: ()
    sequence = RealWorld(shape, Tape(choices), said, asynchronous=asynchronous).sequence
    try:
        if asynchronous:
            result = runtime.run_async(sequence.call_async(runtime=runtime))
        else:
            result = sequence.call(runtime=runtime)
    except hafta.IllegalMove:
        return said, "illegal"
    except ProcessEnded as ended:
        return said, ("panic", ended.status)
    assert runtime.describers == []
    return said, ("done", result.failures) if result else plain(result)


def functions(said):
    """Only the functions that ran and the waits, in order."""
    return [entry for entry in said if entry[0] in FUNCTIONS | {"slept"}]


def as_told(said):
    """With the reasons of rollbacks as the journal tells them."""
    return [(*entry[:7], sentence(entry[7]), *entry[8:]) if entry[0] == "rolled back" else entry for entry in said]


def sentence(reason):
    if not isinstance(reason, tuple):
        return reason.replace("ValueError: ", "")
    _, name, node, inner, attempt, _ = reason
    return f"{name} failed at node {node}, attempt {attempt}: {sentence(inner)}"


@RULES
@given(shapes, st.binary(min_size=10, max_size=100))
def test_every_random_sequence_goes_as_the_naive_model_says(shape, choices):
    expected, how = expect(shape, choices)
    how = ("panic", PANIC) if how[0] == "panic" else how
    said, ended = play(shape, choices)
    agree(as_told(said), as_told(expected))
    assert ended == how
    once_each(said)
    quick, ended = play(shape, choices, watched=False)
    agree(functions(quick), functions(expected))
    assert ended == how
    awaited, ended = play(shape, choices, asynchronous=True)
    agree(as_told(awaited), as_told(expected))
    assert ended == how
