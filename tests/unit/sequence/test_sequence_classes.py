"""A sequence as a class: methods are nodes, and the object is the userdata."""

import re
from dataclasses import dataclass, field

import pytest

import hafta
from hafta.policies import Attempts
from hafta.stores import MemoryStore
from hafta.testing import FakeRuntime, crash_everywhere


@dataclass
class Reader(hafta.Steps):
    bad: int = 0
    log: list = field(default_factory=list)

    @hafta.node
    def open_pipe(self, run):
        self.log.append("open")
        return self.read

    @open_pipe.rollback
    def reopen(self, run, checkpoint):
        self.log.append("reopen")

    @hafta.node(durable=True, timeout=60)
    def read(self, run):
        assert run.data is self
        run.checkpoint(7)
        self.log.append("read")
        self.bad -= 1
        return run.fail("bad") if self.bad >= 0 else hafta.EXIT

    @read.rollback
    def _(self, run, checkpoint):
        self.log.append(f"undo {checkpoint}")
        return self.read

    @read.policy
    def _(self, run, event):
        if event.kind is hafta.NORMAL_FAIL and event.attempt == 2:
            return hafta.ROLL_BACK_PREVIOUS
        return hafta.default_policy(run, event)


class Polite(Reader, name="polite reader", version="2"):
    def reopen(self, run, checkpoint):
        self.log.append("please")

    @hafta.node(name="say goodbye")
    def leave(self, run):
        return hafta.EXIT

    @hafta.node
    def read(self, run):
        self.log.append("read politely")
        return self.leave if self.log.count("open") == 2 else run.fail("not yet")

    @read.policy
    def _(self, run, event):
        return hafta.ROLL_BACK_PREVIOUS if event.kind is hafta.NORMAL_FAIL else hafta.default_policy(run, event)


def test_an_object_is_called_and_is_the_userdata():
    reader = Reader(bad=2)
    assert str(reader.call(runtime=FakeRuntime())) == "reader succeeded after 2 failures"
    assert reader.log == ["open", "read", "undo 7", "read", "undo 7", "reopen", "open", "read"]


def test_underneath_it_is_an_ordinary_sequence():
    sequence = Reader.sequence
    assert repr(sequence) == "<sequence reader: open_pipe, read>"
    node = sequence.nodes["read"]
    assert (node.durable, node.timeout, node.name) == (True, 60, "read")
    assert Reader.read is Reader().read is node
    assert Reader.sequence.call(Reader(), runtime=FakeRuntime())


def test_a_class_inherits_nodes_takes_the_place_of_some_and_adds_others():
    assert repr(Polite.sequence) == "<sequence polite reader: open_pipe, read, say goodbye>"
    assert Polite.sequence.version == "2"
    polite = Polite()
    assert polite.call(runtime=FakeRuntime())
    assert polite.log == ["open", "read politely", "please", "open", "read politely"]
    assert not polite.read.durable
    assert polite.open_pipe is not Reader.open_pipe
    assert repr(Reader.sequence) == "<sequence reader: open_pipe, read>"


def test_a_mixin_gives_its_nodes():
    class Closing:
        @hafta.node
        def close(self, run):
            return hafta.EXIT

    class Both(Closing, Reader):
        pass

    assert list(Both.sequence.nodes) == ["open_pipe", "read", "close"]


def test_asynchronous_methods_are_awaited():
    class Waiter(hafta.Steps):
        waited = False

        @hafta.node
        async def wait(self, run):
            await run.sleep(3)
            return self.leave if self.waited else run.fail("no")

        @wait.rollback
        async def _(self, run, checkpoint):
            await run.sleep(1)
            self.waited = True

        @hafta.node
        def leave(self, run):
            return hafta.EXIT

    assert Waiter.sequence.is_async
    runtime = FakeRuntime()
    assert Waiter().call(runtime=runtime)
    assert runtime.run_async(Waiter().call_async(runtime=runtime))
    assert runtime.slept == [3, 1, 3] * 2


def test_its_diagram_has_the_nodes_that_self_names():
    assert (
        Reader.sequence.diagram()
        == """stateDiagram-v2
    state "open_pipe" as n1
    state "read" as n2
    [*] --> n1
    n1 --> n2: success
    n1 --> n1: rolled back
    n2 --> [*]: success
    n2 --> n2: rolled back
    n2 --> n1: to previous
"""
    )
    assert "n2 --> n3: success" in Polite.sequence.diagram()


def test_the_journal_names_the_place_of_the_method():
    runtime = FakeRuntime()
    Reader(bad=1).call(runtime=runtime)
    [event] = runtime.events
    assert (event.code[0], event.code[2]) == (__file__, "Reader.read")


