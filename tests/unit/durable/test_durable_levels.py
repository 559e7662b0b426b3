"""What is on the disk before anybody goes on: docs/durable-rules.md, sections 1 and 6; and what no store costs."""

import os
import subprocess
import sys
import time

import pytest
from durable_support import Lives, Program, at, power

import hafta
from hafta.durable.codec import position
from hafta.engine.machine import Phase
from hafta.stores import FileStore
from hafta.stores.wrapping import WrappingClaim, WrappingStore
from hafta.testing import FakeRuntime, crash_everywhere


class Watched(WrappingStore):
    """A store that writes down each record: what it says, and whether it was synced."""

    def __init__(self, store):
        super().__init__(store)
        self.writes, self.power = [], None

    def claim(self, sequence, instance="", *, power=False):
        self.power = power
        return WatchedClaim(super().claim(sequence, instance, power=power), self.writes)


class WatchedClaim(WrappingClaim):
    def __init__(self, claim, writes):
        super().__init__(claim)
        self.writes = writes

    def write(self, body, sync=False):
        self.claim.write(body, sync)
        self.writes.append(self._told(body) + "+" * sync)

    def _told(self, body):
        if not self.frame:
            return "end"
        one = position(self.frame, body).sequences[-1]
        word = (
            "stopped" if one.doing.stopped else "rerun" if one.doing.reruns is not None else WORDS[one.doing.function]
        )
        return f"{one.node} {word} {one.checkpoint}"


WORDS = {Phase.NORMAL: "normal", Phase.ROLLBACK: "rollback", Phase.UNWIND: "unwind"}

ROWS = {  # nodes, what they do, the level, and what is recorded: where, what goes on, the checkpoint; "+": synced
    "a transition is one record, and a checkpoint is one": (
        "first second", {"first": (at(1), at(2))}, "process",
        "first normal 0, first normal 1, first normal 2, second normal 0, end",
    ),
    "at the level power everything is synced": (
        "first second", {"first": at(1), "second": at(2, "fail")}, "power",
        ", ".join(f"first normal {n}+" for n in (0, 1))
        + "".join(f", second {what}+" for what in ("normal 0", "normal 2", "rollback 2", "normal 0")) + ", end+",
    ),
    "at the level power unwinding is synced": (
        "first work", {"first": at(3), "work": ["fail"] * 5}, "power",
        "first normal 0+, first normal 3+" + ", work normal 0+, work rollback 0+" * 4
        + ", work normal 0+, work unwind 0+, first rollback 3+, first normal 0+, work normal 0+, end+",
    ),
    "at the level power the way to the next function is recorded before a wait, but not synced": (
        "first? second", {"ask first": hafta.proceed("second").after(5)}, "power",
        "first normal 0+, second normal 0, second normal 0+, end+",
    ),
    "a single checkpoint is synced at the level process": (
        "work", {"work": (at(1), lambda run: run.checkpoint(2, sync=True))}, "process",
        "work normal 0, work normal 1, work normal 2+, end",
    ),
    "at the level power the end of an inner sequence is synced": (
        "load", {"load": "call"}, "power", "load normal 0+, put normal 0+, load normal 0+, end+",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("nodes", "does", "level", "records"), ROWS.values(), ids=ROWS)
def test_what_is_recorded_and_what_of_it_is_synced(lives, nodes, does, level, records):
    watched = Watched(lives.store)
    inner = Program(lives, "put", name="inner")
    lives.run(Program(lives, *nodes.split(), does=does, inner=inner).sequence, store=watched, level=level)
    assert ", ".join(watched.writes) == records
    assert watched.power is (level == "power")


def test_at_the_level_power_a_stop_and_rerunning_are_synced(lives):
    program = Program(lives, "open", "work", does={"work": ["die", at(2, "stop")]})
    lives.die(program.sequence)
    watched = Watched(lives.store)
    lives.ends(program.sequence, "stop", store=watched, level="power")
    assert (watched.writes[0], watched.writes[-1]) == ("work rerun 0+", "work stopped 2+")


def test_a_power_checkpoint_is_on_the_disk_when_it_returns(tmp_path, monkeypatch):
    """fdatasync is called once for each synced record, and not at all at the level process."""
    lives = Lives(FileStore(str(tmp_path)), asynchronous=False)
    program = Program(lives, "work")
    lives.run(program.sequence)  # the file is there
    for level, syncs in (("process", 0), ("power", 5)):  # the claim syncs what it has read; the first record is two
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

    report = crash_everywhere(build, world=dict, invariant=whole, power_cut=True, checkpoints=power, crashes=2)
    assert report.cuts > 300


def told_by(program: str) -> str:
    """Return what a child prints that nothing measures: coverage would load modules of its own into it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    return done.stdout


LOADS = """
import sys, hafta
from hafta.runtime import Runtime
sequence = hafta.Sequence("loads")
@sequence.node
def work(run):
    run.checkpoint(1, path="/a")
    return run.fail("once") if run.attempt == 0 else hafta.EXIT
assert sequence.call(runtime=Runtime(), checkpoints={checkpoints})
print([name for name in sys.modules if {unwanted} & {{name, name.rpartition(".")[0]}}])
"""


@pytest.mark.parametrize(
    ("checkpoints", "unwanted"),
    [
        ("None", {"hafta.stores", "hafta.durable", "asyncio", "json"}),
        (
            "hafta.Checkpoints(__import__('hafta.stores').stores.FileStore({!r}))",
            {"asyncio", "click", "dataclasses", "json", "logging", "pathlib", "re", "subprocess", "typing"},
        ),
    ],
    ids=["no store, no record", "a durable call"],
)
def test_nothing_is_loaded_that_is_not_needed_or_that_start_up_forbids(checkpoints, unwanted, tmp_path):
    told = told_by(LOADS.format(checkpoints=checkpoints.format(str(tmp_path)), unwanted=unwanted))
    assert told == "[]\n"


def test_an_idle_durable_call_has_no_thread(tmp_path):
    seen = []
    sequence = hafta.Sequence("idle")

    @sequence.node
    def work(run):
        run.checkpoint(1)
        seen.append(len(os.listdir("/proc/self/task")))
        return hafta.EXIT

    before = len(os.listdir("/proc/self/task"))
    assert sequence.call(runtime=FakeRuntime(), checkpoints=hafta.Checkpoints(FileStore(str(tmp_path)), level="power"))
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
assert sequence.call(checkpoints=hafta.Checkpoints(FileStore({str(tmp_path)!r}), level="power"))
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
    program = Program(lives, "work", does={"work": [at(1, "die"), at(2, "die")]})
    lives.die(program.sequence, instance="a")
    lives.die(program.sequence, instance="b")
    lives.said.clear()
    assert lives.run(program.sequence, instance="b")
    assert lives.said[0] == ("undo work", 2, {})
    assert lives.run(program.sequence, instance="c")
    assert lives.said[2:] == [("work", 0)]
