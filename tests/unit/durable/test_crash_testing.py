"""hafta.testing.crash_everywhere: it reaches every cut point, really kills, and finds what is broken."""

import asyncio
import os
import re

import pytest
from durable_support import power

import hafta
from hafta.stores import FileStore, MemoryStore
from hafta.testing import Violated, crash_everywhere

ITEMS = ("a", "b")


def make_world(tmp_path):
    """A function that makes folders with items, each time new ones."""

    def make():
        folder = tmp_path / f"world{len(list(tmp_path.iterdir()))}"
        for name in ("in", "work", "out"):
            (folder / name).mkdir(parents=True)
        for item in ITEMS:
            (folder / "in" / item).write_text(item)
        return folder

    return make


def ingest(folder, *, careless=False, asynchronous=False):
    """Move each item from "in" to "work" to "out"; `careless`: without an undo."""
    sequence = hafta.Sequence("ingest")

    @sequence.node
    def look(run):
        run.data["items"] = sorted(os.listdir(folder / "in"))
        return take if run.data["items"] else hafta.EXIT

    @sequence.node(durable=True)
    def take(run):
        item = run.data["items"][0]
        run.checkpoint(1, item=item)
        os.rename(folder / "in" / item, folder / "work" / item)
        run.progress()
        run.checkpoint(2, item=item)
        return deliver

    @take.rollback
    def put_back(run, _checkpoint):
        item = run.state.get("item")
        if not careless and item and (folder / "work" / item).exists():
            os.rename(folder / "work" / item, folder / "in" / item)
        return look

    @sequence.node(durable=True)
    def deliver(run):
        for item in os.listdir(folder / "work"):
            run.sleep(1)
            os.rename(folder / "work" / item, folder / "out" / item)
        return look

    @deliver.rollback
    def again(_run, _checkpoint):
        return deliver

    if asynchronous:

        async def look_async(run, normal=look.normal_function):
            return normal(run)

        look.normal_function = look_async
    return sequence


def all_out(folder, result):
    assert result, str(result)
    assert sorted(os.listdir(folder / "out")) == list(ITEMS)


def each_once(folder):
    there = [item for name in ("in", "work", "out") for item in os.listdir(folder / name)]
    assert sorted(there) == list(ITEMS)


def one_node(name, function, *, rollback=None, durable=False):
    """A function that builds a sequence of one node; it and its rollback function are given the world, too."""

    def build(world):
        sequence = hafta.Sequence(name)
        node = sequence.node(name="work", durable=durable)(lambda run: function(run, world))
        if rollback is not None:
            node.rollback(lambda run, checkpoint: rollback(world, checkpoint))
        return sequence

    return build


@pytest.mark.parametrize("options", [{}, {"kill": True}, {"power_cut": True, "checkpoints": power}, {"times": 3}])
def test_a_sequence_that_undoes_what_it_did_holds_at_every_cut(tmp_path, options):
    report = crash_everywhere(
        ingest, world=make_world(tmp_path), data=lambda _folder: {}, invariant=all_out, always=each_once, **options
    )
    assert report.cuts == len(report.points)
    assert report.crashes >= report.cuts
    nothing_to_resume = 2 * options.get("times", 1)  # cut before the first record, and when the last one was made
    assert report.resumes == report.crashes - nothing_to_resume
    assert report.succeeded == report.cuts
    assert report.stops == (0 if options.keys() & {"kill", "power_cut"} else report.cuts)
    counts = f"{report.cuts} cuts, {report.crashes} crashes, {report.resumes} resumes, {report.stops} stops"
    assert str(report) == f"{counts}, 0 violations"


