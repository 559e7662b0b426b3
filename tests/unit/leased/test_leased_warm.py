"""A warm service on several hosts: an outage of the store is no hang, and a move ends the parent, too."""

import time

import pytest
from leased_support import program
from processes import JournalChild, below, is_alive, wait_until

from hafta import exits
from hafta.cli.group import run_group

#: Says who works, and sets a checkpoint again and again.
WORKING = program(
    "print(f'works with {run.token}, attempt {run.attempt}, pid {os.getpid()}', flush=True)\n"
    "while True:\n    run.checkpoint(7)\n    run.sleep(0.05)",
)
#: Shows progress, and records nothing.
QUIET = program(
    "print(f'works with {run.token}, attempt {run.attempt}, pid {os.getpid()}', flush=True)\n"
    "while True:\n    run.sleep(0.05)"
)
CUT = 3.0  # seconds: longer than the deadline of a worker, shorter than the lease


def service(url, host, *options, ttl=12):
    """Run one whose worker hangs if it shows no progress for half a second."""
    words = ("--warm", "--deadline", "0.5", "--ttl", str(ttl))
    return JournalChild(WORKING, *words, *options, HAFTA_STORE=url, HOST=host)


def worker_of(child):
    return int(child.wait_line("works with").split()[-1])


def outage(place):
    place.relay.cut = True
    time.sleep(CUT)  # the outage itself, not a wait for anything
    place.relay.cut = False


@pytest.fixture
def relayed(place):
    return place.url().replace(str(place.server.port), str(place.relay.port))


def test_a_worker_that_waits_for_the_store_does_not_hang(place, relayed):
    with service(relayed, "a") as child:
        pid = worker_of(child)
        outage(place)
        before = place.store().peek("feed").saved.number
        wait_until(lambda: place.store().peek("feed").saved.number > before, "it records on")
        assert pid in below(child.process.pid)


def test_a_worker_that_records_nothing_ends_with_its_lease(place, relayed):
    """It shows progress, so neither its deadline nor a write would end it; another host may do its work now."""
    with JournalChild(QUIET, "--warm", "--ttl", "3", HAFTA_STORE=relayed, HOST="a") as child:
        pid = worker_of(child)
        place.relay.cut = True
        failed = child.wait_entry("service-failed")
        assert int(failed["HAFTA_STATUS"]) == exits.LOST
        assert "the lease of the record has ended" in failed["MESSAGE"]
        wait_until(lambda: not is_alive(pid), "it has ended")
        place.relay.cut = False


def test_a_moved_worker_ends_its_parent_and_nothing_is_counted(place):
    """Its overlord starts it again, as standby."""
    with service(place.url(), "a") as first:
        worker_of(first)
        with service(place.url(), "b") as second:
            second.wait_entry("standing-by")
            wait_until(lambda: "b" in place.store().peek("feed").waiting, "it is announced")
            assert run_group(["move", "feed", "--store", place.url(), "--to", "b"]) == exits.OK
            assert first.process.wait(60) == exits.OK
            assert second.wait_entry("handed-over")["HAFTA_HOST"] == "b"
            assert "attempt 0," in second.wait_line("works with")
