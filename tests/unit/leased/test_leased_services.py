"""Services on several hosts: one works, the other is ready as standby and takes over."""

import contextlib
import json
import os
import signal
import time

import pytest
from leased_support import token_of
from processes import Child, JournalChild, sequence

from hafta import exits
from hafta.cli.group import run_group
from hafta.errors import UsageError
from hafta.stores.leased.url import store_of

RECORDED = ", {}, checkpoints=hafta.service.state_checkpoints(keep=lambda data: data)"
#: Says with which token it works, sets a checkpoint and hangs, as long as the store lets it.
WORKING = sequence(
    """
run.say(f"works with {run.token}, attempt {run.attempt}")
run.checkpoint(7, path="x")
try:
    while True:
        run.sleep(0.05)
        run.checkpoint(7, at=time.time())
finally:
    run.say(f"left at {time.monotonic()}")
""",
    RECORDED,
    undo="run.say(f'undo {checkpoint} {run.state[\"path\"]} {type(run.reason).__name__} at {time.monotonic()}')",
)


@contextlib.contextmanager
def two(first, second=None, kind=Child, **how):
    """The first service works, with this token, and the second is standby."""
    with service(first, **how) as one:
        token = token_of(one)
        with service(second or first, kind=kind, **how) as other:
            other.wait_told("STATUS=standby")
            yield one, other, token


def service(place, *options, kind=Child, ttl=2, **environ):
    return kind(WORKING, "--ttl", str(ttl), *options, HAFTA_STORE=place, **environ)


def test_a_standby_is_ready_says_who_works_and_takes_over_when_that_one_is_killed(place):
    with two(place.url(), kind=JournalChild) as (first, second, token):
        told = second.wait_told("STATUS=standby")
        assert "READY=1" in second.told
        assert f"feed is held by pid {first.process.pid} on {os.uname().nodename}, since" in told
        assert "standing-by" in second.wait_entry("standing-by")["HAFTA_EVENT"]
        killed = time.monotonic()
        first.stop(signal.SIGKILL)
        entry = second.wait_entry("taken-over")
        assert time.monotonic() - killed < 2 + 20, "soon after the TTL: make bench has the figure"
        assert int(entry["HAFTA_TOKEN"]) > token
        assert f"pid {first.process.pid}" in entry["HAFTA_HOLDER"]
        resumed = second.wait_entry("resumed")
        assert (resumed["HAFTA_NODE"], resumed["HAFTA_CHECKPOINT"]) == ("work", "7")
        assert second.wait_entry("rolled-back")["HAFTA_CHECKPOINT"] == "7"


def test_a_clean_stop_hands_over_at_once(place):
    with two(place.url(), ttl=60) as (first, second, token):
        stopped = time.monotonic()
        assert first.stop()[0] == exits.OK
        assert token_of(second) > token
        assert time.monotonic() - stopped < 30, "half of the TTL"


def test_a_holder_that_is_cut_off_ends_with_its_own_status_before_the_other_one_works(place):
    cut = place.url().replace(str(place.server.port), str(place.relay.port))
    with two(cut, place.url(), ttl=8) as (first, second, token):
        place.relay.cut = True
        status, out, err = first.finish()
        assert status == exits.LOST
        assert "record feed: lost: " in err
        assert "this process must end, because another one may do its work" in err
        undone, _, at = second.wait_line("undo").partition(" at ")
        assert undone == "undo 7 x Interrupted"
        assert float(out.rpartition("left at ")[2]) < float(at), "the other one works when this one does not any more"
        assert token_of(second) > token


def test_the_watchdog_is_not_fed_when_its_kill_would_come_after_the_lease(place):
    """A node that hangs outside of our waits: the last ping leaves it no longer than the lease."""
    cut = place.url().replace(str(place.server.port), str(place.relay.port))
    quiet = sequence("run.say('works')\nwhile True: run.sleep(0.02)", RECORDED)
    with Child(quiet, "--ttl", "6", HAFTA_STORE=cut, WATCHDOG_USEC="2000000") as child:
        child.wait_line("works")
        child.wait_told("WATCHDOG=1", 2)
        place.relay.cut = True
        began = last = time.monotonic()
        while time.monotonic() - began < 6:
            if any("WATCHDOG=1" in line for line in child.drain()):
                last = time.monotonic()
            child.told.clear()
            time.sleep(0.02)
        assert last - began + 2.0 < 6.0, "the kill comes before the lease has ended"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--ttl", "3"], "a lease of 3 s is too short for a watchdog of 2 s"),
        (["--ttl", "0"], "--ttl"),
        (["--store", "redis://a"], "'redis' is not a kind of store that hosts share"),
        (["--store", "etcd://a/b"], "the path '/b' means nothing"),
        (["--store", "etcd://a:1?color=red"], "it has no option 'color'"),
        (["--store", "etcd://"], "an endpoint is http://HOST:PORT"),
        (["--store", "etcd://a:1?password-file=/nowhere"], "password-file /nowhere: No such file"),
        (["--store", "postgresql://a/b?color=red"], "cannot be understood"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(options, says):
    place = {} if "--store" in options else {"HAFTA_STORE": "etcd://127.0.0.1:1"}
    with Child(WORKING, *options, WATCHDOG_USEC="2000000", **place) as child:
        _, _, err = child.finish()
        assert child.process.returncode == exits.USAGE
        assert says in err
        assert len(err.splitlines()) == 2


@pytest.mark.parametrize(("url", "library"), [("etcd://a:1", "urllib3"), ("postgresql://a/b", "psycopg")])
def test_a_missing_library_is_named_with_its_package(monkeypatch, url, library):
    import sys

    for name in [name for name in sys.modules if name.startswith((library, "hafta.stores.leased.etcd"))]:
        monkeypatch.delitem(sys.modules, name)
    for module in ("etcd", "gateway", "postgres", "connection"):
        monkeypatch.delitem(sys.modules, f"hafta.stores.leased.{module}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError) as refused:
        store_of(url, 5.0)
    assert library in refused.value.message
    assert refused.value.hint == f"install it: apt install python3-{library}"


def test_the_records_of_all_hosts_are_listed_shown_and_discarded(place, capsys):
    def hafta(*words):
        status = run_group(["checkpoints", *words, "--store", place.url()])
        return status, capsys.readouterr().out

    with service(place.url()) as child:
        token = token_of(child)
        assert f" {os.uname().nodename}:pid[{child.process.pid}]" in hafta()[1]
        shown = json.loads(hafta("show", "--json", "feed")[1])
        assert (shown["holder"]["host"], shown["holder"]["token"]) == (os.uname().nodename, token)
        assert (shown["status"], shown["sequences"][0]["node"]) == ("running", "work")
        assert hafta("discard", "--yes", "feed")[0] == exits.IN_USE
        child.stop()
    assert " stopped" in hafta("show", "feed")[1]
    assert hafta("discard", "--yes", "feed")[0] == exits.OK
    assert hafta() == (exits.OK, "")