def test_before_and_after_each_record_and_wherever_the_program_waits_is_a_cut_point(tmp_path):
    report = crash_everywhere(ingest, world=make_world(tmp_path), data=lambda _folder: {}, invariant=all_out)
    records = [point.split(": ", 1) for point in report.points if "recorded" in point]
    assert [before[0] for before in records[::2]] == ["before it is recorded"] * (len(records) // 2)
    assert [after[0] for after in records[1::2]] == ["when it has been recorded"] * (len(records) // 2)
    assert [before[1] for before in records[::2]] == [after[1] for after in records[1::2]]
    assert records[0][1] == "ingest normal node look attempt 0, checkpoint 0"
    assert records[-1][1] == "the call has ended"
    assert report.points.count("before a sleep of 1 s") == len(ITEMS)
    assert report.points.count("at its progress") == 2 * len(ITEMS)  # its own, and that of its sleep


def test_a_broken_invariant_is_told_with_the_cut_that_broke_it(tmp_path):
    with pytest.raises(Violated) as caught:
        crash_everywhere(
            lambda folder: ingest(folder, careless=True),
            world=make_world(tmp_path), data=lambda _folder: {}, invariant=all_out,
        )  # fmt: skip
    told = r"after a process was ended at cut \d+, at its progress: AssertionError: assert \['a'\] == \['a', 'b'\]"
    assert re.match(told, str(caught.value))
    assert isinstance(caught.value.__cause__, AssertionError)


@pytest.mark.parametrize("kill", [False, True])
def test_what_is_always_to_hold_is_looked_at_after_each_step_and_each_crash(tmp_path, kill):
    def no_work(folder):
        assert not os.listdir(folder / "work")

    with pytest.raises(Violated, match=r"in a process that was not ended|after a process was ended at cut"):
        crash_everywhere(ingest, world=make_world(tmp_path), data=lambda _folder: {}, always=no_work, kill=kill)


def test_all_pairs_of_cuts(tmp_path):
    one = crash_everywhere(_short, world=dict, invariant=_short_ends)
    two = crash_everywhere(_short, world=dict, invariant=_short_ends, crashes=2)
    assert two.cuts > one.cuts * one.cuts
    assert two.crashes == 2 * two.cuts - one.cuts


def _begin(run, world):
    run.checkpoint(1)
    world["begun"] = world.get("begun", 0) + 1
    return hafta.EXIT


_short = one_node("short", _begin, rollback=lambda world, _checkpoint: world.update(undone=1), durable=True)


def _short_ends(world, result):
    assert result
    assert world["begun"] >= 1


def test_a_crash_loop_climbs_to_the_previous_node():
    climbed = []

    def build(world):
        sequence = hafta.Sequence("loop")
        first = sequence.node(name="first", durable=True)(lambda run: "second")
        first.rollback(lambda run, _checkpoint: world.update(back=True))
        sequence.node(name="second")(lambda run: run.progress() or hafta.EXIT)
        return sequence

    report = crash_everywhere(
        build, world=dict, invariant=lambda world, _result: climbed.append("back" in world), times=5
    )
    assert report.crashes > 3 * report.cuts
    assert sum(climbed) >= 3  # the sleepless point in the second node, and the records about it


def test_a_sequence_that_does_not_end_well_counts_as_such():
    never = one_node("bad", lambda run, _world: run.fail("never"))
    report = crash_everywhere(never, invariant=lambda _world, result: None)
    assert report.succeeded == 0
    assert report.cuts > 10


@pytest.mark.parametrize("kill", [False, True])
def test_a_call_that_raises_is_a_violation(kill):
    with pytest.raises(Violated, match=r"in a process that was not ended: (IllegalMove|ChildFailed)") as caught:
        crash_everywhere(one_node("mistaken", lambda _run, _world: "nowhere"), kill=kill)
    assert "nowhere" in str(caught.value)


def test_the_asyncio_driver_and_asynchronous_sequences(tmp_path):
    def call_async(sequence, data, **options):
        return asyncio.run(sequence.call_async(data, **options))

    for build, options in (
        (ingest, {"call": call_async}),
        (lambda folder: ingest(folder, asynchronous=True), {}),
        (lambda folder: ingest(folder, asynchronous=True), {"kill": True}),
    ):
        report = crash_everywhere(
            build, world=make_world(tmp_path), data=lambda _folder: {}, invariant=all_out, always=each_once, **options
        )
        assert report.succeeded == report.cuts


def test_an_asynchronous_sleep_is_a_cut_point():
    sequence = hafta.Sequence("sleeps")

    @sequence.node
    async def work(run):
        await run.sleep(2)
        run.say("done")
        return hafta.EXIT

    points = crash_everywhere(sequence).points
    assert "before a sleep of 2 s" in points
    assert "before it says 'done'" in points


def test_a_process_may_die_in_a_task_of_a_group():
    def build(_world):
        sequence = hafta.Sequence("tasks")

        async def part(run, number):
            run.progress()
            run.checkpoint(number)
            await run.sleep(number)

        @sequence.node(durable=True)
        async def work(run):
            async with asyncio.TaskGroup() as group:
                for number in (1, 2):
                    group.create_task(part(run, number))
            return hafta.EXIT

        return sequence

    report = crash_everywhere(build)
    assert report.cuts == report.succeeded == len(report.points)


def call_in_a_loop_of_ones_own(sequence, data, **options):
    return asyncio.run(sequence.call_async(data, **options))


@pytest.mark.parametrize(
    ("asynchronous", "call"),
    [(False, hafta.Sequence.call), (True, hafta.Sequence.call), (True, call_in_a_loop_of_ones_own)],
)
def test_a_wait_for_a_descriptor_is_a_cut_point(asynchronous, call):
    reading, writing = os.pipe()
    os.write(writing, b"x")
    sequence = hafta.Sequence("waits")

    def plain(run):
        assert run.wait(reading, 1)
        return hafta.EXIT

    async def awaiting(run):
        assert await run.wait(reading, 1)
        return hafta.EXIT

    sequence.node(awaiting if asynchronous else plain)
    points = crash_everywhere(sequence, call=call).points
    os.close(reading)
    os.close(writing)
    assert points.count(f"before a wait for descriptor {reading}") == 1


def test_what_a_killed_process_does_afterwards_does_not_reach_the_store():
    written = []

    def work(run, world):
        try:
            run.checkpoint(1)
        finally:
            written.append(len(world))
        return hafta.EXIT

    report = crash_everywhere(one_node("stubborn", work, rollback=list.append), world=list)
    assert report.cuts == report.succeeded
    assert written


def test_a_store_of_ones_own_is_made_for_each_story(tmp_path):
    made = []

    def store(world):
        made.append(FileStore(str(tmp_path / f"store{len(made)}")))
        return made[-1]

    report = crash_everywhere(_short, world=dict, store=store, kill=True, checkpoints=power)
    assert len(made) == report.cuts + 2  # the story without a cut, and the one whose cut was beyond the end
    assert made[0].peek("short").saved is None


def test_a_cut_store_shows_what_is_below_it():
    seen = []

    def call(sequence, data, *, checkpoints, **options):
        store = checkpoints.store
        result = sequence.call(data, checkpoints=checkpoints, **options)
        seen.append((store.peek("short").held, [one.sequence for one in store.snapshots()], store.discard("short")))
        return result

    crash_everywhere(_short, world=dict, store=lambda _world: MemoryStore(), call=call)
    assert seen[0] == (False, ["short"], True)


def test_the_result_of_a_child_arrives():
    def work(_run, _world):
        raise OSError(28, "No space left on device")

    results = []
    crash_everywhere(one_node("bad", work), invariant=lambda _world, result: results.append(result), kill=True)
    assert str(results[0]) == "bad failed at node work, attempt 5: [Errno 28] No space left on device"
    assert (results[0].failures, results[0].ok) == (5, False)


def count(keep, seen):
    """A sequence that counts in the dict that `keep` gives it, and sees what it begins with."""
    sequence = hafta.Sequence("count")

    @sequence.node(durable=True)
    def first(run):
        kept = keep(run.data)
        kept["n"] = kept.get("n", 0) + 1
        run.checkpoint(1)
        return second

    second = sequence.node(name="second")(lambda run: seen.append(keep(run.data)["n"]) or hafta.EXIT)
    return sequence


def test_what_is_kept_is_of_each_process_and_comes_by_the_record_alone():
    seen, made = [], []
    report = crash_everywhere(
        lambda _world: count(lambda data: data, seen),
        data=lambda _world: made.append({}) or made[-1],
        checkpoints=lambda store, data: hafta.Checkpoints(store, keep=data),
    )
    assert report.cuts == report.succeeded
    assert len(made) > report.cuts
    assert max(seen) == 2  # as many as had begun and recorded it, never those of other stories


def test_what_breaks_on_a_stop_alone_is_found():
    """A clean-up that is run on the way out, where a killed process would not have come by."""

    def make(world):
        sequence = hafta.Sequence("order")

        @sequence.node(durable=True)
        def pay(run):
            try:
                run.checkpoint(1)
                world.append("paid")
                run.progress()
            except KeyboardInterrupt:
                world.append("paid again")
                raise
            return hafta.EXIT

        @pay.rollback
        def _(run, checkpoint):
            world.clear()

        return sequence

    def is_paid_once(world):
        assert "paid again" not in world

    with pytest.raises(Violated, match=r"after a process was asked to stop at cut .*: AssertionError"):
        crash_everywhere(make, world=list, always=is_paid_once)
    for options in ({"kill": True}, {"power_cut": True}):
        assert crash_everywhere(make, world=list, always=is_paid_once, **options).stops == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"power_cut": True}, "not together with kill=True"),
        (
            {"store": lambda _world: MemoryStore()},
            "a MemoryStore dies with its process: kill=True needs a store that does not",
        ),
    ],
)
def test_a_kill_together_with_a_power_cut_or_a_store_in_memory_tests_nothing_and_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        crash_everywhere(_short, world=dict, kill=True, **options)
