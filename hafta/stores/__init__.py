"""Stores of checkpoints: they keep a sequence's position when the process dies. See docs/store.md."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.file.files import FileStore
    from hafta.stores.leased.store import EtcdStore, PostgresStore
    from hafta.stores.memory import MemoryStore

__all__ = ["EtcdStore", "FileStore", "MemoryStore", "PostgresStore"]

_MODULES = {
    "EtcdStore": "hafta.stores.leased.store",
    "FileStore": "hafta.stores.file.files",
    "MemoryStore": "hafta.stores.memory",
    "PostgresStore": "hafta.stores.leased.store",
}


def __getattr__(name: str) -> object:
    """Load a store when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    __import__(_MODULES[name])  # importlib would load `warnings`, and take half a millisecond of each start
    return getattr(sys.modules[_MODULES[name]], name)
