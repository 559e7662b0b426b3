"""Which records only one host can go on with: a node of theirs needs what is on the disk of that host.

A record says so itself (Position.bound), so that a standby can tell before it takes anything over.
"""

from __future__ import annotations

from hafta.durable import codec
from hafta.errors import StoreError
from hafta.stores.holder import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.durable.position import Position
    from hafta.stores.protocol import Saved


def elsewhere(position: Position) -> bool:
    """Tell whether only another host can go on."""
    return bool(position.bound) and position.host != host()


def elsewhere_of(saved: Saved | None) -> Position | None:
    """Return where a record stands that only another host can go on with; None: this one can, or finds out why not."""
    if saved is None:
        return None
    try:
        position = codec.position(saved.frame, saved.body)
    except StoreError:
        return None
    return position if elsewhere(position) else None


def refusal(where: str, position: Position) -> StoreError:
    """Return the error for a call on the wrong host."""
    needs = f"node {position.bound} needs what is on the disk of host {position.host}, and this is host {host()}"
    hint = (
        f"start it on {position.host}; if that one does not come back, put right by hand what the node had begun, and"
        " discard the record: hafta checkpoints discard"
    )
    return StoreError(f"{where}: {needs}", hint, kind="elsewhere")
