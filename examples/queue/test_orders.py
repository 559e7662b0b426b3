"""Each message is booked once: delivered twice, with a locked database, and with the process killed at every point.

Run it with `python3 -m pytest` in this directory.
"""

import shutil
import sqlite3
from contextlib import closing
from itertools import count

import orders as example
import pytest
from orders import Data, orders
from send import send

import hafta
from hafta.settings import Values
from hafta.testing import FakeRuntime, Violated, crash_everywhere

MESSAGES = [(7, "ann", 30), (8, "bob", 12)]


class World:
    """What outlives a process: the queue and the database."""

    def __init__(self, home, *messages, copy=None):
        self.home = home
        self.processes = []
        if copy:
            shutil.copytree(copy, home)
            return
        home.mkdir(mode=0o700)
        send(home, *messages)
        with closing(sqlite3.connect(home / "bank.db")) as bank:
            bank.executescript(example.TABLES)

    def data(self):
        self.processes.append(Data(Values({"state": str(self.home), "pause": 1})))
        return self.processes[-1]

    def rows(self, file, query):
        with closing(sqlite3.connect(self.home / file)) as database:
            return database.execute(query).fetchall()

    @property
    def balances(self):
        return dict(self.rows("bank.db", "SELECT name, balance FROM accounts"))

    @property
    def left(self):
        return self.rows("queue.db", "SELECT id FROM messages")

    def end(self):
        for process in self.processes:
            for database in (process.bank, process.queue and process.queue.database):
                if database:
                    database.close()


@pytest.fixture
def make(tmp_path):
    """Make worlds, and end them after the test."""
    made, numbers = [], count()

    def make(*messages, **how):
        made.append(World(tmp_path / str(next(numbers)), *messages, **how))
        return made[-1]

    yield make
    for world in made:
        world.end()


def test_messages_are_booked_in_their_order(make):
    world = make(*MESSAGES, (9, "ann", -5))
    data = world.data()
    for _ in range(3):
        assert orders.call(data, runtime=FakeRuntime())
    assert (world.balances, world.left, data.kept["done"]) == ({"ann": 25, "bob": 12}, [], 3)


def test_a_message_that_is_delivered_twice_is_booked_once(make):
    world = make(*MESSAGES, MESSAGES[0])
    data = world.data()
    send(world.home, MESSAGES[1])
    results = [orders.call(data, runtime=FakeRuntime()) for _ in range(2)]
    assert [result.failures for result in results] == [0, 0]
    assert (world.balances, world.left) == ({"ann": 30, "bob": 12}, [])  # an acknowledgement takes all deliveries
    send(world.home, MESSAGES[0])
    result = orders.call(data, runtime=FakeRuntime())
    assert isinstance(result.history[0].reason, sqlite3.IntegrityError)
    assert (world.balances, world.left) == ({"ann": 30, "bob": 12}, [])


def test_a_locked_database_is_waited_for(make):
    world = make(*MESSAGES)
    data = world.data()
    assert orders.call(data, runtime=FakeRuntime())
    data.bank.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(world.home / "bank.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    runtime = FakeRuntime()
    runtime.sleep = lambda _: other.close()
    result = orders.call(data, runtime=runtime)
    assert "locked" in str(result.history[0].reason)
    assert world.balances == {"ann": 30, "bob": 12}


MANY = [(number, "ann", 1) for number in range(12)]


@pytest.fixture
def make_many(make):
    """Make worlds with many messages: copies of one, because each commit takes a while on a disk."""
    first = make(*MANY)
    return lambda: make(copy=first.home)


def nothing_is_booked_twice(world):
    """Each message is worth 1: what is on the account left the queue, or is about to."""
    gone = len(MANY) - len(world.left)
    assert world.balances.get("ann", 0) - gone in {0, 1}


def each_is_booked_once(world, result):
    assert result
    assert world.balances["ann"] == len(MANY) - len(world.left) > 0


def crash(make_many, **how):
    return crash_everywhere(
        orders, world=make_many, data=World.data, invariant=each_is_booked_once,
        checkpoints=lambda store, data: hafta.Checkpoints(store, keep=data.kept), **how,
    )  # fmt: skip


@pytest.mark.parametrize("how", [{}, {"kill": True}, {"times": 7}], ids=str)
def test_wherever_it_dies_each_message_is_booked_once(make_many, how):
    report = crash(make_many, always=nothing_is_booked_twice, **how)
    assert report.succeeded == report.cuts > 15


def test_without_the_key_the_same_test_finds_money_that_was_booked_twice(make_many, monkeypatch):
    monkeypatch.setattr(example, "KEY", "SELECT :id")
    with pytest.raises(Violated, match="after a process was"):
        crash(make_many)
