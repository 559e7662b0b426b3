"""What is on the disk before anybody goes on: docs/durable.md, sections 1 and 6; and what no store costs."""

import os
import subprocess
import sys
import time

import pytest
from durable_support import Lives, Program, at

import hafta
from hafta.stores import FileStore, MemoryStore
from hafta.stores.codec import position
from hafta.testing import FakeRuntime, crash_everywhere


class Watched:
    """A store that writes down each record: what it says, and whether it was synced."""

    def __init__(self, store):
        self.store, self.writes, self.durable = store, [], None

    def claim(self, sequence, instance="", *, durable=False):
        self.durable = durable
        return WatchedClaim(self.store.claim(sequence, instance, durable=durable), self.writes)


class WatchedClaim:
    def __init__(self, claim, writes):
        self.claim, self.writes, self.frame = claim, writes, b""
        self.last, self.capacity, self.incidents = claim.last, claim.capacity, claim.incidents

    def enter(self, frame):
        self.frame = frame
        self.claim.enter(frame)

    def write(self, body, sync=False):
        self.claim.write(body, sync)
        level = position(self.frame, body).levels[-1]
        self.writes.append((level.node, level.phase.split(" ")[0], level.checkpoint, sync))

    def clear(self, sync=False):
        self.claim.clear(sync)
        self.writes.append(("", "", 0, sync))

    def close(self):
        self.claim.close()


def recorded(lives, program, **durable):
    watched = Watched(lives.store)
    lives.run(program.sequence, store=watched, **durable)
    return watched


def test_a_transition_is_two_records_and_a_checkpoint_is_one(lives):
    program = Program(lives, "first", "second").say("first", lambda run: (run.checkpoint(1), run.checkpoint(2))[0])
    watched = recorded(lives, program)
    assert [write[:3] for write in watched.writes] == [
        ("first", "normal", 0), ("first", "normal", 1), ("first", "normal", 2),
        ("second", "between", 0), ("second", "normal", 0),
        ("", "", 0),
    ]  # fmt: skip
    assert watched.durable is False
    assert not any(sync for *_, sync in watched.writes)


def test_at_the_level_power_everything_is_synced_but_the_way_between_nodes(lives):
    program = Program(lives, "first", "second").say("first", at(1)).say("second", at(2, "fail"))
    watched = recorded(lives, program, level="power")
    assert watched.durable is True
    assert watched.writes == [
        ("first", "normal", 0, True), ("first", "normal", 1, True),
        ("second", "between", 0, False), ("second", "normal", 0, True), ("second", "normal", 2, True),
        ("second", "rollback", 2, True), ("second", "between", 0, False), ("second", "normal", 0, True),
        ("", "", 0, True),
    ]  # fmt: skip


def test_at_the_level_power_unwinding_is_synced_but_the_way_to_the_previous_node(lives):
    program = Program(lives, "first", "work").say("first", at(3)).say("work", *["fail"] * 5)
    writes = recorded(lives, program, level="power").writes
    at_unwind = writes.index(("work", "unwind", 0, True))
    assert writes[at_unwind : at_unwind + 3] == [
        ("work", "unwind", 0, True), ("first", "back", 3, False), ("first", "rollback", 3, True),
    ]  # fmt: skip


def test_a_single_checkpoint_is_synced_at_the_level_process(lives):
    program = Program(lives, "work").say("work", lambda run: (run.checkpoint(1), run.checkpoint(2, sync=True))[0])
    assert [(checkpoint, sync) for _, _, checkpoint, sync in recorded(lives, program).writes] == [
        (0, False), (1, False), (2, True), (0, False),
    ]  # fmt: skip


def test_at_the_level_power_a_stop_and_taking_up_are_synced(lives):
    program = Program(lives, "open", "work").say("work", "die", at(2, "stop"))
    lives.die(program.sequence)
    watched = Watched(lives.store)
    with pytest.raises(KeyboardInterrupt):
        lives.run(program.sequence, store=watched, level="power")
    assert watched.writes[0] == ("work", "taking-up", 0, True)
    assert watched.writes[-1] == ("work", "stopped", 2, True)


def test_at_the_level_power_the_end_of_an_inner_sequence_is_synced(lives):
    inner, outer = Program(lives, "put", name="inner"), Program(lives, "load", name="outer")
    outer.say("load", lambda run: run.call(inner.sequence) and None)
    assert recorded(lives, outer, level="power").writes == [
        ("load", "normal", 0, True), ("put", "normal", 0, True), ("load", "normal", 0, True), ("", "", 0, True),
    ]  # fmt: skip


def test_a_power_checkpoint_is_on_the_disk_when_it_returns(tmp_path, monkeypatch):
    """fdatasync is called once for each synced record, and not at all at the level process."""
    lives = Lives(FileStore(str(tmp_path)), asynchronous=False)
    program = Program(lives, "work")
    lives.run(program.sequence)  # the file is there
    for level, syncs in (("process", 0), ("power", 4)):  # the claim syncs once what it has read
        calls = []
        monkeypatch.setattr(os, "fdatasync", calls.append)
        program.say("work", at(1))
        lives.run(program.sequence, level=level)
        assert len(calls) == syncs


