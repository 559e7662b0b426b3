"""Take messages from a queue and book them in a database: each exactly once, however often this process is killed.

    open_both ──> take ──> book ──> acknowledge ──> done
                            │            ^
                            └── undone ──┘     if the database knows the message already

The queue delivers a message until it is acknowledged, so perhaps twice. The number of each message is written in the
same transaction as what the message does: whatever died when, the database knows whether it was booked. The rollback
function asks it.
"""

import os
import sqlite3
import sys
from enum import IntEnum

import hafta.service
from hafta import settings
from hafta.policies import FOREVER, Attempts, Backoff
from hafta.stores import FileStore

PAUSE = settings.Setting("pause", settings.number, 1.0, "how often to look for messages", "SECONDS")

TABLES = """
    CREATE TABLE IF NOT EXISTS booked (message INTEGER PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL)"""
KEY = "INSERT INTO booked VALUES (:id)"
EFFECT = """
    INSERT INTO accounts VALUES (:account, :amount)
    ON CONFLICT (name) DO UPDATE SET balance = balance + excluded.balance"""


class CP(IntEnum):
    NOTHING_DONE = 0
    BOOKING = 1


class Queue:
    """Stands for a queue that delivers at least once: RabbitMQ, SQS, a table of somebody else's."""

    def __init__(self, path):
        self.database = sqlite3.connect(path, isolation_level=None)  # each statement is a transaction
        self.database.execute("CREATE TABLE IF NOT EXISTS messages (id INTEGER, account TEXT, amount INTEGER)")

    def oldest(self):
        row = self.database.execute("SELECT id, account, amount FROM messages ORDER BY rowid LIMIT 1").fetchone()
        return row and dict(zip(("id", "account", "amount"), row, strict=True))

    def acknowledge(self, message):
        self.database.execute("DELETE FROM messages WHERE id = :id", message)


class Data:
    def __init__(self, values):
        self.home = FileStore(values.state).directory
        self.pause = values.pause
        self.queue = self.bank = None
        self.kept = {"message": {}, "done": 0}


orders = hafta.Sequence("orders", version="1")


@orders.node(policy=Attempts(FOREVER) | Backoff(0.2, cap=30))
def open_both(run):
    if run.data.bank is None:
        os.makedirs(run.data.home, mode=0o700, exist_ok=True)
        run.data.queue = Queue(os.path.join(run.data.home, "queue.db"))
        run.data.bank = sqlite3.connect(os.path.join(run.data.home, "bank.db"))
        run.data.bank.executescript(TABLES)
    return take


@orders.node(durable=True)  # after a crash in a later node, `kept` has the message: it is not taken again
def take(run):
    run.status(f"waits for messages; {run.data.kept['done']} done")
    while not (message := run.data.queue.oldest()):
        run.sleep(run.data.pause)
    run.data.kept["message"] = message
    return book


@orders.node(durable=True, policy=Attempts(FOREVER) | Backoff(0.2, cap=30))
def book(run):
    run.checkpoint(CP.BOOKING)
    with run.data.bank:  # one transaction
        run.data.bank.execute(KEY, run.data.kept["message"])
        run.progress()
        run.data.bank.execute(EFFECT, run.data.kept["message"])
        run.progress()
    run.progress()
    run.say("booked {id}: {account} {amount:+}".format(**run.data.kept["message"]))
    return acknowledge


@book.rollback
def was_it_booked(run, checkpoint):
    known = run.data.bank.execute("SELECT 1 FROM booked WHERE message = :id", run.data.kept["message"]).fetchone()
    return acknowledge if checkpoint == CP.BOOKING and known else book


@orders.node(durable=True, policy=Attempts(FOREVER) | Backoff(0.2, cap=30))
def acknowledge(run):
    run.data.queue.acknowledge(run.data.kept["message"])  # twice does no harm
    run.progress()
    run.data.kept["done"] += 1
    return hafta.EXIT


if __name__ == "__main__":
    recorded = hafta.service.state_checkpoints(keep=lambda data: data.kept)
    sys.exit(hafta.service.run(orders, Data, settings=[PAUSE], checkpoints=recorded))
