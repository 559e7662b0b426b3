"""Records in etcd: three keys each, by compare-and-swap transactions of its JSON gateway.

    PREFIXown/NAME      who has the record; it exists as long as the lease; the token is its create_revision
    PREFIXlast/NAME     who had it last, and whether that one gave it up; its mod_revision is the token until then
    PREFIXrecord/NAME   the record: number, wall clock of the writer, frame, body

and of those that wait for it PREFIXwaiting/NAME/HOST, by a lease, and PREFIXmove/NAME, which asks the owner for it.

A write is one transaction: the owner's key is still the one that we made, and the record is the one that we know.
Otherwise what is there says what happened: our own record, from a try whose answer was lost; or a stale version that
we know; or another owner.
"""

from __future__ import annotations

import struct
import time
from math import ceil

from hafta.stores.file.names import escape, unescape
from hafta.stores.leased import names
from hafta.stores.leased.backend import Key, Seen, Taken, Unreachable
from hafta.stores.leased.gateway import Gateway, b64, raw
from hafta.stores.leased.lease import now
from hafta.stores.protocol import Saved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.stores.protocol import Former, Move

_HEAD = struct.Struct(">QdI")  # number, wall clock, length of the frame
_TRIES = 5  # for a write that finds a version which we did not know


class Etcd:
    """One cluster (hafta.stores.leased.backend.Backend)."""

    def __init__(self, gateway: Gateway, prefix: str) -> None:
        self.where = f"{','.join(gateway.endpoints)}/{prefix}".rstrip("/")
        self._ask = gateway.ask
        self._gateway = gateway
        self._prefix = prefix

    def take(self, key: Key, who: str, ttl: float) -> Taken | Seen:
        """Make the record ours if nobody has it; else return who has."""
        lease = self._ask("lease/grant", TTL=ceil(ttl))["ID"]
        own, record = self._keys(key)
        last, note = self._key("last", key), b64(names.note(who).encode())
        put = {"requestPut": {"key": own, "value": b64(who.encode()), "lease": lease}}
        noted = {"requestPut": {"key": last, "value": note, "prev_kv": True}}
        answer = self._ask(
            "kv/txn",
            compare=[{"key": own, "target": "CREATE", "result": "EQUAL", "create_revision": 0}],
            success=[put, noted, _range(record), {"requestDeleteRange": {"key": self._key("move", key)}}],
            failure=[_range(own), _range(record)],
        )
        found = _values(answer)
        saved, at, written = _record(found.get(record))
        if answer.get("succeeded"):
            former = _former(answer["responses"][1]["response_put"].get("prev_kv"))
            return Taken(int(answer["header"]["revision"]), saved, who, lease, at or self._make(record), former)
        owner = found.get(own) or {}
        if raw(owner.get("value")) == who.encode():  # an earlier try of ours has been carried out
            return Taken(int(owner["create_revision"]), saved, who, owner["lease"], at, self._before(last, owner))
        self._ask("lease/revoke", ID=lease)
        return _seen(key, owner, saved, written)

    def confirm(self, key: Key, taken: Taken, ttl: float) -> bool:  # noqa: ARG002 - the protocol's
        """Confirm the lease. False: it has ended."""
        return int(self._ask("lease/keepalive", ID=taken.lease).get("result", {}).get("TTL", 0)) > 0

    def put(self, key: Key, taken: Taken, saved: Saved, ttl: float, within: float) -> Taken | None:  # noqa: ARG002 - the protocol's
        """Write if the record is still ours."""
        end = now() + within
        own, record = self._keys(key)
        value = b64(_HEAD.pack(saved.number, time.time(), len(saved.frame)) + saved.frame + saved.body)
        ours = {"key": own, "target": "CREATE", "result": "EQUAL", "create_revision": taken.token}
        at = taken.at
        for _ in range(_TRIES):
            answer = self._ask(
                "kv/txn",
                end,
                compare=[ours, {"key": record, "target": "MOD", "result": "EQUAL", "mod_revision": at}],
                success=[{"requestPut": {"key": record, "value": value}}],
                failure=[_range(own), _range(record)],
            )
            if answer.get("succeeded"):
                return taken.replace(at=int(answer["header"]["revision"]))
            found = _values(answer)
            if int((found.get(own) or {}).get("create_revision", 0)) != taken.token:
                return None
            there, at, _ = _record(found.get(record))
            if there.number == saved.number:
                return taken.replace(at=at)
        raise Unreachable("the record changes while it is written")

    def give_up(self, key: Key, taken: Taken) -> None:
        """Remove the owner's key, note that, and end the lease."""
        own, last = self._keys(key)[0], self._key("last", key)
        note = names.note(taken.who, taken.token, gave_up=True)
        self._ask(
            "kv/txn",
            compare=[{"key": own, "target": "CREATE", "result": "EQUAL", "create_revision": taken.token}],
            success=[
                {"requestPut": {"key": last, "value": b64(note.encode())}},
                {"requestDeleteRange": {"key": own}},
            ],
        )
        self._ask("lease/revoke", ID=taken.lease)

    def release(self, key: Key, token: int) -> None:
        """End the lease of a dead owner: it is that of one claim, so no other one can be hit."""
        owner = next(iter(self._ask("kv/range", key=self._keys(key)[0]).get("kvs", ())), None)
        if owner is not None and int(owner["create_revision"]) == token:
            self._ask("lease/revoke", ID=owner["lease"])

    def look(self, key: Key) -> Seen | None:
        """Return a record; None: there is none."""
        own, record = self._keys(key)
        move, waiting = self._key("move", key), f"{self._prefix}waiting/{key.name}/".encode()
        whole = [_range(own), _range(record), _range(move), {"requestRange": _below(waiting)}]
        found = _values(self._ask("kv/txn", success=whole))
        if own not in found and record not in found:
            return None
        saved, _, written = _record(found.get(record))
        hosts = [raw(one).removeprefix(waiting) for one in found if raw(one).startswith(waiting)]
        seen = _seen(key, found.get(own) or {}, saved, written)
        asked = names.move(raw((found.get(move) or {}).get("value")).decode("utf-8", "replace"))
        return seen.replace(move=asked, waiting=tuple(sorted(unescape(host.decode()) for host in hosts)))

    def look_at_all(self) -> list[Seen]:
        """Return all records."""
        whole = [_below(f"{self._prefix}{part}/".encode()) for part in ("own", "record")]
        found = _values(self._ask("kv/txn", success=[{"requestRange": one} for one in whole]))
        seen = []
        for name in sorted({raw(key).decode("utf-8", "replace").rpartition("/")[2] for key in found}):
            key = names.named(name)
            if key is not None:
                own, record = self._keys(key)
                saved, _, written = _record(found.get(record))
                seen.append(_seen(key, found.get(own) or {}, saved, written))
        return seen

    def remove(self, key: Key) -> bool | Seen:
        """Remove a record that nobody has."""
        own, record = self._keys(key)
        answer = self._ask(
            "kv/txn",
            compare=[{"key": own, "target": "CREATE", "result": "EQUAL", "create_revision": 0}],
            success=[
                {"requestDeleteRange": {"key": each}}
                for each in (record, self._key("last", key), self._key("move", key))
            ],
            failure=[_range(own), _range(record)],
        )
        if answer.get("succeeded"):
            return int(answer["responses"][0]["response_delete_range"].get("deleted", 0)) > 0
        found = _values(answer)
        saved, _, written = _record(found.get(record))
        return _seen(key, found.get(own) or {}, saved, written)

    def ask(self, key: Key, token: int, move: Move | None) -> bool:
        """Ask the owner with this token to move the record; None: take that back."""
        own, wish = self._keys(key)[0], self._key("move", key)
        put = {"requestPut": {"key": wish, "value": b64(names.wish(move).encode())}}
        answer = self._ask(
            "kv/txn",
            compare=[{"key": own, "target": "CREATE", "result": "EQUAL", "create_revision": token}],
            success=[{"requestDeleteRange": {"key": wish}} if move is None else put],
        )
        return bool(answer.get("succeeded"))

    def asked_to_move(self, key: Key) -> bool:
        """Tell whether the owner was asked."""
        return bool(self._ask("kv/range", key=self._key("move", key), count_only=True).get("count"))

    def announce(self, key: Key, host: str, ttl: float) -> None:
        """Note that a service on this host waits for the record: each time by a lease, which ends by itself."""
        lease = self._ask("lease/grant", TTL=ceil(ttl))["ID"]
        name = f"{self._prefix}waiting/{key.name}/{escape(host)}"
        self._ask("kv/put", key=b64(name.encode()), value=b64(b"1"), lease=lease)

    def wait(self, key: Key, seconds: float) -> bool:
        """Wait until the owner's key has gone, at most so long: from what is there now, so that no end is missed."""
        own = self._keys(key)[0]
        answer = self._ask("kv/range", key=own)
        if not answer.get("kvs"):
            return True
        return self._gateway.watch(own, int(answer["header"]["revision"]) + 1, seconds)

    def close(self) -> None:
        """Close the connections."""
        self._gateway.close()

    def _make(self, record: str) -> int:
        """Make an empty record; return its version. Another try of ours may have made it: then the first write sees."""
        answer = self._ask(
            "kv/txn",
            compare=[{"key": record, "target": "CREATE", "result": "EQUAL", "create_revision": 0}],
            success=[{"requestPut": {"key": record, "value": b64(_HEAD.pack(0, time.time(), 0))}}],
        )
        return int(answer["header"]["revision"]) if answer.get("succeeded") else 0

    def _before(self, last: str, owner: dict[str, Any]) -> Former | None:
        """Return who had a record before this owner, if etcd still knows that."""
        try:
            answer = self._ask("kv/range", key=last, revision=int(owner["create_revision"]) - 1)
        except Unreachable:  # compacted
            return None
        return _former(next(iter(answer.get("kvs", ())), None))

    def _key(self, part: str, key: Key) -> str:
        return b64(f"{self._prefix}{part}/{key.name}".encode())

    def _keys(self, key: Key) -> tuple[str, str]:
        return b64(f"{self._prefix}own/{key.name}".encode()), b64(f"{self._prefix}record/{key.name}".encode())


