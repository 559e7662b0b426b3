"""The arithmetic of a lease."""

import pytest

from hafta.errors import UsageError
from hafta.service.held import HeldStore
from hafta.stores.leased import lease
from hafta.stores.leased.lease import Lease, checked_ttl, least_ttl


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

    monkeypatch.setattr(lease, "now", lambda: Clock.now)
    return Clock


def test_the_owner_gives_up_a_tenth_of_the_ttl_before_the_store_can(clock):
    one = Lease(10.0, clock.now)
    assert one.left() == pytest.approx(9.0)
    clock.now += 8.9
    assert one.left() > 0
    clock.now += 0.2
    assert one.left() < 0


def test_a_confirmation_counts_from_when_it_was_sent(clock):
    one = Lease(10.0, clock.now)
    clock.now += 5.0
    one.confirm(sent=1003.0)
    assert one.left() == pytest.approx(7.0)
    one.confirm(sent=1001.0)  # an older one that comes late changes nothing
    assert one.left() == pytest.approx(7.0)


def test_what_is_lost_stays_lost(clock):
    one = Lease(10.0, clock.now)
    clock.now += 9.5
    one.confirm(sent=clock.now)
    assert one.left() < 0
    other = Lease(10.0, clock.now)
    other.end()
    other.confirm(sent=clock.now)
    assert other.left() < 0


@pytest.mark.parametrize("ttl", [0, 0.5, -1, 3601, float("nan"), float("inf"), "5", True, None])
def test_a_ttl_that_cannot_be_is_refused(ttl):
    with pytest.raises(ValueError, match="ttl is the seconds of a lease, 1 to 3600, not"):
        checked_ttl(ttl)


@pytest.mark.parametrize("watchdog", [0.5, 5.0, 30.0])
def test_a_ping_is_never_withheld_while_the_lease_is_confirmed_in_time(watchdog):
    ttl = least_ttl(watchdog)
    late = ttl / lease.BEATS * 1.2  # one beat, and a fifth of it for the answer
    assert ttl * (1 - lease.MARGIN) - late >= watchdog - 1e-9
    assert ttl == pytest.approx(2 * watchdog)


def test_a_watchdog_that_a_hang_could_outlive_is_refused_at_the_start():
    class Watchdog:
        period = 5.0

    class Service:
        watchdog = Watchdog

    class Store:
        ttl = 9.0

    with pytest.raises(UsageError) as refused:
        HeldStore(Store(), Service())
    assert str(refused.value) == "a lease of 9 s is too short for a watchdog of 5 s: a hang could outlive the lease"
    assert refused.value.hint == "set --ttl to 10 or more, or WatchdogSec= to less than half of the lease"