def test_whatever_a_power_cut_loses_each_node_is_rolled_back_before_it_begins_again():
    """At the level power the worst of all disks loses only the way between nodes."""

    def build(world):
        sequence = hafta.Sequence("steps")

        def add(number):
            node = sequence.node(name=f"node{number}", durable=True)(lambda run: begin(run, number))
            node.rollback(lambda run, checkpoint: undo(run, number, checkpoint))

        def begin(run, number):
            if len(world) == 4:
                return hafta.EXIT  # the end was on record: this is another call
            assert number not in world, "begun again without a rollback"
            run.checkpoint(1)
            world[number] = "half"
            run.checkpoint(2, number=number)
            world[number] = "done"
            return f"node{number + 1}" if number < 3 else hafta.EXIT

        def undo(run, number, checkpoint):
            if len(world) < 4 or checkpoint:  # else it is another call
                assert checkpoint == 2 or number not in world or world[number] == "half"
                world.pop(number, None)

        for number in range(4):
            add(number)
        return sequence

    def whole(world, result):
        assert result
        assert world == dict.fromkeys(range(4), "done")

    report = crash_everywhere(build, world=dict, invariant=whole, power_cut=True, level="power", crashes=2)
    assert report.cuts > 300


def told_by(program: str) -> str:
    """Return what a child prints that nothing measures: coverage would load modules of its own into it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    return done.stdout


def test_no_store_no_record_and_nothing_of_it_is_loaded():
    program = """
import sys, hafta
sequence = hafta.Sequence("plain")
@sequence.node
def work(run):
    run.checkpoint(1, path="/a")
    return run.fail("once") if run.attempt == 0 else hafta.EXIT
from hafta.runtime import Runtime
assert sequence.call(runtime=Runtime(quiet=True))
print([name for name in sys.modules if name.startswith("hafta.stores") or name in {
    "hafta.drivers.book", "hafta.drivers.ledger", "hafta.drivers.resume", "hafta.engine.place", "asyncio", "json"}])
"""
    assert told_by(program) == "[]\n"


def test_a_durable_call_loads_nothing_that_start_up_forbids(tmp_path):
    program = f"""
import sys, hafta
from hafta.stores import FileStore
sequence = hafta.Sequence("durable")
@sequence.node
def work(run):
    run.checkpoint(1, path="/a")
    return run.fail("once") if run.attempt == 0 else hafta.EXIT
from hafta.runtime import Runtime
assert sequence.call(runtime=Runtime(quiet=True), store=FileStore({str(tmp_path)!r}))
forbidden = {{"asyncio", "click", "dataclasses", "json", "logging", "pathlib", "re", "subprocess", "typing"}}
print(sorted(forbidden & set(sys.modules)))
"""
    assert told_by(program) == "[]\n"


def test_an_idle_durable_call_has_no_thread(tmp_path):
    seen = []
    sequence = hafta.Sequence("idle")

    @sequence.node
    def work(run):
        run.checkpoint(1)
        seen.append(len(os.listdir("/proc/self/task")))
        return hafta.EXIT

    before = len(os.listdir("/proc/self/task"))
    assert sequence.call(runtime=FakeRuntime(), store=FileStore(str(tmp_path)), level="power")
    assert seen == [before]


def test_an_idle_durable_call_is_never_woken(tmp_path):
    """Neither by the store nor by a reporter that owes nothing, at the level that syncs."""
    program = f"""
import os, hafta
from hafta.stores import FileStore
sequence = hafta.Sequence("idle")
@sequence.node
def work(run):
    run.checkpoint(1)
    os.write(1, b".")
    run.wait(0)
    return hafta.EXIT
assert sequence.call(store=FileStore({str(tmp_path)!r}), level="power")
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.read(1) == b"."
        before, now = None, rest(child.pid)
        while now != before or now[0] != "S":
            time.sleep(0.1)
            before, now = now, rest(child.pid)
        time.sleep(2)  # the measurement itself
        assert rest(child.pid) == now
        child.stdin.close()
    assert child.returncode == 0


def rest(pid):
    """Return the state of a process, and how often it has gone to sleep so far."""
    with open(f"/proc/{pid}/status") as status:
        said = dict(line.split(":", 1) for line in status)
    return said["State"].split()[0], int(said["voluntary_ctxt_switches"])


def test_instances_are_apart(lives):
    program = Program(lives, "work").say("work", at(1, "die"), at(2, "die"))
    lives.die(program.sequence, instance="a")
    lives.die(program.sequence, instance="b")
    lives.said.clear()
    assert lives.run(program.sequence, instance="b")
    assert lives.said[0] == ("undo work", 2, {})
    assert lives.run(program.sequence, instance="c")
    assert lives.said[2:] == [("work", 0)]


def test_a_memory_store_resumes_within_the_process():
    lives = Lives(MemoryStore(), asynchronous=False)
    program = Program(lives, "work").say("work", at(1, "die"))
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert lives.said[1] == ("undo work", 1, {})
