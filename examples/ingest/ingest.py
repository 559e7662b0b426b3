"""Put the rows of files into a ledger: the rows of each file exactly once, however often this process is killed.

    incoming/NAME ── take ──> work/NAME ── read ── append ──> ledger.csv ── finish ──> done/NAME
                                            └── set_aside ──> bad/NAME, if it cannot be read

`open_ledger` and `read` are process-local: what they make (an open file, a list) dies with the process, so they run
again in the next one. The others are durable: what they do is on the disk, and their rollback functions undo it.

On several hosts (--store, examples/ha) the folders are on a disk that the hosts share, and the ledger is in PostgreSQL.
"""

import errno
import os
import sys
from enum import IntEnum

import hafta.service
from hafta import settings
from hafta.policies import FOREVER, Attempts, Backoff
from hafta.stores import FileStore

LEDGER = settings.Setting("ledger", str, "", "the PostgreSQL database of the ledger; else it is ledger.csv", "DSN")
PAUSE = settings.Setting("pause", settings.number, 1.0, "how often to look for files", "SECONDS")


class CP(IntEnum):
    NOTHING_DONE = 0
    BEGUN = 1


class FileLedger:
    """Rows in a file that nobody else writes to."""

    def __init__(self, home):
        self.path = os.path.join(home, "ledger.csv")
        self.file = None

    def open(self):
        if self.file is None:
            self.file = open(self.path, "ab", buffering=0)

    def size(self):
        return os.fstat(self.file.fileno()).st_size

    def append(self, run, name, rows):
        for row in rows:
            if self.file.write(row) != len(row):
                raise OSError(errno.ENOSPC, "no room for the row")
            run.progress()

    def cut_off(self, run, name):
        os.truncate(self.path, run.state["size"])  # also where the ledger could not be opened again


class DatabaseLedger:
    """Rows in PostgreSQL. It refuses a host from which another one has taken over: that one had a larger token."""

    TABLES = """
        CREATE TABLE IF NOT EXISTS ledger (file text, line int, reading text NOT NULL, PRIMARY KEY (file, line));
        CREATE TABLE IF NOT EXISTS ledger_fence (id int PRIMARY KEY CHECK (id = 1), token bigint NOT NULL)"""
    FENCE = """
        INSERT INTO ledger_fence AS seen VALUES (1, %s)
        ON CONFLICT (id) DO UPDATE SET token = excluded.token WHERE seen.token <= excluded.token RETURNING 1"""

    def __init__(self, dsn):
        self.dsn = dsn
        self.connection = None

    def open(self):
        if self.connection is None or self.connection.closed:
            import psycopg  # python3-psycopg

            self.connection = psycopg.connect(self.dsn, autocommit=True, connect_timeout=3, tcp_user_timeout=3000)
            self.connection.execute(self.TABLES)

    def size(self):
        return 0  # its rows have the name of their file

    def append(self, run, name, rows):
        lines = [(name, number, row.decode().strip()) for number, row in enumerate(rows, 1)]
        self._change(run, "INSERT INTO ledger VALUES (%s, %s, %s)", lines)

    def cut_off(self, run, name):
        self._change(run, "DELETE FROM ledger WHERE file = %s", [(name,)])

    def _change(self, run, statement, values):
        self.open()
        with self.connection.transaction(), self.connection.cursor() as cursor:
            if not cursor.execute(self.FENCE, (run.token,)).fetchone():
                raise hafta.ServiceError("the ledger has seen a newer owner", "look at the journal of the other hosts")
            cursor.executemany(statement, values)


