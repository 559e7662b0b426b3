"""Records in PostgreSQL: one row each, by statements that are a transaction each, in the database's own time.

A statement whose answer was lost is sent again: what it writes has a number, so it counts once. A late one changes
nothing, because the row then has a larger number or another token.
"""

from __future__ import annotations

import json

from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from hafta.errors import StoreError
from hafta.stores.leased import names
from hafta.stores.leased.backend import Seen, Taken
from hafta.stores.leased.connection import NEVER, Connection, Refused
from hafta.stores.protocol import Saved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.leased.backend import Key
    from hafta.stores.protocol import Move

    Row = list[bytes | None]

#: What a database needs; made at the first claim, or where it is of a version before, if the user may make it.
SCHEMA = """
CREATE SEQUENCE IF NOT EXISTS hafta_tokens;
CREATE TABLE IF NOT EXISTS hafta_records (
    name text COLLATE "C" PRIMARY KEY,
    token bigint NOT NULL,
    number bigint NOT NULL,
    frame bytea NOT NULL,
    body bytea NOT NULL,
    written timestamptz NOT NULL,
    holder text NOT NULL,
    until timestamptz NOT NULL,
    gave_up boolean NOT NULL DEFAULT false,
    former text NOT NULL DEFAULT '',
    move text NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS hafta_waiting (
    name text COLLATE "C",
    host text,
    until timestamptz NOT NULL,
    PRIMARY KEY (name, host)
);
ALTER TABLE hafta_records -- of a version before, which can go on with it
    ADD COLUMN IF NOT EXISTS gave_up boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS former text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS move text NOT NULL DEFAULT '';
"""
_LEASE = "now() + make_interval(secs => $%d::float8)"
_ALL = (
    "name, token, number, encode(frame, 'hex'), encode(body, 'hex'), extract(epoch FROM written), holder, until > now()"
)
#: A version before wrote -infinity where the record was given up.
_FORMER = (
    "jsonb_build_object('holder', r.holder, 'token', r.token, 'gave_up', r.gave_up OR NOT isfinite(r.until),"
    " 'free', CASE WHEN isfinite(r.until) THEN extract(epoch FROM now() - r.until) END)::text"
)
_TAKE = f"""
INSERT INTO hafta_records AS r (name, token, number, frame, body, written, holder, until)
VALUES ($1, nextval('hafta_tokens'), 0, '', '', now(), $2, {_LEASE % 3})
ON CONFLICT (name) DO UPDATE SET token = excluded.token, holder = excluded.holder, until = excluded.until,
    gave_up = false, move = '', former = CASE WHEN r.holder = excluded.holder THEN r.former ELSE {_FORMER} END
WHERE r.until <= now() OR r.holder = excluded.holder
RETURNING {_ALL}, former"""
_CONFIRM = f"""
UPDATE hafta_records SET until = {_LEASE % 3} WHERE name = $1 AND token = $2::bigint AND NOT gave_up RETURNING 1"""
_PUT = f"""
UPDATE hafta_records
SET number = $3::bigint, frame = decode($4, 'hex'), body = decode($5, 'hex'), written = now(), until = {_LEASE % 6}
WHERE name = $1 AND token = $2::bigint AND NOT gave_up AND number < $3::bigint RETURNING 1"""
_GIVE_UP = """
WITH given AS (
    UPDATE hafta_records SET until = now(), gave_up = true WHERE name = $1 AND token = $2::bigint RETURNING name
)
SELECT pg_notify('hafta', name) FROM given"""
_RELEASE = """
WITH ended AS (
    UPDATE hafta_records SET until = now() WHERE name = $1 AND token = $2::bigint AND until > now() RETURNING name
)
SELECT pg_notify('hafta', name) FROM ended"""
_WAITING = "(SELECT json_agg(host ORDER BY host) FROM hafta_waiting AS w WHERE w.name = r.name AND w.until > now())"
_LOOK = f"SELECT {_ALL}, move, {_WAITING} FROM hafta_records AS r WHERE name = $1"
_ASK = "UPDATE hafta_records SET move = $3 WHERE name = $1 AND token = $2::bigint AND until > now() RETURNING 1"
_ASKED = "SELECT 1 FROM hafta_records WHERE name = $1 AND move <> ''"
#: Containers have new names each time: what is old is removed. Rows that another one is about to remove are skipped.
_ANNOUNCE = f"""
WITH old AS (
    SELECT name, host FROM hafta_waiting WHERE until < now() - interval '1 hour' AND host <> $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM hafta_waiting AS w USING old WHERE w.name = old.name AND w.host = old.host
)
INSERT INTO hafta_waiting VALUES ($1, $2, {_LEASE % 3})
ON CONFLICT (name, host) DO UPDATE SET until = excluded.until"""
_HELD = "SELECT until > now() FROM hafta_records WHERE name = $1"
_LOOK_AT_ALL = f"SELECT {_ALL} FROM hafta_records ORDER BY name"
_REMOVE = "DELETE FROM hafta_records WHERE name = $1 AND until <= now() RETURNING 1"
_OLD = errors.UndefinedColumn.sqlstate
_MISSING = _OLD, errors.UndefinedTable.sqlstate, errors.UniqueViolation.sqlstate, errors.DuplicateTable.sqlstate


