"""The invariant at the head of docs/durable-rules.md, held against effects: random pipelines, up to four deaths.

No model: each function looks for itself whether it may run. With four deaths and failures together nothing is given up.
"""

from durable_script import stories
from hypothesis import given
from hypothesis import strategies as st

import hafta
from hafta.stores import MemoryStore
from hafta.testing import FakeRuntime
from hafta.testing.cuts import CutStore, Cutter, Died


class World:
    """What each durable node has done: nothing, or begun, or ended; it outlives processes."""

    def __init__(self, durable):
        self.durable = durable
        self.done = {}  # node: "begun" or "ended"
        self.said = {}  # node: the checkpoints and states that its rollback function may be given
        self.just_started = False  # no rollback function has run in this process: one that had ended may run again


def build(world, shape, failures):
    """A pipeline of nodes: (durable, number of checkpoints, process-local effects in data)."""
    sequence = hafta.Sequence("line")
    for number, (durable, checkpoints) in enumerate(shape):
        node = sequence.node(name=str(number), durable=durable)(
            normal(world, number, len(shape), checkpoints, failures)
        )
        node.rollback(rollback(world, number))
    return sequence


def normal(world, number, size, checkpoints, failures):
    def work(run):
        effects = world.done if world.durable[number] else run.data
        assert effects.get(number) is None, "begun again without a rollback, or run again though it had ended"
        for before in range(number):
            there = (world.done if world.durable[before] else run.data).get(before)
            assert there == "ended", "a node before is not there"
        effects[number] = "begun"
        world.said[number] = [(0, {})]
        for at in range(1, checkpoints + 1):
            world.said[number].append((at, {"at": at}))
            run.checkpoint(at, at=at)
            del world.said[number][:-1]  # acknowledged: nothing older will do
        if failures and failures[0] == number:
            failures.pop(0)
            return run.fail("it says so")
        effects[number] = "ended"
        return str(number + 1) if number + 1 < size else hafta.EXIT

    return work


def rollback(world, number):
    def undo(run, checkpoint):
        effects = world.done if world.durable[number] else run.data
        assert effects.get(number) is not None or world.just_started, "rolled back twice"
        assert (checkpoint, run.state) in world.said.get(number, [(0, {})])
        effects.pop(number, None)
        world.said.setdefault(number, []).append((0, {}))  # of the next attempt, on record before it begins
        world.just_started = False

    return undo


def die(_point):
    raise Died


@stories
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=6),
    st.lists(st.integers(1, 60), max_size=4),
    st.lists(st.integers(0, 5), max_size=4),
)
def test_what_had_begun_is_rolled_back_once_before_it_begins_again_and_what_had_ended_is_not_run_again(
    shape, cuts, failures
):
    failures = sorted(failures)[: 4 - len(cuts)]
    world, store = World([durable for durable, _ in shape]), MemoryStore()
    whole = dict.fromkeys((number for number, (durable, _) in enumerate(shape) if durable), "ended")
    for cut in [*cuts, None]:
        world.just_started = True
        sequence = build(world, shape, failures)
        try:
            result = sequence.call(
                {}, runtime=FakeRuntime(), checkpoints=hafta.Checkpoints(CutStore(store, Cutter(cut, die=die)))
            )
        except Died:
            if world.done == whole and store.peek("line").saved is None:
                break  # its end was on record
            continue
        assert result, str(result)
        break
    assert world.done == whole