class Data:
    """The userdata. `kept` outlives the process: which file it is, and what was counted."""

    def __init__(self, values):
        self.home = FileStore(values.state).directory  # also where checkpoints are, unless hosts share them
        self.pause = values.pause
        self.kept = {"name": "", "files": 0, "rows": 0, "bad": 0}
        self.ledger = DatabaseLedger(values.ledger) if values.ledger else FileLedger(self.home)
        self.rows = []
        for folder in ("incoming", "work", "done", "bad"):
            os.makedirs(os.path.join(self.home, folder), exist_ok=True)

    def path(self, folder, name=None):
        """Return where a file is, if it is in this folder: the current one, or that of a name."""
        return os.path.join(self.home, folder, name or self.kept["name"])

    def next_name(self):
        """Return a file that is not known yet. A name is known by now if it was done, or bad."""
        seen = {name for folder in ("done", "bad") for name in os.listdir(os.path.join(self.home, folder))}
        names = sorted(set(os.listdir(os.path.join(self.home, "incoming"))) - seen)
        return next((name for name in names if not name.startswith(".")), None)


def move(run, name, source, target):
    run.checkpoint(CP.BEGUN, name=name)  # in the state: what a node has changed in `kept` counts when it succeeds
    os.rename(run.data.path(source, name), run.data.path(target, name))
    run.progress()


def move_back(run, checkpoint, source, target):
    """Undo move(), as far as it had come."""
    if checkpoint == CP.BEGUN and os.path.exists(run.data.path(target, run.state["name"])):
        os.rename(run.data.path(target, run.state["name"]), run.data.path(source, run.state["name"]))


ingest = hafta.Sequence("ingest", version="1")


@ingest.node
def open_ledger(run):
    run.data.ledger.open()
    return take


@ingest.node(durable=True)
def take(run):
    run.status(f"waiting for files; {run.data.kept['files']} done, {run.data.kept['bad']} bad")
    while not (name := run.data.next_name()):
        run.checkpoint(CP.NOTHING_DONE)  # a service that hosts share can be moved where it records something
        run.sleep(run.data.pause)
    move(run, name, "incoming", "work")
    run.data.kept["name"] = name
    return read


@take.rollback
def give_back(run, checkpoint):
    move_back(run, checkpoint, "incoming", "work")
    return take


@ingest.node(policy=Attempts(5, then=hafta.proceed("set_aside")))
def read(run):
    folder = "done" if os.path.exists(run.data.path("done")) else "work"  # if the process before died in finish()
    with open(run.data.path(folder), encoding="utf-8") as file:
        run.data.rows = [checked(line) for line in file]
    return append


def checked(line):
    """Return a row for the ledger. Raises ValueError."""
    sensor, when, value = line.strip().split(",")
    return f"{sensor},{when},{float(value)}\n".encode()


@ingest.node(durable=True, policy=Attempts(FOREVER) | Backoff(0.5, cap=30))
def append(run):
    run.checkpoint(CP.BEGUN, size=run.data.ledger.size())
    run.data.ledger.append(run, run.data.kept["name"], run.data.rows)
    return finish


@append.rollback
def cut_off(run, checkpoint):
    if checkpoint == CP.BEGUN:
        run.data.ledger.cut_off(run, run.data.kept["name"])
    return append


@ingest.node(durable=True)
def finish(run):
    move(run, run.data.kept["name"], "work", "done")
    run.data.kept["files"] += 1
    run.data.kept["rows"] += len(run.data.rows)
    run.say(f"{run.data.kept['name']}: {len(run.data.rows)} rows")
    return hafta.EXIT


@finish.rollback
def take_from_done(run, checkpoint):
    move_back(run, checkpoint, "work", "done")
    return finish


@ingest.node(durable=True)
def set_aside(run):
    move(run, run.data.kept["name"], "work", "bad")
    run.data.kept["bad"] += 1
    run.say(f"{run.data.kept['name']}: bad: {run.reason}")
    return hafta.EXIT


@set_aside.rollback
def take_from_bad(run, checkpoint):
    move_back(run, checkpoint, "work", "bad")
    return set_aside


def main(argv=None):
    return hafta.service.run(
        ingest,
        Data,
        settings=[LEDGER, PAUSE],
        checkpoints=hafta.service.state_checkpoints(keep=lambda data: data.kept),
        argv=argv,
    )


if __name__ == "__main__":
    sys.exit(main())
