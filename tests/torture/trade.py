"""The shop, day after day, on a disk whose power may be cut: every day a world of its own, all days one store.

What is acknowledged, and what is found after a cut, is the number of a record; and the world must be as the shop's
invariants say.
"""

from __future__ import annotations

import os
import shutil

import workload
from sequences import make_folder, nothing_is_lost, serve, settle

from hafta.stores import FileStore
from hafta.stores.wrapping import WrappingClaim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.stores.protocol import Claim


class Trade:
    """A shop on a disk. `tell` is called with what was acknowledged; a liar's has not been synced."""

    def __init__(self, mount: str, tell: Callable[[int], None] = lambda _number: None, *, lie: bool = False) -> None:
        self.mount = mount
        self._tell = tell
        self._lie = lie

    def found(self) -> int:
        """Return the number of the newest record, 0 without one; look whether the world is as it should be."""
        for day in self._days()[-1:]:
            nothing_is_lost(f"{self.mount}/{day}")
        path = f"{self.mount}/state/hafta-shop.checkpoint"
        return workload.independent_record(path).number if os.path.exists(path) else 0

    def work(self, days: int) -> None:
        """Go on where the power was cut; serve so many days to their end."""
        for _ in range(days):
            *old, today = self._days() or [self._make("day-000001")]
            for day in old:
                shutil.rmtree(f"{self.mount}/{day}")
            store = Telling(f"{self.mount}/state", self)
            if self._lie:
                serve(f"{self.mount}/{today}", store=store)
            else:
                serve(f"{self.mount}/{today}", settle, store=store, level="power")
            self._make(f"day-{int(today[4:]) + 1:06}")

    def close_down(self) -> None:
        """Forget everything: what a liar has lost may be anything."""
        for entry in ("state", *self._days()):
            shutil.rmtree(f"{self.mount}/{entry}", ignore_errors=True)

    def acknowledge(self, sync: bool) -> None:
        """Tell the number of the newest record, if it is promised to be on the disk."""
        if sync or self._lie:
            self._tell(workload.independent_record(f"{self.mount}/state/hafta-shop.checkpoint").number)

    def _days(self) -> list[str]:
        return sorted(entry for entry in os.listdir(self.mount) if entry.startswith("day-"))

    def _make(self, day: str) -> str:
        """Make the world of a day; it is there as a whole, or not at all."""
        shutil.rmtree(f"{self.mount}/new", ignore_errors=True)
        make_folder(f"{self.mount}/new")
        os.rename(f"{self.mount}/new", f"{self.mount}/{day}")
        if not self._lie:
            for path, _, files in os.walk(f"{self.mount}/{day}"):
                settle(path, *(f"{path}/{file}" for file in files))
            settle(self.mount)
        return day


class Telling(FileStore):
    """A store that tells of every record."""

    def __init__(self, directory: str, trade: Trade) -> None:
        super().__init__(directory)
        self._trade = trade

    def claim(self, *names: str, power: bool = False) -> TellingClaim:
        claim = super().claim(*names, power=power)
        self._trade.acknowledge(power)
        return TellingClaim(claim, self._trade)


class TellingClaim(WrappingClaim):
    """A claim of it."""

    def __init__(self, claim: Claim, trade: Trade) -> None:
        super().__init__(claim)
        self._trade = trade

    def write(self, body: bytes, sync: bool = False) -> None:
        super().write(body, sync)
        self._trade.acknowledge(sync)
