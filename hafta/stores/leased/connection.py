"""A connection to PostgreSQL whose every wait ends in time: libpq's asynchronous calls, by psycopg.pq.

psycopg's own connections wait for an answer as long as the server takes, also for one that was stopped.
"""

from __future__ import annotations

import os
import select
import time
from threading import Lock

from psycopg import Error as PostgresError
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hafta.errors import StoreError
from hafta.stores.leased.backend import Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

NEVER = float("inf")
_WRITE, _READ, _OK = pq.PollingStatus.WRITING, pq.PollingStatus.READING, pq.PollingStatus.OK
_DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
#: SQLSTATE: what a person must look at. Everything else may pass: a server that starts, stops or changes its role.
_DENIED = ("28", "42501", "3D")
_UNKNOWN = ("authentication failed", "no pg_hba.conf entry", "does not exist", "no password supplied")
_FULL = ("53100", "53200")
_HOSTS = ("host", "hostaddr")
_LISTS = (*_HOSTS, "port")
_MISTAKE = ("22", "42", "23")


class Refused(Exception):
    """The server has answered with an error. `code`: its SQLSTATE."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


class Connection:
    """One connection, made when it is needed, and again after trouble. One thread at a time uses it."""

    def __init__(self, dsn: str, timeout: float) -> None:
        self._ways = ways(dsn, timeout)
        self._turn = 0  # which of them is tried next
        self._timeout = timeout
        self._lock = Lock()
        self._conn: PGconn | None = None
        self._prepared: set[str] = set()
        self._pid = 0

    def ask(self, statement: str, *values: bytes | None, within: float = NEVER) -> list[list[bytes | None]]:
        """Return the rows of a statement with $1, $2, ... Raises Unreachable, Refused or StoreError."""
        within = min(within, self._timeout)
        end = time.monotonic() + within
        if not self._lock.acquire(timeout=within):
            raise Unreachable("the connection is busy")
        try:
            conn = self._connected(end)
            return self._ask(conn, statement, values, end)
        except Refused:
            raise
        except PostgresError as error:  # libpq has found the connection broken
            self._drop()
            raise _trouble(str(error)) from error
        except BaseException:
            self._drop()
            raise
        finally:
            self._lock.release()

    def hears(self, seconds: float) -> bool:
        """Wait for a notification, at most so long. False: none came. Raises Unreachable."""
        end = time.monotonic() + seconds
        with self._lock:
            conn = self._conn
            try:
                while conn is not None:
                    conn.consume_input()
                    if conn.notifies() is not None:
                        return True
                    if time.monotonic() >= end:
                        break
                    _wait(conn, _READ, end, late=False)
            except PostgresError as error:
                self._drop()
                raise _trouble(str(error)) from error
        return False

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._drop()

    def _connected(self, end: float) -> PGconn:
        if self._pid != os.getpid():
            self._conn = None  # a child has no part in the connection of its parent; psycopg closes its own alone
        if self._conn is not None and self._conn.status == pq.ConnStatus.OK:
            return self._conn
        self._drop()
        conn = self._conn = pq.PGconn.connect_start(self._ways[self._turn % len(self._ways)])
        self._pid = os.getpid()
        state: int = _WRITE
        try:
            while state in {_WRITE, _READ}:
                _wait(conn, state, end)
                state = conn.connect_poll()
        except Unreachable:
            self._turn += 1  # libpq would wait for the same host again
            raise
        if state != _OK:
            raise _trouble(conn.error_message.decode("utf-8", "replace"))
        conn.nonblocking = 1
        return conn

    def _ask(
        self, conn: PGconn, statement: str, values: tuple[bytes | None, ...], end: float
    ) -> list[list[bytes | None]]:
        name = f"s{abs(hash(statement))}".encode()
        if statement not in self._prepared and values:
            conn.send_prepare(name, statement.encode())
            _result(conn, end)
            self._prepared.add(statement)
        if values:
            conn.send_query_prepared(name, list(values))
        else:
            conn.send_query(statement.encode())
        result = _result(conn, end)
        return [[result.get_value(row, at) for at in range(result.nfields)] for row in range(result.ntuples)]

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        self._prepared.clear()
        if conn is not None:
            conn.finish()


def ways(dsn: str, timeout: float) -> list[bytes]:
    """Return what libpq is given to connect: one way for each host that the address names, which begins with that one.

    libpq goes on to the next host where one refuses, and not where one is silent. Of several hosts, one is wanted that
    can be written to, unless the address says otherwise. Raises psycopg's ProgrammingError.
    """
    known = conninfo_to_dict(dsn)
    beats = {"keepalives_idle": "2", "keepalives_interval": "1", "keepalives_count": "2"}
    more = {"tcp_user_timeout": str(int(timeout * 1000)), "application_name": "hafta", **beats}
    lists = {name: str(known[name]).split(",") for name in _LISTS if known.get(name)}
    count = max((len(lists[name]) for name in _HOSTS if name in lists), default=1)
    if count > 1:
        more["target_session_attrs"] = "read-write"
    lists = {name: words for name, words in lists.items() if len(words) == count}
    turned = [{name: ",".join(words[at:] + words[:at]) for name, words in lists.items()} for at in range(count)]
    return [make_conninfo("", **{**more, **known, **one}).encode() for one in turned]


def _result(conn: PGconn, end: float) -> PGresult:
    """Return the last result of what was sent. Raises Refused for an error, after all results were taken."""
    while conn.flush():
        _wait(conn, _WRITE, end)
    last = None
    while True:
        while conn.is_busy():
            _wait(conn, _READ, end)
            conn.consume_input()
        result = conn.get_result()
        if result is None:
            break
        last = result
    if last is None:
        raise Unreachable("the connection was closed")
    if last.status not in _DONE:
        text = last.error_message.decode("utf-8", "replace").strip()
        code = (last.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        if code.startswith(_MISTAKE):
            raise Refused(text, code)
        raise _trouble(text, code)
    return last


def _wait(conn: PGconn, state: object, end: float, *, late: bool = True) -> None:
    """Wait until the connection can be used. Raises Unreachable when the time is over, if that is `late`."""
    poll = select.poll()
    poll.register(conn.socket, select.POLLOUT if state == _WRITE else select.POLLIN)
    if not poll.poll(max(0.0, end - time.monotonic()) * 1000) and late:
        raise Unreachable("no answer in time")


def _trouble(text: str, code: str = "") -> Exception:
    """Return the error: one for a person, or one that passes."""
    line = " ".join(text.split())
    if code.startswith(_DENIED) or any(words in line for words in _UNKNOWN):  # while connecting there is no code
        hint = "look at user, password, database and pg_hba.conf; the user needs the tables of docs/hosts.md"
        return StoreError(line, hint, kind="permission")
    if code in _FULL:
        return StoreError(line, "free some space on the database's disk", kind="full")
    return Unreachable(line or "the connection failed")
