"""What the records of shared stores are called, and who has them."""

from __future__ import annotations

import json
import os
import time

from hafta.errors import StoreError
from hafta.stores.file.names import escape, file_name, unescape
from hafta.stores.holder import unit
from hafta.stores.leased.backend import Key
from hafta.stores.protocol import Holder


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
    known = {"host": os.uname().nodename, "pid": os.getpid(), "unit": unit(), "since": time.time()}
    return json.dumps({**known, "claim": os.urandom(8).hex()})


def holder(text: str, token: int) -> Holder | None:
    """Return who that is; None if it cannot be understood: what stands in a shared store is not trusted."""
    try:
        found = json.loads(text)
        who = int(found["pid"]), str(found["unit"])[:255], float(found["since"]), str(found["host"])[:255]
        return Holder(*who, token)
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
