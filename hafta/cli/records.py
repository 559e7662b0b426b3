"""Finding the records of services on this machine, and reading them without disturbing whoever writes them.

Looking takes no lock and writes nothing (hafta/stores/looking.py), so a record of a live, a hung and a dead process
reads alike. What cannot be read is an entry, too, which says why: nothing that is there is left out silently.
"""

from __future__ import annotations

import os

from hafta import exits
from hafta.drivers import ledger
from hafta.drivers.book import KEPT
from hafta.errors import HaftaError, StoreError
from hafta.overlord.dirs import roots
from hafta.record import Record
from hafta.stores import codec, looking, names
from hafta.stores.protocol import Incident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hafta.stores.codec import Position
    from hafta.stores.protocol import Snapshot

#: Where systemd makes the directories of services, and where DynamicUser= puts them.
SYSTEM = ("/var/lib", "/var/lib/private", "/run", "/run/private")

_WORDS = frozenset({ledger.BETWEEN, ledger.NORMAL, ledger.BACK, ledger.ROLLBACK, ledger.UNWIND, ledger.ENDED})


class Entry(Record):
    """One record, as far as it can be read."""

    snapshot: Snapshot
    position: Position | None  # where the sequence stands; None: nothing to tell, or unreadable
    trouble: Incident | None = None  # why it is unreadable

    @property
    def name(self) -> str:
        """How people name it: SEQUENCE or SEQUENCE@INSTANCE."""
        seen = self.snapshot
        return f"{seen.sequence}@{seen.instance}" if seen.instance else seen.sequence

    @property
    def directory(self) -> str:
        """Where it is."""
        return os.path.dirname(self.snapshot.path)

    @property
    def status(self) -> str:
        """One word: running, interrupted, stopped, ended, or the kind of trouble (docs/store.md, section 3)."""
        if self.trouble is not None:
            return self.trouble.kind
        if self.snapshot.held:
            return "running"
        if self.position is None or doing(self.position.levels[0].phase) == ledger.ENDED:
            return "ended"
        return "stopped" if is_stopped(self.position.levels[-1].phase) else "interrupted"

    @property
    def kept(self) -> dict[str, Any]:
        """The values that belong to no node (docs/durable.md, section 7)."""
        state = self.position.levels[-1].state if self.position else {}
        return {name.removeprefix(KEPT): value for name, value in state.items() if name.startswith(KEPT)}


def state_of(level: codec.Level) -> dict[str, Any]:
    """Return the state of a node without what the caller keeps."""
    return {name: value for name, value in level.state.items() if not name.startswith(KEPT)}


def doing(phase: str) -> str:
    """Return the word of a recorded phase that says what was running (hafta/drivers/ledger.py)."""
    return next((word for word in phase.split(" ") if word in _WORDS), phase)


def is_stopped(phase: str) -> bool:
    """Tell whether the process was asked to stop, rather than killed."""
    before, _, _ = phase.partition(doing(phase))
    return ledger.STOPPED in before.split(" ")


def find(directories: Iterable[str]) -> list[Entry]:
    """Return every record in these directories, by name. Raises HaftaError for one that cannot be looked into."""
    found = []
    for directory in directories:
        try:
            found += _in_directory(directory)
        except OSError as error:
            raise _unreadable(directory, error) from error
    return sorted(found, key=lambda entry: (entry.name, entry.directory))


def find_here(environ: Mapping[str, str]) -> tuple[list[Entry], list[str]]:
    """Return the records of this machine's services, and the directories of HAFTA's that cannot be looked into."""
    found, closed = [], []
    for directory in _directories(environ):
        try:
            found += _in_directory(directory)
        except PermissionError:
            if os.path.basename(directory).startswith("hafta"):
                closed.append(directory)
        except OSError:
            continue  # gone meanwhile
    return sorted(found, key=lambda entry: (entry.name, entry.directory)), closed


def pick(entries: list[Entry], name: str) -> Entry:
    """Return the record of this name; the instance may be left out. Raises HaftaError if there is none, or several."""
    exact = [entry for entry in entries if entry.name == name]
    named = exact or [entry for entry in entries if entry.snapshot.sequence == name]
    if not named:
        hint = "see what there is: hafta checkpoints; those of other users' services only root can read"
        raise HaftaError(f"there is no record of {name}", hint, status=exits.NOT_FOUND)
    if len(named) > 1:
        places = ", ".join(entry.snapshot.path for entry in named)
        hint = "say which: SEQUENCE@INSTANCE, or --directory"
        raise HaftaError(f"{name} is more than one record: {places}", hint, status=exits.USAGE)
    return named[0]


def _directories(environ: Mapping[str, str]) -> list[str]:
    """Return where services of this machine and this user keep records, each real directory once."""
    mine = roots(environ)
    try:
        own = [names.directory(environ)]
    except StoreError:
        own = []  # neither the environment nor the user has a directory
    above = dict.fromkeys(
        (*SYSTEM, mine.state, os.path.dirname(mine.state), mine.runtime, os.path.dirname(mine.runtime))
    )
    seen: dict[object, str] = {}
    found = [path for parent in above for path in _children(parent)]
    below = [path for parent in found for path in _children(parent)]  # StateDirectory=NAME/INSTANCE
    for directory in (*own, *found, *below):
        try:
            info = os.stat(directory)
        except PermissionError:
            seen[directory] = directory
        except OSError:
            continue
        else:
            seen.setdefault((info.st_dev, info.st_ino), directory)
    return list(seen.values())


def _children(parent: str) -> list[str]:
    try:
        with os.scandir(parent) as entries:
            return sorted(entry.path for entry in entries if entry.is_symlink() or entry.is_dir())
    except OSError:
        return []


def _in_directory(directory: str) -> list[Entry]:
    found = [(name, names.parse(name)) for name in sorted(os.listdir(directory))]
    seen = [looking.look(directory, name, *parsed) for name, parsed in found if parsed]
    return [_entry(snapshot) for snapshot in seen if snapshot is not None]


def _entry(seen: Snapshot) -> Entry:
    if seen.saved is None:
        return Entry(seen, None, seen.incidents[0] if seen.incidents else None)
    try:
        return Entry(seen, codec.position(seen.saved.frame, seen.saved.body))
    except StoreError as error:
        return Entry(seen, None, Incident(error.kind, error.message))


def _unreadable(directory: str, error: OSError) -> HaftaError:
    if isinstance(error, PermissionError):
        hint, status = "run it as root, or as the directory's owner", exits.PERMISSION
    elif isinstance(error, FileNotFoundError):
        hint, status = "without --directory it looks where services keep their records", exits.NOT_FOUND
    else:
        hint, status = "name the directory that has hafta-*.checkpoint files", exits.NOT_FOUND
    return HaftaError(f"cannot look into {directory}: {error.strerror}", hint, status=status)
