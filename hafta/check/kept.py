"""Finding records, and what there is around them: who owns their directories, which programs keep records there."""

from __future__ import annotations

import os
import time

from hafta.check.records import Kept, Program
from hafta.observe.sources import published, records
from hafta.stores.file import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hafta.observe.sources.records import Entry


class Records:
    """The records of this machine, looked at once, and only if somebody asks."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._programs: list[Program] = []
        self._entries: list[Entry] | None = None
        self.missing: list[str] = []

    def knows(self, program: Program) -> None:
        """Take what an import has found: it counts for the records of its sequence, wherever they are."""
        self._programs.append(program)

    def all(self) -> list[Entry]:
        """Return the records of services of this machine and this user, those that may be read."""
        if self._entries is None:
            found, closed = records.find_here(self._environ)
            self._entries = self._readable(found)
            self.missing += [f"records in {path}: only root and the service's own user" for path in closed]
        return self._entries

    def named(self, name: str) -> list[Entry]:
        """Return the records of a name: SEQUENCE@INSTANCE, or SEQUENCE for all its instances."""
        return [entry for entry in self.all() if name in {entry.name, entry.snapshot.sequence}]

    def by_file(self, path: str) -> list[Entry]:
        """Return the record in a file. Raises HaftaError for a directory that cannot be read."""
        folder, name = os.path.split(os.path.abspath(path))
        return self._readable([one for one in records.find([folder]) if os.path.basename(one.snapshot.path) == name])

    def kept(self, entry: Entry) -> Kept:
        """Return a record as the rules see it."""
        try:
            owner = os.stat(entry.directory).st_uid
        except OSError:
            owner = -1
        return Kept(entry, time.time(), owner, tuple(self._known(entry)))

    def _known(self, entry: Entry) -> Iterable[Program]:
        """Return the programs that may resume it: those that were imported, else those that describe themselves."""
        imported = [one for one in self._programs if one.sequence == entry.snapshot.sequence]
        if imported:
            return imported
        return [
            Program(sequence)
            for each in published.find(self._environ)
            if each.records == entry.directory and each.instance == entry.snapshot.instance
            for sequence in each.sequences
        ]

    def _readable(self, found: Iterable[Entry]) -> list[Entry]:
        """Return those that may be read, and say which may not."""
        kept = []
        for entry in found:
            if entry.trouble is not None and entry.trouble.kind == "permission":
                self.missing.append(f"{entry.snapshot.path}: only its owner and root may read it")
            else:
                kept.append(entry)
        return kept


def is_record(path: str) -> bool:
    """Tell whether a file is named as a record is."""
    return names.parse(os.path.basename(path)) is not None