class Mover(hafta.Steps):
    """Moves three items, each once."""

    def __init__(self, world):
        self.world = world

    @hafta.node
    def move(self, run):
        if not self.world["left"]:
            return hafta.EXIT
        self.world["moved"].add(self.world["left"][0])
        run.checkpoint(1)
        return self.forget

    @hafta.node(durable=True)
    def forget(self, run):
        self.world["left"] = sorted({1, 2, 3} - self.world["moved"])
        return self.move


def test_it_is_crashed_everywhere_as_any_sequence():
    def check(world, result):
        assert result
        assert (world["moved"], world["left"]) == ({1, 2, 3}, [])

    report = crash_everywhere(
        Mover.sequence, world=lambda: {"moved": set(), "left": [1, 2, 3]}, data=Mover, invariant=check
    )
    assert report.cuts > 10


def test_it_is_called_with_a_store_as_any_sequence():
    store = MemoryStore()
    assert Reader().call(runtime=FakeRuntime(), checkpoints=hafta.Checkpoints(store))
    assert [snapshot.sequence for snapshot in store.snapshots()] == ["reader"]


def test_a_dataclass_with_slots_keeps_name_and_nodes():
    @dataclass(slots=True)
    class Slotted(hafta.Steps, name="with slots", version="3"):
        at: int = 1

        @hafta.node
        def work(self, run):
            return hafta.EXIT if self.at else self.work

    assert (Slotted.sequence.name, Slotted.sequence.version) == ("with slots", "3")
    assert Slotted().call(runtime=FakeRuntime())


def declared(normal, rollback=None, decide=None, **options):
    node = hafta.node(**options)(normal)
    if rollback is not None:
        node.rollback(rollback)
    if decide is not None:
        node.policy(decide)
    return node


def of_none():
    return hafta.EXIT


def of_self(self):
    return hafta.EXIT


def of_run(self, run):
    return hafta.EXIT


def of_two(self, run, event):
    return hafta.EXIT


REFUSED = [
    ((of_self,), {}, "the normal function of node of_self must look like of_self(self, run), not of_self(self) of "),
    ((of_two,), {}, "the normal function of node of_two must look like of_two(self, run), not of_two(self, "),
    ((of_none,), {}, "the normal function of node of_none must look like of_none(self, run), not of_none() of "),
    ((of_run, of_run), {}, "the rollback function of node of_run must look like of_run(self, run, checkpoint), not "),
    ((of_run, None, of_run), {}, "the policy of node of_run must look like of_run(self, run, event), not "),
    ((of_run,), {"policy": of_self}, "the policy of node of_run must look like of_self(run, event), not of_self(self)"),
    ((of_run,), {"policy": Attempts}, "the policy of node of_run is the class Attempts: give an instance of it"),
]


@pytest.mark.parametrize(("functions", "options", "message"), REFUSED)
def test_a_method_that_cannot_be_called_is_refused_where_it_is_declared(functions, options, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        declared(*functions, **options)


def test_a_node_has_one_method_of_each_kind():
    node = declared(of_run, of_two, of_two)
    with pytest.raises(ValueError, match=r"^node of_run has a rollback function already$"):
        node.rollback(of_two)
    with pytest.raises(ValueError, match=r"^node of_run has a policy already$"):
        node.policy(of_two)
    with pytest.raises(ValueError, match=r"^node of_run has a policy already$"):
        declared(of_run, decide=of_two, policy=Attempts(3))


def reopen_of_one(self, run):
    return None


WORK = hafta.node(of_run)


@pytest.mark.parametrize(
    ("bases", "methods", "message"),
    [
        ((Reader,), {"read": of_run}, "read of class Odd hides a node: decorate it with @hafta.node too"),
        (
            (Reader,), {"reopen": reopen_of_one},
            "the rollback function of node open_pipe must look like reopen_of_one(self, run, checkpoint), not",
        ),
        ((hafta.Steps,), {"work": WORK, "again": WORK}, "work and again of class Odd are one node"),
    ],
)  # fmt: skip
def test_a_class_that_would_not_do_what_it_says_is_refused(bases, methods, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        type("Odd", bases, methods)


def test_a_timeout_that_is_none_is_refused_with_the_class():
    with pytest.raises(ValueError, match=r"^the timeout of node work is more than 0 seconds, not 0$"):

        class Hasty(hafta.Steps):
            work = hafta.node(timeout=0)(of_run)


def test_a_class_without_nodes_may_be_a_base_but_cannot_be_called():
    class Base(hafta.Steps):
        pass

    with pytest.raises(hafta.IllegalMove, match=r"^sequence base has no node$"):
        Base().call()
