"""One unit may have many names: which file a name means, and which names a file has (systemd.unit(5), aliases).

Rules, as systemd has them:
1. Of files with the same name, the one in the first directory counts.
2. A symbolic link to a name in one of the directories is an alias: the unit is the one that the link names, from
   whichever directory that comes. A link to anywhere else (and to /dev/null) is a file under the link's own name.
3. An alias of a template is one for all its instances. An instance without a file comes from its template.
4. The drop-ins of a unit are those of all its names.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KINDS = (".d", ".wants", ".requires")  # of directories that say more of a unit
_FOLLOWED = 8  # links of a chain


class Name:
    """A unit's name and its parts: `prefix@instance.suffix`."""

    def __init__(self, full: str) -> None:
        self.full = full
        self.stem, _, self.suffix = full.rpartition(".")
        self.prefix, at, self.instance = self.stem.partition("@")
        self.is_instance = bool(at and self.instance)
        self.is_template = bool(at and not self.instance)
        self.template = f"{self.prefix}@.{self.suffix}" if at else ""

    def with_instance(self, instance: str) -> str:
        """Return the name of an instance of this template."""
        return f"{self.prefix}@{instance}.{self.suffix}"


class Names:
    """The names of all units in some directories, looked at once."""

    def __init__(self, path: Sequence[str]) -> None:
        self._path = tuple(path)
        self._folders: set[str] = set()
        self._kinds: set[str] = set()  # their names, in whichever directory
        self._roots = tuple({os.path.realpath(folder) for folder in path})
        self._files: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._names_of: dict[str, list[str]] = {}
        for folder in path:
            for name in sorted(listed(folder)):
                if name.endswith(_KINDS):
                    self._folders.add(f"{folder}/{name}")
                    self._kinds.add(name)
                elif "." in name and name not in self._files and name not in self._aliases:
                    self._take(folder, name)

    def _take(self, folder: str, name: str) -> None:
        file = os.path.join(folder, name)
        target = self._alias_in(file)
        if not target:
            if not os.path.isdir(file):
                self._files[name] = file
        elif target != name and _may_be_alias(Name(name), Name(target)):
            self._aliases[name] = target

    def _alias_in(self, file: str) -> str:
        """Return the name that a link stands for, empty if it is not an alias."""
        try:
            target = os.path.join(os.path.dirname(file), os.readlink(file))
        except OSError:
            return ""
        place = os.path.realpath(os.path.dirname(target))
        inside = any(place == root or place.startswith(root + "/") for root in self._roots)
        return os.path.basename(target) if inside else ""

    def drop_in_folders(self, names: Sequence[str], kind: str) -> list[str]:
        """Return the directories `NAME.kind` of a unit with these names, those that win first.

        The unit's names decide first, then the order of the directories; service.d is the weakest everywhere.
        """
        wanted = [[f"{each}.{kind}" for each in drop_in_names(Name(name))] for name in names]
        wanted += [[f"{Name(names[0]).suffix}.{kind}"]]
        found = [
            f"{folder}/{each}"
            for several in wanted
            if not self._kinds.isdisjoint(several)
            for folder in self._path
            for each in several
        ]
        return [each for each in dict.fromkeys(found) if each in self._folders]

    def resolve(self, name: str) -> tuple[str, str]:
        """Return the unit's own name and its file; the file is empty if there is none."""
        own, file = self._follow(name)
        if file:
            return own, file
        parts = Name(name)
        template, file = self._follow(parts.template) if parts.is_instance else ("", "")
        return (Name(template).with_instance(parts.instance), file) if file else (own, "")

    def _follow(self, name: str) -> tuple[str, str]:
        """Return where a chain of aliases ends. One that ends nowhere does not count."""
        first, instance = name, Name(name).instance
        for _ in range(_FOLLOWED):
            if name not in self._aliases:
                break
            name = self._aliases[name]
        own = Name(name).with_instance(instance) if instance and Name(name).is_template else name
        file = self._files.get(name, "")
        if not file and name != first and Name(name).is_instance:
            own, file = self.resolve(name)
        return (own, file) if file else (first, "")

    def all_of(self, name: str) -> list[str]:
        """Return all names of a unit, its own one first."""
        if not self._names_of:
            for alias in sorted(self._aliases):
                self._names_of.setdefault(self.resolve(alias)[0], []).append(alias)
        parts = Name(name)
        found = dict.fromkeys((name, *self._names_of.get(name, ())))
        if parts.is_instance and name not in self._files:  # it comes from a template, and so do other names of it
            others = [Name(alias).with_instance(parts.instance) for alias in self._names_of.get(parts.template, ())]
            found |= dict.fromkeys(other for other in others if self.resolve(other)[0] == name)
        return list(found)


def _may_be_alias(name: Name, target: Name) -> bool:
    """Tell whether a link between these names is an alias; any other is ignored."""
    if name.suffix != target.suffix:
        return False
    if name.is_instance:
        return target.is_template or target.instance == name.instance
    return name.is_template == target.is_template and not target.is_instance


def listed(folder: str) -> list[str]:
    """Return the names in a directory, none if it cannot be read."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def drop_in_names(name: Name) -> Iterator[str]:
    """Give the names whose drop-in directories count for a unit, its own first; that of its kind comes after all."""
    yield name.full
    if name.is_instance:
        yield from drop_in_names(Name(name.template))
    shorter = name.prefix.removesuffix("-").rpartition("-")[0]
    if shorter:
        instance = f"@{name.instance}" if name.is_instance else ""
        yield from drop_in_names(Name(f"{shorter}-{instance}.{name.suffix}"))
