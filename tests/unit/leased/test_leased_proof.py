"""A holder that is proven dead, on this host: its successor does not wait for its lease, and the fence stands."""

import os
import signal
import subprocess

import pytest
from leased_support import program, token_of
from processes import Child, JournalChild, below, is_alive, wait_until

from hafta.boot import boot_id
from hafta.stores.leased import names, proof
from hafta.testing.stores import refused

LONG = 3000  # seconds: no test waits for such a lease
WORKING = program(
    "run.checkpoint(7)\nprint(f'works with {run.token}, attempt {run.attempt}, pid {os.getpid()}', flush=True)\n"
    "while True: run.sleep(0.05)",
)


def service(place, *options, kind=Child, host="a"):
    return kind(WORKING, "--ttl", str(LONG), *options, HAFTA_STORE=place.url(), HOST=host)


def working(child):
    """Return token, attempt and process of the next worker."""
    words = child.wait_line("works with").replace(",", "").split()
    return int(words[2]), int(words[4]), int(words[6])


def test_the_next_start_on_the_same_host_does_not_wait_for_the_lease_of_a_killed_one(place):
    with service(place) as first:
        token = token_of(first)
        first.stop(signal.SIGKILL)
        with service(place) as second:
            assert working(second)[:2] > (token, 1)
            store = place.store()
            assert store.peek("feed").holder.pid == second.process.pid


def test_nor_does_a_standby_there_and_it_says_from_whom_it_took_over(place):
    with service(place) as first:
        token = token_of(first)
        with service(place, kind=JournalChild) as second:
            second.wait_told("STATUS=standby")
            first.stop(signal.SIGKILL)
            taken = second.wait_entry("taken-over")
            assert int(taken["HAFTA_FORMER_TOKEN"]) == token < int(taken["HAFTA_TOKEN"])


def test_nor_does_the_next_worker_of_a_warm_parent(place):
    with service(place, "--warm") as child:
        token, _, pid = working(child)
        os.kill(pid, signal.SIGKILL)
        new, attempt, other = working(child)
        assert (new > token, attempt, other != pid) == (True, 1, True)
        assert other in below(child.process.pid)


def test_another_host_waits(place):
    with service(place) as first:
        token_of(first)
        with service(place, host="b") as second:
            second.wait_told("STATUS=standby")
            first.stop(signal.SIGKILL)
            wait_until(lambda: "b" in place.store().peek("feed").waiting, "it still waits")
            assert place.store().peek("feed").holder.pid == first.process.pid


def test_a_late_write_of_the_dead_is_refused(place):
    """Its connection may still deliver something: the token decides."""
    store = place.store(ttl=LONG)
    stale = store.claim("s")
    stale.enter(b"f")
    stale.write(b"first")
    store._backend.release(stale._record.key, stale.token)
    with store.claim("s") as new:
        assert new.token > stale.token
        assert new.last.body == b"first"
        assert not new.former.gave_up
        refused("lost", lambda: stale.write(b"late"))
        store._backend.release(stale._record.key, stale.token)  # comes too late, too: it ends nobody else's lease
        new.enter(b"f")
        new.write(b"second")
    assert store.peek("s").saved.body == b"second"


@pytest.fixture
def ended():
    """The note of a process that has ended."""
    child = subprocess.Popen(["sleep", "600"])
    start = proof._start(child.pid)
    note = names.holder(names.who(), 1)
    child.kill()
    yield child, note.replace(pid=child.pid, mark=":".join([*note.mark.split(":")[:4], start]))
    child.wait()


def test_what_is_dead_and_what_is_not_known_to_be(ended):
    child, note = ended
    wait_until(lambda: not is_alive(child.pid), "it is a zombie")
    assert not proof.is_dead(note), "a zombie's threads may live"
    child.wait()
    assert proof.is_dead(note)
    boot, machine, began, namespace, start = note.mark.split(":")
    assert boot == boot_id()
    living = note.replace(pid=os.getpid())
    assert proof.is_dead(living), "another process has its id now"
    assert not proof.is_dead(names.holder(names.who(), 1)), "this process itself"
    for unknown in (
        note.replace(host="elsewhere"),
        note.replace(mark=f"x:{machine}:{began}:{namespace}:{start}"),
        note.replace(mark=f"{boot}:{machine}:{began}:1.1:{start}"),
        note.replace(mark=f"::{began}:{namespace}:{start}"),
        note.replace(mark=f"{boot}:{machine}:{began}:{namespace}"),
        note.replace(mark=""),
        note.replace(pid=0),
        note.replace(pid=-(2**22)),  # no group of processes has this id
        note.replace(mark=":::::::"),
        None,
    ):
        assert not proof.is_dead(unknown)


def test_a_sandbox_that_hides_the_boot_leaves_the_machine(ended, monkeypatch):
    child, note = ended
    child.wait()
    began, namespace, start = note.mark.split(":")[2:]
    monkeypatch.setattr(proof, "boot_id", lambda: "")
    monkeypatch.setattr(proof, "_machine", lambda: "m1")
    assert proof.is_dead(note.replace(mark=f":m1:{began}:{namespace}:{start}"))
    for unknown in (
        f":m2:{began}:{namespace}:{start}",
        f":m1:{int(began) + 60}:{namespace}:{start}",  # a copy of this machine, or another boot
        f":m1::{namespace}:{start}",
    ):
        assert not proof.is_dead(note.replace(mark=unknown))
    monkeypatch.setattr(proof, "_machine", lambda: "")
    assert not proof.is_dead(note.replace(mark=f"::{began}:{namespace}:{start}"))


def test_the_processes_of_another_namespace_prove_nothing(ended, monkeypatch):
    """Where /proc is that of another namespace, the id that is looked up there is that of another process."""
    _, note = ended
    living = note.replace(pid=os.getpid())
    assert proof.is_dead(living)
    readlink = os.readlink
    monkeypatch.setattr(os, "readlink", lambda path: "1" if path == "/proc/self" else readlink(path))
    assert not proof.is_dead(living)
    assert proof.mark().endswith(":"), "nor is it known when this process began"
