"""One directory with the units of all packages, as on a machine that has all of them installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

INSTANCE = "main"  # of a template that has no DefaultInstance=


class Shipped(NamedTuple):
    """A service as a package ships it. A template stands for one of its instances."""

    name: str
    package: str
    is_own: bool  # of systemd itself


def merge(folders: dict[str, Path], target: Path) -> dict[str, str]:
    """Copy the units of all packages into one directory; return the package of each file. The first one counts."""
    owners: dict[str, str] = {}
    for package, folder in folders.items():
        for file in sorted(folder.rglob("*")):
            name = str(file.relative_to(folder))
            if file.is_dir() and not file.is_symlink():
                (target / name).mkdir(parents=True, exist_ok=True)
            elif name not in owners:
                owners[name] = package
                shutil.copy(file, target / name, follow_symlinks=False)
    return owners


def enable(target: Path, owners: dict[str, str]) -> None:
    """Make the links that `systemctl enable` makes for Alias=, as Debian's packages do when they are installed."""
    for name in [each for each in sorted(owners) if each.endswith(".service") and "/" not in each]:
        if not os.path.islink(target / name):
            for alias in _values(target / name, "Alias"):
                if not os.path.lexists(target / alias):
                    (target / alias).symlink_to(name)


def services(target: Path, owners: dict[str, str], own: list[str]) -> list[Shipped]:
    """Return the services in their order. Links are names of others, or mask them."""
    names = [name for name in sorted(owners) if name.endswith(".service") and "/" not in name]
    return [
        Shipped(_instance(target, name), owners[name], owners[name] in own)
        for name in names
        if not os.path.islink(target / name)
    ]


def _instance(target: Path, name: str) -> str:
    if not name.endswith("@.service"):
        return name
    given = _values(target / name, "DefaultInstance")
    return name.replace("@.", f"@{given[-1] if given else INSTANCE}.")


def _values(file: Path, directive: str) -> list[str]:
    """Return the words of a directive that stands in [Install]."""
    lines = file.read_text(errors="surrogateescape").splitlines()
    return [word for line in lines if line.startswith(f"{directive}=") for word in line.partition("=")[2].split()]
