"""Finding the records of services on this machine, and reading them without disturbing the processes that write them.

Reading takes no lock and writes nothing (hafta/stores/file/peeking.py), so it makes no difference whether a process is
alive, hung or dead. A record that cannot be read is an entry too, which says why: nothing is left out silently.
"""

from __future__ import annotations

import os

from hafta import exits
from hafta.causes import cause_of
from hafta.durable import codec
from hafta.engine.machine import Phase
from hafta.errors import HaftaError, StoreError
from hafta.frozen import Frozen
from hafta.observe.sources.places import children
from hafta.stores.file import names, peeking
from hafta.stores.protocol import Incident, Snapshot
from hafta.units.roots import CONTROL, roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hafta.durable.position import Position
    from hafta.stores.protocol import Store

#: Where systemd makes the directories of services, and where DynamicUser= puts them.
SYSTEM = ("/var/lib", "/var/lib/private", "/run", "/run/private")


class Entry(Frozen):
    """One record, as far as it can be read."""

    snapshot: Snapshot
    position: Position | None  # where the sequence stands; None: nothing to resume, or unreadable
    trouble: Incident | None = None  # why it is unreadable

    @property
    def name(self) -> str:
        """How people name it: SEQUENCE or SEQUENCE@INSTANCE."""
        seen = self.snapshot
        return f"{seen.sequence}@{seen.instance}" if seen.instance else seen.sequence

    @property
    def owner(self) -> int:
        """Who could have written it: the id of a user; -1 where that is not known."""
        return self.snapshot.owner

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
        if self.position is None or self.position.sequences[0].doing.function is Phase.DONE:
            return "ended"
        return "stopped" if self.position.sequences[-1].doing.stopped else "interrupted"

    @property
    def kept(self) -> dict[str, Any]:
        """The values that belong to no node (docs/durable-rules.md, section 7)."""
        return (self.position.sequences[-1].kept or {}) if self.position else {}


def find(directories: Iterable[str]) -> list[Entry]:
    """Return every record in these directories, by name. Raises HaftaError for one that cannot be read."""
    found = []
    for directory in directories:
        try:
            found += _in_directory(directory)
        except OSError as error:
            raise _unreadable(directory, error) from error
    return sorted(found, key=lambda entry: (entry.name, entry.directory))


def find_in(store: Store) -> list[Entry]:
    """Return every record of a store that hosts share. Raises StoreError."""
    return sorted(map(_entry, store.snapshots()), key=lambda entry: entry.name)


def find_here(environ: Mapping[str, str]) -> tuple[list[Entry], list[str]]:
    """Return the records of this machine's services, and HAFTA's directories that cannot be read."""
    found, closed = [], []
    for directory in _directories(environ):
        try:
            found += _in_directory(directory)
        except PermissionError:
            if os.path.basename(directory).startswith("hafta"):
                closed.append(directory)
        except OSError:
            continue  # it has gone meanwhile
    return sorted(found, key=lambda entry: (entry.name, entry.directory)), closed


def pick(entries: list[Entry], name: str) -> Entry:
    """Return the record of this name; the instance may be left out. Raises HaftaError if there is none, or several."""
    exact = [entry for entry in entries if entry.name == name]
    named = exact or [entry for entry in entries if entry.snapshot.sequence == name]
    if not named:
        hint = "list the records: hafta checkpoints; only root can read those of other users"
        raise HaftaError(f"there is no record of {name}", hint, status=exits.NOT_FOUND)
    if len(named) > 1:
        places = ", ".join(entry.snapshot.path for entry in named)
        hint = "say which: SEQUENCE@INSTANCE, or --directory"
        raise HaftaError(f"{name} is more than one record: {places}", hint, status=exits.USAGE)
    return named[0]


def _directories(environ: Mapping[str, str]) -> list[str]:
    """Return where services of this machine and this user keep records, each real directory once."""
    mine = roots(environ, environ.get("HAFTA_RUNTIME_DIR", ""), environ.get("HAFTA_STATE_DIR", ""))
    try:
        own = [names.directory(environ)]
    except StoreError:
        own = []  # neither the environment nor the user has a directory
    above = dict.fromkeys((*SYSTEM, *_with_others(mine.state), *_with_others(mine.runtime)))
    seen: dict[object, str] = {}
    found = [path for parent in above for path in children(parent)]
    below = [path for parent in found for path in children(parent)]  # StateDirectory=NAME/INSTANCE
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


def _with_others(root: str) -> list[str]:
    """Return an overlord's root, and the one that it shares with other services: never /tmp, or / itself."""
    return [root, os.path.dirname(root)] if os.path.basename(root) == CONTROL else [root]


def _in_directory(directory: str) -> list[Entry]:
    found = [(name, names.parse(name)) for name in sorted(os.listdir(directory))]
    entries = [_look(directory, name, *parsed) for name, parsed in found if parsed]
    return [entry for entry in entries if entry is not None]


def _look(directory: str, name: str, sequence: str, instance: str) -> Entry | None:
    """Return a record as far as it can be read; whatever is wrong with it must not hide the others."""
    try:
        seen = peeking.look(directory, name, sequence, instance)
        return None if seen is None else _entry(seen)
    except Exception as error:
        path = os.path.join(directory, name)
        trouble = Incident("damaged", f"{path}: the record cannot be understood: {type(error).__name__}: {error}")
        empty = Snapshot(sequence, instance, path, None, 0.0, None, held=False, incidents=(trouble,))
        return Entry(empty, None, trouble)


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
    return HaftaError(f"cannot read {directory}: {cause_of(error).words}", hint, status=status)