class Postgres:
    """One database (hafta.stores.leased.backend.Backend). It has three connections.

    So a write that waits for an answer does not keep the lease from being confirmed, nor does the wait of a standby.
    """

    def __init__(self, dsn: str, timeout: float) -> None:
        self.where = _address(dsn)
        self._writing = Connection(dsn, timeout)
        self._confirming = Connection(dsn, timeout)
        self._waiting = Connection(dsn, timeout)

    def take(self, key: Key, who: str, ttl: float) -> Taken | Seen:
        """Make the record ours if nobody has it; else return who has."""
        for _ in range(2):
            try:
                rows = self._writing.ask(_TAKE, key.name.encode(), who.encode(), _text(ttl))
                break
            except Refused as error:
                self._make(self._writing, error)
        else:
            raise _unexpected(self.where, "the table cannot be made")
        if rows:
            seen = _seen(key, rows[0])
            return Taken(seen.token, seen.saved, who, former=names.former((rows[0][-1] or b"").decode()))
        return self.look(key) or self.take(key, who, ttl)

    def confirm(self, key: Key, taken: Taken, ttl: float) -> bool:
        """Confirm the lease. False: it is not ours any more."""
        return bool(self._ask(self._confirming, _CONFIRM, key.name.encode(), _text(taken.token), _text(ttl)))

    def put(self, key: Key, taken: Taken, saved: Saved, ttl: float, within: float) -> Taken | None:
        """Write if the record is still ours."""
        mine = key.name.encode(), _text(taken.token)
        texts = _text(saved.number), saved.frame.hex().encode(), saved.body.hex().encode()
        if self._ask(self._writing, _PUT, *mine, *texts, _text(ttl), within=within):
            return taken
        seen = self.look(key)
        return taken if seen and (seen.token, seen.saved.number) == (taken.token, saved.number) else None

    def give_up(self, key: Key, taken: Taken) -> None:
        """End the lease, and wake who waits for it."""
        self._ask(self._confirming, _GIVE_UP, key.name.encode(), _text(taken.token))

    def release(self, key: Key, token: int) -> None:
        """End the lease of a dead owner, and wake who waits for it."""
        self._ask(self._writing, _RELEASE, key.name.encode(), _text(token))

    def look(self, key: Key) -> Seen | None:
        """Return a record; None: there is none."""
        rows = self._ask(self._writing, _LOOK, key.name.encode())
        if not rows:
            return None
        *row, move, waiting = rows[0]
        hosts = tuple(map(str, json.loads(waiting or b"[]")))
        return _seen(key, row).replace(move=names.move((move or b"").decode()), waiting=hosts)

    def look_at_all(self) -> list[Seen]:
        """Return all records."""
        found = [(names.named((row[0] or b"").decode()), row) for row in self._ask(self._writing, _LOOK_AT_ALL)]
        return [_seen(key, row) for key, row in found if key is not None]

    def remove(self, key: Key) -> bool | Seen:
        """Remove a record that nobody has."""
        if self._ask(self._writing, _REMOVE, key.name.encode()):
            return True
        return self.look(key) or False

    def ask(self, key: Key, token: int, move: Move | None) -> bool:
        """Ask the owner with this token to move the record; None: take that back."""
        return bool(self._ask(self._writing, _ASK, key.name.encode(), _text(token), names.wish(move).encode()))

    def asked_to_move(self, key: Key) -> bool:
        """Tell whether the owner was asked."""
        return bool(self._ask(self._confirming, _ASKED, key.name.encode()))

    def announce(self, key: Key, host: str, ttl: float) -> None:
        """Note that a service on this host waits for the record, for so long."""
        self._ask(self._writing, _ANNOUNCE, key.name.encode(), host.encode(), _text(ttl))

    def wait(self, key: Key, seconds: float) -> bool:
        """Wait until somebody has given a record up, at most so long: listening first, so that no end is missed."""
        self._ask(self._waiting, "LISTEN hafta")
        rows = self._ask(self._waiting, _HELD, key.name.encode())
        if not rows or rows[0][0] != b"t":
            return True
        return self._waiting.hears(seconds)

    def close(self) -> None:
        """Close the connections."""
        for connection in (self._writing, self._confirming, self._waiting):
            connection.close()

    def _make(self, connection: Connection, error: Refused) -> None:
        """Make the tables, or what they lack, if that is what was missing."""
        if error.code not in _MISSING:
            raise _unexpected(self.where, str(error)) from error
        try:
            connection.ask(SCHEMA)
        except Refused as refused:
            if refused.code not in _MISSING:  # else another one has made them at the same time
                raise _unexpected(self.where, str(refused)) from refused

    def _ask(self, connection: Connection, statement: str, *values: bytes, within: float = NEVER) -> list[Row]:
        for is_last in (False, True):
            try:
                return connection.ask(statement, *values, within=within)
            except Refused as error:
                if error.code == errors.UndefinedTable.sqlstate:
                    return []  # nothing was ever recorded here
                if is_last or error.code != _OLD:
                    raise _unexpected(self.where, str(error)) from error
                self._make(connection, error)
        return []


def _seen(key: Key, row: Row) -> Seen:
    _, token, number, frame, body, written, holder, held, *_ = ((value or b"").decode() for value in row)
    saved = Saved(int(number), bytes.fromhex(frame), bytes.fromhex(body))
    return Seen(key, saved, float(written), names.holder(holder, int(token)), held == "t", int(token))


def _text(value: float) -> bytes:
    return str(value).encode()


def _address(dsn: str) -> str:
    """Return the database for messages, without a password. Raises ValueError."""
    try:
        known = conninfo_to_dict(dsn)
    except Exception as error:
        raise ValueError(f"the address of the database cannot be understood: {' '.join(str(error).split())}") from error
    place = "".join(f":{known['port']}" if "port" in known else "")
    return f"postgresql://{known.get('host') or ''}{place}/{known.get('dbname') or known.get('user') or ''}"


def _unexpected(where: str, text: str) -> StoreError:
    hint = "the tables of docs/hosts.md must be there, and the user must be allowed to read and write them"
    kind = "permission" if "permission denied" in text else "system"
    return StoreError(f"{where}: {' '.join(text.split())}", hint, kind=kind)
