"""What the manager says of units now, as far as the end of their histories needs it: of `systemctl show`."""

from __future__ import annotations

import os

from hafta import boot
from hafta.frozen import Frozen
from hafta.observe.sources.systemd import BOOTED, Show, Unanswered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Said(Frozen):
    """ActiveState, the run, and when that began: microseconds of this boot's monotonic clock; 0: never."""

    active: str
    run: str
    since: int
    is_loaded: bool = True


def boot_id() -> str:
    """Return the id of this boot, as the journal has it; empty if it cannot be read."""
    return boot.boot_id().replace("-", "")


def ask(units: Sequence[str], *, user: bool = False) -> dict[str, Said] | None:
    """Return what the manager says of each unit; None: it did not answer."""
    if not units or not (user or os.path.isdir(BOOTED)):
        return None
    try:
        answers = Show(units, os.environ, of_user=user).answer()
    except Unanswered:
        return None
    if len(answers) != len(units):
        return None
    return {
        unit: Said(
            one.get("ActiveState", ""),
            one.get("InvocationID", ""),
            one.get("StateChangeTimestampMonotonic", 0),
            one.get("LoadState") != "not-found",
        )
        for unit, one in zip(units, answers, strict=True)
    }
