"""The sequence goes on elsewhere, exactly once, whatever dies, hangs or is cut off."""

import os
import random
import shutil
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from cluster import Cluster
from judge import duplicates, lost, owners
from nemesis import Nemesis, moved, moved_and_killed
from outside import World

LONG = os.environ.get("HAFTA_HOSTS") == "long"
SEEDS, FAULTS = (20, 30) if LONG else (3, 10)
MOVES = 60 if LONG else 9

pytestmark = [
    pytest.mark.timeout(3600 if LONG else 600),
    pytest.mark.skipif(
        not os.environ.get("CI") and (os.geteuid() != 0 or not shutil.which("etcd") or not shutil.which("iptables")),
        reason="needs root, etcd (etcd-server) and iptables: it makes hosts in network namespaces",
    ),
]


@pytest.fixture
def world(tmp_path):
    return World(str(tmp_path))


def newest(world):
    return max((line["n"] for line in world.lines("history") if line["what"] == "acknowledged"), default=0)


def owner(cluster, world):
    """Return the host that has worked with the newest token."""
    newest = max(world.lines("history"), key=lambda line: line["token"])
    return next(host for host in cluster.hosts if host.name == newest["host"])


def goes_on(cluster, world):
    """See that it counts."""
    before = newest(world)
    cluster.wait_for(lambda: newest(world) > before + 3, "it counts on")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_lost_or_done_twice(tmp_path, world, seed):
    chance = random.Random(f"hosts {seed}")
    with Cluster(tmp_path) as cluster:
        cluster.wait_for(lambda: newest(world) > 3, "it begins")
        nemesis = Nemesis(cluster, chance, lambda: owner(cluster, world))
        for _ in range(FAULTS):
            nemesis.strike()
        goes_on(cluster, world)
    history = world.lines("history")
    wrong = duplicates(world.lines("checked")) + lost(history)
    assert wrong == [], nemesis.done
    assert owners(history) > 1
    assert {line["host"] for line in history} <= set("abc"), "each host has its name"
    print(f"seed {seed}: {newest(world)} acknowledged, {owners(history)} owners, after {', '.join(nemesis.done)}")


def test_moves_among_kills_lose_and_double_nothing(tmp_path, world):
    """Each host is asked for in turn, and two of them are killed in the middle of a move."""
    with Cluster(tmp_path) as cluster:
        cluster.wait_for(lambda: newest(world) > 3, "it begins")
        nemesis = Nemesis(cluster, random.Random("moves"), lambda: owner(cluster, world))
        for number in range(MOVES):
            here = owner(cluster, world)
            host = cluster.turned(here)[1 + number % 2]
            fault = moved_and_killed if number % 3 == 2 else moved
            fault(nemesis, host)
            goes_on(cluster, world)
    history = world.lines("history")
    assert duplicates(world.lines("checked")) + lost(history) == []
    assert 0 in nemesis.moves, "some were carried out"
    print(f"moves ended with {nemesis.moves}; {newest(world)} acknowledged, {owners(history)} owners")


@pytest.mark.parametrize(("control", "times"), [("no_deadline", 5), ("no_fence", 2)])
def test_the_judge_sees_what_is_broken(tmp_path, world, control, times):
    """An owner that was stopped for longer than its lease goes on, and believes that it is still the owner."""
    with Cluster(tmp_path, control=control) as cluster:
        cluster.wait_for(lambda: newest(world) > 3, "it begins")
        for _ in range(times):  # without a fence, each that was stopped works on: then nobody is standby
            host = owner(cluster, world)
            host.send(signal.SIGSTOP, "service")
            cluster.wait_for(lambda: owner(cluster, world) is not host, "another one takes over")  # noqa: B023
            cluster.live(0.3)
            host.send(signal.SIGCONT, "service")
            cluster.live(0.5)
    ledger = world.lines("unchecked") if control == "no_deadline" else world.lines("checked")
    wrong = duplicates(ledger) + (lost(world.lines("history")) if control == "no_fence" else [])
    assert wrong != []
