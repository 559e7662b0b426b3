"""examples/queue: its transcript is what it prints, and killed below the overlord it books each message once."""

import os
import shutil
import sqlite3
from contextlib import closing

import pytest
from example_support import EXAMPLES, Shell, hold_transcript, kept, kill, start
from overlord_harness import a_place
from processes import wait_until

MESSAGES = 200
KILLS = 4


@pytest.fixture
def shell(tmp_path):
    shutil.copytree(EXAMPLES / "queue", tmp_path / "here")
    return Shell(tmp_path)


def test_the_transcript_is_what_it_prints(shell):
    hold_transcript(shell, "queue")


def query(path, text):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(text).fetchall()


def test_below_the_overlord_it_is_killed_and_books_each_message_once():
    with a_place() as place:
        home = f"{place.state}/orders"
        overlord = start(place, "queue", "orders.service", [("orders.py\n", "orders.py --pause 0.01\n")])
        overlord.wait_for("is ready")
        wait_until(lambda: os.path.exists(f"{home}/bank.db"), "it has opened both")
        wait_until(lambda: query(f"{home}/queue.db", "SELECT 1 FROM sqlite_master"), "it has made the queue")
        with closing(sqlite3.connect(f"{home}/queue.db")) as queue, queue:
            rows = ((number, "ann", 1) for number in range(MESSAGES))
            queue.executemany("INSERT INTO messages VALUES (?, ?, ?)", rows)
        for number in range(KILLS):
            overlord.wait_for(f"booked {number * MESSAGES // 5}: ann")
            kill(overlord, "orders.service")
        wait_until(lambda: not query(f"{home}/queue.db", "SELECT 1 FROM messages"), "all messages are booked")
        overlord.wait_for(rf"booked {MESSAGES - 1}: ann .*\n(.*\n)*.*Sequence was: orders succeeded")
        assert query(f"{home}/bank.db", "SELECT * FROM accounts") == [("ann", MESSAGES)]
        assert kept(place, "orders")["done"] == MESSAGES
