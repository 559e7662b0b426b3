"""The default store: one small file per sequence instance, in a directory of the service's own (docs/store.md)."""

from __future__ import annotations

import os

from hafta.stores import layout, looking, names, opening, trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.protocol import Snapshot
    from hafta.stores.slots import FileClaim


class FileStore:
    """Records in the files of one directory.

    `directory`: by default where systemd says (STATE_DIRECTORY), else below the XDG state directory; made when first
    claimed.
    `slot_size`: of new files, a multiple of 4096 bytes; a frame and a body together must fit into one slot.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None, *, slot_size: int = layout.PAGE) -> None:
        if not isinstance(slot_size, int) or not layout.is_slot_size(slot_size):
            raise ValueError(f"slot_size {slot_size!r}: a multiple of {layout.PAGE}, at most {layout.LARGEST_SLOT}")
        path = os.fspath(directory) if isinstance(directory, os.PathLike) else directory
        if path is not None and (not isinstance(path, str) or "\0" in path):
            raise ValueError(f"directory {directory!r}: a path, as a str without NUL")
        self.directory = os.path.abspath(path or names.directory(os.environ))
        self._slot_size = slot_size

    def claim(self, sequence: str, instance: str = "", *, durable: bool = False) -> FileClaim:
        """Claim a record (hafta.stores.protocol.Store.claim)."""
        place = opening.Place(self.directory, names.file_name(sequence, instance))
        try:
            return opening.claim(place, self._slot_size, durable=durable)
        except OSError as error:
            raise trust.explained(error, place.path) from error

    def peek(self, sequence: str, instance: str = "") -> Snapshot | None:
        """Return where a record stands (hafta.stores.protocol.Store.peek)."""
        return looking.peek(os.path.join(self.directory, names.file_name(sequence, instance)))

    def snapshots(self) -> list[Snapshot]:
        """Return every record (hafta.stores.protocol.Store.snapshots)."""
        try:
            found = [(name, names.parse(name)) for name in sorted(os.listdir(self.directory))]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise trust.explained(error, self.directory) from error
        seen = [looking.look(self.directory, name, *parsed) for name, parsed in found if parsed]
        return [snapshot for snapshot in seen if snapshot is not None]

    def discard(self, sequence: str, instance: str = "") -> bool:
        """Remove a record (hafta.stores.protocol.Store.discard)."""
        place = opening.Place(self.directory, names.file_name(sequence, instance))
        try:
            opening.discard(place)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise trust.explained(error, place.path) from error
        return True
