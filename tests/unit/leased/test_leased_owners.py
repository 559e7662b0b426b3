"""Who owns a record that hosts share: leases, tokens and fences, with real servers."""

import gc
import multiprocessing
import os
import signal
import threading
import time

import pytest
from leased_support import Place

from hafta.errors import StoreError
from hafta.stores.leased.gateway import b64
from hafta.stores.leased.names import key
from hafta.stores.leased.store import LeasedStore
from hafta.testing.stores import refused

TTL = 2.0


def hold(place, ready, ttl):
    """Hold a record in another process, with one write."""
    with place.store(ttl=ttl).claim("s") as claim:
        claim.enter(b"f")
        claim.write(b"theirs")
        ready.send(claim.token)
        if ready.recv() == "write":
            try:
                claim.write(b"late")
            except StoreError as error:
                ready.send((error.kind, claim.lost))
            else:
                ready.send(("written", claim.lost))
        ready.recv()


class Other:
    """A process that holds the record."""

    def __init__(self, place, ttl=TTL):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=hold, args=(place, theirs, ttl))
        self.process.start()
        self.token = self.pipe.recv()

    def signal(self, number):
        os.kill(self.process.pid, number)

    def end(self):
        self.signal(signal.SIGKILL)
        self.process.join()


@pytest.fixture
def other(place):
    made = []

    def make(**how):
        made.append(Other(place, **how))
        return made[-1]

    yield make
    for one in made:
        one.end()


def claim_when_free(store, limit):
    """Claim as soon as it is free; return the claim and the seconds that it took."""
    began = time.monotonic()
    while True:
        if not store.peek("s").held:
            return store.claim("s"), time.monotonic() - began
        assert time.monotonic() - began < limit, "it is not given up"
        store.wait("s", "", 0.2)


def test_tokens_only_grow_also_over_a_discarded_record(place):
    store, tokens = place.store(), []
    for turn in range(4):
        with store.claim("s") as claim:
            tokens.append(claim.token)
        with store.claim("t") as claim:
            tokens.append(claim.token)
        if turn == 1:
            store.discard("s")
    assert tokens == sorted(set(tokens))


def test_a_claim_whose_process_was_killed_is_free_after_its_lease_and_no_sooner(place, other):
    one = other()
    one.signal(signal.SIGKILL)
    claim, took = claim_when_free(place.store(ttl=TTL), 10 * TTL)
    with claim:
        assert claim.last.body == b"theirs"
        assert claim.token > one.token
    assert took >= TTL / 3


def test_a_holder_that_was_stopped_finds_itself_fenced(place, other):
    one = other()
    one.signal(signal.SIGSTOP)
    claim, _ = claim_when_free(place.store(ttl=TTL), 10 * TTL)
    with claim:
        claim.write(b"ours")
        one.signal(signal.SIGCONT)
        one.pipe.send("write")
        assert one.pipe.recv() == ("lost", True)
        claim.write(b"ours again")
    assert place.store().peek("s").saved.body == b"ours again"


def test_a_write_that_comes_after_the_end_of_its_claim_makes_nobody_wait(place):
    store = place.store(ttl=TTL)
    claim = store.claim("s")
    claim.enter(b"f")
    claim.write(b"first")
    claim._backend.give_up(claim._record.key, claim._record.taken)
    refused("lost", lambda: claim.write(b"late"))
    seen = store.peek("s")
    assert (seen.held, seen.saved.body) == (False, b"first")
    claim.close()


def test_hosts_that_wait_no_more_are_forgotten(servers):
    place = Place("postgres", servers("postgres"))
    store = place.store()
    store.claim("s").close()
    ask = store._backend._writing.ask
    for host in ("one", "two", "now"):
        store._backend.announce(key("s", ""), host, 5.0)
    ask("UPDATE hafta_waiting SET until = now() - interval '1 day' WHERE host <> 'now'")
    store._backend.announce(key("s", ""), "two", 5.0)
    assert [host for (host,) in ask("SELECT host FROM hafta_waiting ORDER BY host")] == [b"now", b"two"]
    place.relay.end()


def test_a_write_that_believes_in_its_lease_is_refused_by_the_fence(place):
    store = place.store(ttl=TTL)
    claim = store.claim("s")
    claim.enter(b"f")
    claim.write(b"first")
    claim._backend.give_up(claim._record.key, claim._record.taken)  # the store has ended it; the owner does not know
    with store.claim("s") as new:
        assert new.last.body == b"first"
        new.write(b"second")
        assert not claim.lost
        error = refused("lost", lambda: claim.write(b"stale"))
        assert "another host has taken it over" in error.message
        assert claim.lost
        refused("lost", lambda: claim.write(b"stale"))
        claim.close()
    assert store.peek("s").saved.body == b"second"


def test_a_claim_that_is_closed_is_free_at_once(place, other):
    one, waits = place.store(ttl=60).claim("s"), place.store(ttl=60)
    waits.wait("s", "", 0.1)  # it is connected
    heard = []
    listener = threading.Thread(target=lambda: heard.append((waits.wait("s", "", 10), time.monotonic())))
    listener.start()
    time.sleep(0.3)
    closed = time.monotonic()
    one.close()
    listener.join()
    assert heard[0][0]
    assert heard[0][1] - closed < 0.5
    place.store().claim("s").close()


def test_a_claim_that_is_forgotten_is_given_up(place):
    store = place.store(ttl=60)
    claim = store.claim("s")
    del claim
    gc.collect()
    claim_when_free(store, 5)[0].close()


def test_a_lease_is_kept_while_nothing_is_written(place):
    store = place.store(ttl=1.0)
    with store.claim("s") as claim:
        for _ in range(25):
            time.sleep(0.1)
            assert claim.left > 0
        refused("held", lambda: place.store().claim("s"))
        claim.write(b"still ours")


def test_who_holds_it_is_told_with_host_process_and_time(place):
    with place.store().claim("s", "one"):
        error = refused("held", lambda: place.store().claim("s", "one"))
        assert f"pid {os.getpid()} on {os.uname().nodename}, since 2" in error.message.replace(" (", " (")
        (seen,) = place.store().snapshots()
        assert (seen.holder.host, seen.holder.pid, seen.held) == (os.uname().nodename, os.getpid(), True)


def test_what_stands_in_the_store_is_not_believed(place):
    """A holder that is no JSON, a record that is too short, a name that nobody could have written."""
    store = place.store()
    store.claim("s").close()
    if place.kind == "etcd":
        for key, value in (("record/s", "x"), ("own/s", "{"), ("record/%zz", ""), ("record/a%40b", "y" * 30)):
            store._backend._ask("kv/put", key=b64(f"{place.prefix}{key}".encode()), value=b64(value.encode()))
    else:
        ask = store._backend._writing.ask
        ask("UPDATE hafta_records SET holder = '[]', until = 'infinity'")
        rest = "token, number, frame, body, written, holder, until"
        ask(f"INSERT INTO hafta_records SELECT '%zz', {rest} FROM hafta_records")
    (seen,) = [one for one in store.snapshots() if one.sequence == "s"]
    assert (seen.saved, seen.holder, seen.held) == (None, None, True)
    assert "held by another process" in refused("held", lambda: store.claim("s")).message
    assert isinstance(store, LeasedStore)
