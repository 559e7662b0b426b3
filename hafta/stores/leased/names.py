"""What the records of shared stores are called, and who has them."""

from __future__ import annotations

import json
import os
import time

from hafta.errors import StoreError
from hafta.stores.file.names import escape, file_name, unescape
from hafta.stores.holder import host, unit
from hafta.stores.leased import proof
from hafta.stores.leased.backend import Key
from hafta.stores.protocol import Former, Holder, Move


def key(sequence: str, instance: str) -> Key:
    """Return the key of a record. Raises StoreError of kind name: the same names as those of files."""
    file_name(sequence, instance)
    return Key(sequence, instance, escape(sequence) + ("@" + escape(instance) if instance else ""))


def named(name: str) -> Key | None:
    """Return the key whose escaped form this is; None for a name that is not one of ours."""
    sequence, _, instance = name.partition("@")
    try:
        found = key(unescape(sequence), unescape(instance))
    except (ValueError, StoreError):
        return None
    return found if found.name == name else None


def who() -> str:
    """Return this process as the holder of one claim, as JSON; two claims never have the same."""
    known = {"host": host(), "pid": os.getpid(), "unit": unit(), "since": time.time(), "mark": proof.mark()}
    return json.dumps({**known, "claim": os.urandom(8).hex()})


def holder(text: str, token: int) -> Holder | None:
    """Return who that is; None if it cannot be understood: what stands in a shared store is not trusted."""
    try:
        found = json.loads(text)
        who = int(found["pid"]), str(found["unit"])[:255], float(found["since"]), str(found["host"])[:255]
        return Holder(*who, token, str(found.get("mark", ""))[:255])
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def former(text: str, token: int = 0) -> Former | None:
    """Return who had a record before, from what the store noted of it; None if that cannot be understood.

    `token`: where the note does not have it.
    """
    try:
        found = json.loads(text)
        before = holder(str(found["holder"]), int(found.get("token") or token))
        free = found.get("free")
        if before is None:
            return None
        return Former(before, found["gave_up"] is True, None if free is None else max(0.0, float(free)))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None


def note(who: str, token: int = 0, *, gave_up: bool = False) -> str:
    """Return such a note."""
    return json.dumps({"holder": who, "token": token, "gave_up": gave_up})


def move(text: str) -> Move | None:
    """Return what the owner was asked for; None: nothing, or nothing that can be understood."""
    try:
        found = json.loads(text)
        return Move(str(found["to"])[:255], str(found["origin"])[:255])
    except (ValueError, TypeError, KeyError):
        return None


def wish(move: Move | None) -> str:
    """Return it as text."""
    return "" if move is None else json.dumps({"to": move.to, "origin": move.origin})
