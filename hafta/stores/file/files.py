"""The default store: one small file per sequence instance, in the service's own directory (docs/store.md)."""

from __future__ import annotations

import os

from hafta.stores.file import claiming, layout, names, peeking, trust
from hafta.stores.protocol import OneHost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.file.writing import FileClaim
    from hafta.stores.protocol import Snapshot


class FileStore(OneHost):
    """Records in the files of one directory.

    `directory`: by default the one that systemd gives (STATE_DIRECTORY), else one in the XDG state directory. It is
    made at the first claim.
    `slot_size`: for new files, a multiple of 4096 bytes. A frame and a body together must fit into one slot.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None, *, slot_size: int = layout.PAGE) -> None:
        if not isinstance(slot_size, int) or not layout.is_slot_size(slot_size):
            raise ValueError(f"slot_size {slot_size!r}: a multiple of {layout.PAGE}, at most {layout.LARGEST_SLOT}")
        path = os.fspath(directory) if isinstance(directory, os.PathLike) else directory
        if path is not None and (not isinstance(path, str) or "\0" in path):
            raise ValueError(f"directory {directory!r}: a path, as a str without NUL")
        self.directory = os.path.abspath(path or names.directory(os.environ))
        self._slot_size = slot_size

    @property
    def where(self) -> str:
        """The directory."""
        return self.directory

    def claim(self, sequence: str, instance: str = "", *, power: bool = False) -> FileClaim:
        """Claim a record (hafta.stores.protocol.Store.claim)."""
        place = claiming.Place(self.directory, names.file_name(sequence, instance))
        try:
            return claiming.claim(place, self._slot_size, power=power)
        except OSError as error:
            raise trust.explained(error, place.path) from error

    def peek(self, sequence: str, instance: str = "") -> Snapshot | None:
        """Return the state of a record (hafta.stores.protocol.Store.peek)."""
        return peeking.peek(os.path.join(self.directory, names.file_name(sequence, instance)))

    def snapshots(self) -> list[Snapshot]:
        """Return every record (hafta.stores.protocol.Store.snapshots)."""
        try:
            found = [(name, names.parse(name)) for name in sorted(os.listdir(self.directory))]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise trust.explained(error, self.directory) from error
        seen = [peeking.look(self.directory, name, *parsed) for name, parsed in found if parsed]
        return [snapshot for snapshot in seen if snapshot is not None]

    def discard(self, sequence: str, instance: str = "") -> bool:
        """Remove a record (hafta.stores.protocol.Store.discard)."""
        place = claiming.Place(self.directory, names.file_name(sequence, instance))
        try:
            claiming.discard(place)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise trust.explained(error, place.path) from error
        return True