def _range(key: str) -> dict[str, Any]:
    return {"requestRange": {"key": key}}


def _below(prefix: bytes) -> dict[str, Any]:
    return {"key": b64(prefix), "range_end": b64(prefix[:-1] + bytes([prefix[-1] + 1]))}


def _values(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a transaction has read, by key."""
    ranges = [one["response_range"] for one in answer.get("responses", ()) if "response_range" in one]
    return {kv["key"]: kv for one in ranges for kv in one.get("kvs", ())}


def _record(kv: dict[str, Any] | None) -> tuple[Saved, int, float]:
    """Return a record, its version, and when it was written."""
    value = raw((kv or {}).get("value"))
    if kv is None or len(value) < _HEAD.size:
        return Saved(0, b"", b""), int((kv or {}).get("mod_revision", 0)), 0.0
    number, written, size = _HEAD.unpack_from(value)
    text = value[_HEAD.size :]
    return Saved(number, text[:size], text[size:]), int(kv["mod_revision"]), written


def _former(kv: dict[str, Any] | None) -> Former | None:
    """Return who that key says had the record last."""
    if kv is None:
        return None
    return names.former(raw(kv.get("value")).decode("utf-8", "replace"), int(kv["mod_revision"]))


def _seen(key: Key, owner: dict[str, Any], saved: Saved, written: float) -> Seen:
    token = int(owner.get("create_revision", 0))
    holder = names.holder(raw(owner.get("value")).decode("utf-8", "replace"), token) if owner else None
    return Seen(key, saved, written, holder, bool(owner), token)
