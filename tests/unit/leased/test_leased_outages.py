"""What a claim does when the way to its store breaks: an outage that ends in time changes nothing."""

import threading
import time

import pytest
from processes import free_port

from hafta.stores import EtcdStore, PostgresStore
from hafta.stores.leased import gateway
from hafta.stores.leased.backend import Unreachable
from hafta.testing.stores import refused

TTL = 6.0  # seconds; so that what is to be done before it ends is done on a busy machine, too


@pytest.fixture
def claim(place):
    made = place.store(relayed=True, ttl=TTL).claim("s")
    made.enter(b"f")
    made.write(b"before")
    yield made
    place.relay.cut = place.relay.mute = False
    made.close()


def later(seconds, do):
    timer = threading.Timer(seconds, do)
    timer.start()
    return timer


def mend(relay):
    relay.cut = relay.mute = False


def test_an_outage_that_ends_before_the_lease_changes_nothing_but_time(place, claim):
    waited = []
    claim.on_wait = lambda: waited.append(time.monotonic())
    place.relay.cut = True
    timer = later(TTL * 0.4, lambda: mend(place.relay))
    began = time.monotonic()
    claim.write(b"through")
    timer.join()
    assert 1.0 < time.monotonic() - began < TTL
    assert len(waited) >= 1, "the watchdog is fed meanwhile"
    assert [incident.kind for incident in claim.incidents] == ["retried"]
    assert not claim.lost
    claim.write(b"after")
    assert place.store().peek("s").saved.body == b"after"


def test_an_outage_that_outlasts_the_lease_loses_the_claim_in_time(place, claim):
    place.relay.cut = True
    began = time.monotonic()
    error = refused("lost", lambda: claim.write(b"never"))
    assert time.monotonic() - began < TTL + 0.1, "before another host can have it"
    assert claim.lost
    assert error.final
    refused("lost", lambda: claim.write(b"never"))
    mend(place.relay)
    time.sleep(0.2)
    refused("lost", lambda: claim.write(b"never"))


def test_a_claim_that_nothing_is_written_to_is_lost_as_soon(place, claim):
    place.relay.cut = True
    began = time.monotonic()
    while not claim.lost:
        assert time.monotonic() - began < TTL
        time.sleep(0.02)
    refused("lost", lambda: claim.write(b"never"))


def test_a_write_whose_answer_was_lost_counts_once(place, claim):
    place.relay.mute = True
    timer = later(0.9, lambda: mend(place.relay))
    claim.write(b"once")
    timer.join()
    number = place.store().peek("s").saved.number
    claim.write(b"next")
    seen = place.store().peek("s").saved
    assert (seen.body, seen.number) == (b"next", number + 1)


def test_a_stop_in_the_middle_of_a_write_leaves_the_claim_usable(place, claim):
    class Stop(Exception):
        pass

    def stop():
        raise Stop

    for spoil in ("cut", "mute"):
        setattr(place.relay, spoil, True)
        claim.on_wait = stop
        with pytest.raises(Stop):
            claim.write(b"interrupted")
        mend(place.relay)
        claim.on_wait = None
        claim.write(b"goes on after " + spoil.encode())
        assert place.store().peek("s").saved.body == b"goes on after " + spoil.encode()


def test_a_server_that_is_stopped_and_goes_on_changes_nothing(place, claim):
    import signal

    place.server.process.send_signal(signal.SIGSTOP)
    timer = later(1.0, lambda: place.server.process.send_signal(signal.SIGCONT))
    claim.write(b"through")
    timer.join()
    assert place.store().peek("s").saved.body == b"through"


def test_a_server_that_is_killed_and_starts_again_has_what_was_acknowledged(place, claim):
    place.server.kill()
    timer = later(0.1, place.server.start)
    claim.write(b"through")
    timer.join()
    claim.write(b"after")
    assert place.store().peek("s").saved.body == b"after"


@pytest.mark.parametrize("ask", ["claim", "peek", "discard", "snapshots"])
def test_a_store_that_cannot_be_reached_is_a_clear_error_after_the_ttl(ask):
    port = free_port()
    for store, where in (
        (EtcdStore(f"127.0.0.1:{port}", ttl=1), f"http://127.0.0.1:{port}"),
        (PostgresStore(f"postgresql://a@127.0.0.1:{port}/b", ttl=1), f"postgresql://127.0.0.1:{port}/b"),
    ):
        began = time.monotonic()
        error = refused("unreachable", lambda: getattr(store, ask)(*(() if ask == "snapshots" else ("s",))))  # noqa: B023
        assert time.monotonic() - began < 20
        assert error.message.startswith(where)
        assert "refused" in error.message
        assert not error.final


def test_a_dead_endpoint_is_passed_over(servers):
    etcd, dead = servers("etcd"), free_port()
    store = EtcdStore([f"http://127.0.0.1:{dead}", etcd.address], prefix="dead/", ttl=5)
    with store.claim("s") as claim:
        claim.write(b"b")
        assert claim.incidents == []
    postgres = servers("postgres")
    dsn = f"host=127.0.0.1,127.0.0.1 port={dead},{postgres.port} user=postgres dbname=postgres"
    with PostgresStore(dsn).claim("dead") as claim:
        claim.write(b"b")


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_a_silent_postgresql_server_is_passed_over(place):
    """Its host died: it does not even refuse."""
    place.relay.cut = True
    ports = f"127.0.0.1:{place.relay.port},127.0.0.1:{place.server.port}"
    url = place.url().replace(f"127.0.0.1:{place.server.port}", ports)
    with PostgresStore(url, ttl=TTL).claim("s") as claim:
        claim.enter(b"f")
        claim.write(b"there")
    assert place.store().peek("s").saved.body == b"there"


def test_a_question_ends_in_time_for_a_watchdog_when_no_member_answers(monkeypatch):
    """Each may take a fifth of a lease, and a watchdog may have half of one: the third member is asked next time."""
    clock, asked = [0.0], []

    def silent(endpoint, _path, _question, limit):
        asked.append(endpoint)
        clock[0] += limit.total
        raise Unreachable("no answer in time")

    monkeypatch.setattr(gateway, "now", lambda: clock[0])
    cluster = gateway.Gateway(("a", "b", "c"), TTL / 5, user="", password="")
    monkeypatch.setattr(cluster, "_ask", silent)
    for _ in range(3):
        before = clock[0]
        with pytest.raises(Unreachable):
            cluster.ask("kv/range")
        assert clock[0] - before < TTL / 2
    assert asked == ["a", "b", "c", "a", "b", "c"]
