"""RuntimeDirectory= and its kin: names below a root, links to them, and the reader of both (systemd.exec(5))."""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.units import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from hafta.units.specifiers import Specifiers

#: One word: the name of a directory, and a link to it; empty for none.
Folder = tuple[str, str]
_EXPECTED = "names of directories in UTF-8, not absolute and without .."


class Folders(Frozen):
    """The directories of one kind. A link is (directory, link), both below the root."""

    names: tuple[str, ...] = ()
    links: tuple[Folder, ...] = ()
    mode: int = 0o755


class Directories(Frozen):
    """All directories of a unit, as fields of the same names as those of `Roots`."""

    runtime: Folders = Folders()
    state: Folders = Folders()
    cache: Folders = Folders()
    logs: Folders = Folders()
    configuration: Folders = Folders()

    def kinds(self) -> Iterator[tuple[str, Folders]]:
        """Give each kind that the unit has, with its name."""
        return ((kind, getattr(self, kind)) for kind in self._fields if getattr(self, kind).names)


#: Those of a unit that has none.
NONE = Directories()


def gather(values: dict[str, Any]) -> Directories:
    """Take the directories out of the values of a unit; those of one kind in the order of their names, as systemd."""
    found: dict[str, Folders] = {}
    for kind in Directories._fields:
        if f"{kind}_directory" not in values and f"{kind}_mode" not in values:
            continue
        words_ = values.pop(f"{kind}_directory", ())
        names = tuple(sorted({name for name, _ in words_}))
        links = tuple(dict.fromkeys(word for word in words_ if word[1]))
        found[kind] = Folders(names, links, values.pop(f"{kind}_mode", Folders().mode))
    return Directories(**found) if found else NONE


def folders(*, links: bool) -> Callable[[str, Specifiers], tuple[Folder, ...]]:
    """Make a reader of names of directories, each with a link behind a colon if there may be any."""

    def read(value: str, specifiers: Specifiers) -> tuple[Folder, ...]:
        found = []
        for word in words.split(value, words.RAW):
            name, *more = words.split(word, words.DIRECTORY) or ("",)
            link = folder(specifiers.expand(more[0])) if more else ""
            if link and not links:
                raise ValueError("names of directories; a link cannot be made for them")
            path = folder(specifiers.expand(name))
            if path.split("/")[0] == "private":
                raise ValueError("names of directories other than private, which is reserved")
            found.append((path, link))
        return tuple(found)

    return read


def folder(name: str) -> str:
    """Return the name of a directory as it is used. Raises ValueError saying what was expected."""
    path = words.simplified(name)
    if not path or path.startswith("/") or ".." in path.split("/") or not words.is_utf8(path):
        raise ValueError(_EXPECTED)
    return path
