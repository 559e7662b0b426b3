"""What a leased claim asks of a database: a handful of operations, each one request, each in bounded time.

Each raises Unreachable if no endpoint has answered in time: it may have been carried out, or not. It raises StoreError
for an answer that cannot be tried again (no permission, no room).
"""

from __future__ import annotations

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from hafta.stores.protocol import Former, Holder, Move, Saved
else:
    Protocol = object


class Unreachable(Exception):
    """No answer came, or one that says: try again."""


class Key(Frozen):
    """Names one record. `name` is its escaped form, without blanks and slashes."""

    sequence: str
    instance: str
    name: str

    def __str__(self) -> str:
        return f"{self.sequence}@{self.instance}" if self.instance else self.sequence


class Taken(Frozen):
    """A record that is ours now."""

    token: int
    saved: Saved
    who: str  # we
    lease: Any = None  # what the database calls the lease
    at: Any = None  # ... and the version of the record
    former: Former | None = None  # who had it before


class Seen(Frozen):
    """A record as everybody can see it."""

    key: Key
    saved: Saved
    written: float  # wall clock of the writer, seconds since 1970
    holder: Holder | None
    held: bool
    token: int = 0
    move: Move | None = None
    waiting: tuple[str, ...] = ()


class Backend(Protocol):
    """One database. Threads share it."""

    where: str
    """Its address, for messages, without a password."""

    def take(self, key: Key, who: str, ttl: float) -> Taken | Seen:
        """Make the record ours if nobody has it; else return who has. `who` describes us, and is unique."""

    def confirm(self, key: Key, taken: Taken, ttl: float) -> bool:
        """Confirm the lease. False: it is not ours any more."""

    def put(self, key: Key, taken: Taken, saved: Saved, ttl: float, within: float) -> Taken | None:
        """Write if the record is still ours; None: it is not. The same `saved` may be sent twice; it counts once.

        It takes at most `within` seconds, be it in vain.
        """

    def give_up(self, key: Key, taken: Taken) -> None:
        """End the lease, and note that the owner has done so."""

    def release(self, key: Key, token: int) -> None:
        """End the lease of the owner with this token, which is proven dead. It has not given the record up."""

    def look(self, key: Key) -> Seen | None:
        """Return a record; None: there is none."""

    def look_at_all(self) -> list[Seen]:
        """Return all records."""

    def remove(self, key: Key) -> bool | Seen:
        """Remove a record that nobody has. False: there is none; else who has it."""

    def ask(self, key: Key, token: int, move: Move | None) -> bool:
        """Ask the owner with this token to move the record; None: take that back. False: it is not the owner."""

    def asked_to_move(self, key: Key) -> bool:
        """Tell whether the owner was asked."""

    def announce(self, key: Key, host: str, ttl: float) -> None:
        """Note that a service on this host waits for the record, for so long."""

    def wait(self, key: Key, seconds: float) -> bool:
        """Wait until a record may have become free, at most so long. False: nothing was heard."""

    def close(self) -> None:
        """Close connections."""
