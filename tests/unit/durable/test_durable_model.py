"""Random sequences with crashes at random points go as the naive model of docs/durable-rules.md says."""

from durable_script import RealWorld, stories
from engine_script import Shape, Tape, agree
from hypothesis import example, given
from hypothesis import strategies as st
from naive_resume import Crash, Disk, Panic, Process, Stop

import hafta
from hafta.stores import MemoryStore
from hafta.testing import FakeRuntime, ProcessEnded
from hafta.testing.cuts import CutStore, Cutter, Died

PROCESSES = 300  # tapes and cuts are finite: far fewer are enough

shapes = st.recursive(
    st.builds(lambda size, bits: Shape("z", size, bits), st.integers(1, 3), st.integers(0, 2**16 - 1)),
    lambda inner: st.builds(
        lambda size, bits, inner: Shape({"z": "y", "y": "x"}[inner.name], size, bits, inner),
        st.integers(1, 4),
        st.integers(0, 2**16 - 1),
        inner.filter(lambda shape: shape.name != "x"),
    ),
    max_leaves=1,
)
#: At which write each process is cut (1: before the first, 2: after it, ...), or asked to stop if negative; and how
#: many processes in a row.
cuts = st.lists(
    st.tuples(st.integers(1, 4) | st.integers(1, 25) | st.integers(-25, -1), st.integers(1, 6)), max_size=6
).map(lambda rows: [cut for cut, times in rows for _ in range(times)])


class Recorder(FakeRuntime):
    """Writes down which resumes are reported."""

    def __init__(self, said):
        super().__init__()
        self.said = said

    def observers(self, sequence):
        return ()

    def report(self, event):
        if event.NAME == "resumed":
            self.said.append(("resumed", event.sequence, event.node, event.attempt, event.checkpoint))


def play_model(shape, choices, plan):
    """What is said over all processes, and how the last one ended."""
    said, disk, tape, plan = [], Disk(), Tape(choices), list(plan)
    for _ in range(PROCESSES):
        disk.cut, disk.passed = plan.pop(0) if plan else None, 0
        said.append("process")
        try:
            how = Process(disk, tape, said).run(shape)
        except (Crash, Panic, Stop):
            continue
        if how == "done" or disk.record is None:
            return said, how
    raise AssertionError("the story does not end")


def play(shape, choices, plan, *, asynchronous=False):
    """The same with the real thing."""
    said, store, tape, plan = [], MemoryStore(capacity=100_000), Tape(choices), list(plan)
    for _ in range(PROCESSES):
        said.append("process")
        runtime = Recorder(said)
        sequence = RealWorld(shape, tape, said, asynchronous=asynchronous).sequence
        cut_store = CutStore(store, cutter(plan.pop(0) if plan else None))
        try:
            result = sequence.call(runtime=runtime, checkpoints=hafta.Checkpoints(cut_store))
        except (Died, ProcessEnded, KeyboardInterrupt):
            continue
        if result or store.peek(shape.name).saved is None:
            return said, "done" if result else "failed"
    raise AssertionError("the story does not end")


def cutter(cut):
    """What ends a process at this write: as a kill does, or by asking it to stop."""

    def die(_point):
        raise Died

    return Cutter(cut and abs(cut), die=die if (cut or 1) > 0 else None)


@stories
@given(shapes, st.binary(min_size=5, max_size=120), cuts)
@example(Shape("z", 1, 4096), bytes(5), [2, -2])  # stopped when the record says that it resumes, not begun yet
@example(Shape("z", 2, 0), b"\x18\0\0\0\0", [4, 2, 2, -1, 2, 2, 2])  # ... others died of local nodes
@example(Shape("z", 2, 4336), b"\0\0\0\x07\1\1\1\1-", [3, 3, 4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2])  # deaths elsewhere
def test_every_random_story_goes_as_the_naive_model_says(shape, choices, plan):
    expected, how = play_model(shape, choices, plan)
    said, ended = play(shape, choices, plan)
    agree(said, expected)
    assert ended == how
    awaited, ended = play(shape, choices, plan, asynchronous=True)
    agree(awaited, expected)
    assert ended == how


@stories
@given(shapes, st.binary(min_size=5, max_size=120))
def test_without_a_crash_the_steps_are_those_without_a_store(shape, choices):
    with_store, how = play(shape, choices, [])
    said = []
    runtime = Recorder(said)
    try:
        result = RealWorld(shape, Tape(choices), said).sequence.call(runtime=runtime)
    except ProcessEnded:
        return  # a panic ends the process: there is a second one only with a store
    assert [entry for entry in with_store if entry != "process"] == said
    assert how == ("done" if result else "failed")
