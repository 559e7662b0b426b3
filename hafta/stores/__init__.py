"""Stores of checkpoints: where a sequence's position outlives the process. See docs/store.md."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.files import FileStore
    from hafta.stores.memory import MemoryStore

__all__ = ["FileStore", "MemoryStore"]


def __getattr__(name: str) -> object:
    """Load a store when it is first used."""
    if name == "FileStore":
        from hafta.stores.files import FileStore

        return FileStore
    if name == "MemoryStore":
        from hafta.stores.memory import MemoryStore

        return MemoryStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
