"""How the process before ended: in the reason, and in the record as long as the process that was told runs."""

import os
from contextlib import nullcontext

import pytest
from durable_support import Died

import hafta
from hafta import death
from hafta.death import HOST, Death
from hafta.durable import callrecord, resume
from hafta.durable.codec import position
from hafta.errors import StoreError
from hafta.stores import MemoryStore

SEGV = Death(os.getpid(), signal=11, sequence="s", node="work", detail="x" * 100)


@pytest.fixture(autouse=True)
def _known():
    """Nobody has seen how a process ended, but for what a test says."""
    yield
    death.remember(None)


def life(store, *, end=None, inner=False, fits=b""):
    """Run one process, which notes why it was interrupted and ends with `end` in its node; return what it noted."""
    sequence, called, noted = hafta.Sequence("s"), hafta.Sequence("inner"), []

    def work(run):
        if inner and run.sequence.name == "s":
            run.call(called)
            return hafta.EXIT
        run.checkpoint(1, fits=fits)
        noted.append(getattr(run.reason, "cause", None))
        if end is not None:
            raise end
        return hafta.EXIT

    called.node(work)
    sequence.node(work)
    with pytest.raises(type(end)) if end is not None else nullcontext():
        sequence.call(checkpoints=hafta.Checkpoints(store))
    return noted


def cause(store):
    """Return what is on record."""
    saved = store.peek("s").saved
    return position(saved.frame, saved.body).cause if saved else None


@pytest.mark.parametrize(("seen", "words"), [(None, ""), (Death(7, signal=9), ": it was killed by SIGKILL")])
def test_the_reason_tells_how_the_process_ended_where_somebody_has_seen_it(seen, words):
    reason = resume.Interrupted(7, 2.0, stopped=False, cause=seen)
    assert str(reason) == f"process 7 died in it, at least 2.0 s ago{words}"


@pytest.mark.parametrize("inner", [False, True])
def test_the_record_says_it_for_as_long_as_the_process_that_was_told_runs(inner):
    store = MemoryStore()
    life(store, end=Died(), inner=inner)
    assert cause(store) is None
    death.remember(SEGV)
    assert life(store, end=Died(), inner=inner) == [SEGV]
    assert cause(store) == SEGV
    death.remember(None)
    assert life(store, end=Died(), inner=inner) == [None]
    assert cause(store) is None


def test_a_stop_has_no_cause():
    store = MemoryStore()
    life(store, end=KeyboardInterrupt())
    death.remember(SEGV)
    assert life(store, end=Died()) == [None]
    assert cause(store) is None


@pytest.mark.parametrize(("left", "stays"), [(0, False), (300, True)])
def test_the_cause_gives_way_to_what_the_program_records(left, stays):
    """What fits before a crash fits after it."""
    store = MemoryStore(capacity=1000)
    room = 1000
    while True:  # the most that a process without a cause can record
        try:
            life(MemoryStore(capacity=1000), fits=bytes(room))
            break
        except StoreError:
            room -= 1
    fits = bytes(room - left)
    life(store, end=Died(), fits=fits)
    death.remember(SEGV)
    assert life(store, end=Died(), fits=fits) == [SEGV]
    assert cause(store) == (SEGV if stays else None)
    saved = store.peek("s").saved
    assert position(saved.frame, saved.body).sequences[-1].state == {"fits": fits}


@pytest.mark.parametrize(
    ("then", "now", "clock", "lost"),
    [("a", "b", 0.0, True), ("a", "a", 0.0, False), ("", "", 0.0, False), ("", "b", 1e9, True), ("a", "", -1e9, False)],
)
def test_a_machine_that_has_restarted_is_the_cause(then, now, clock, lost, monkeypatch):
    """By the boot's id; where the sandbox hides it, by a clock that runs since the boot and was ahead of ours."""
    store, real = MemoryStore(), callrecord.time.clock_gettime
    monkeypatch.setattr(callrecord, "boot_id", lambda: then)
    monkeypatch.setattr(callrecord.time, "clock_gettime", lambda which: real(which) + clock)
    life(store, end=Died())
    monkeypatch.setattr(callrecord.time, "clock_gettime", real)
    monkeypatch.setattr(resume, "boot_id", lambda: now)
    death.remember(SEGV)
    restarted = Death(os.getpid(), why=HOST, detail="its machine has restarted since")
    assert life(store, end=Died()) == [restarted if lost else SEGV]
