"""Root file systems of the machines, made once by mmdebstrap and kept outside the checkout.

1. The place is $HAFTA_CACHE, else ${XDG_CACHE_HOME:-~/.cache}/hafta; the name ends in a hash of all that goes in.
2. A tree is built under a lock, beside its place, and renamed into it: what stands there is whole.
3. What an interrupted build left is removed by the next one, under the same lock.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from booted.runtime import lock

#: What every machine has; the packages under test bring nothing but themselves.
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "python3", "python3-click", "python3-sdnotify", "python3-systemd",
    "autopkgtest", "bash-completion", "man-db", "procps", "rpm",
)  # fmt: skip
#: The pages of the packages under test are installed, and a journal that outlives a reboot is kept.
DPKG_OPTIONS = ("path-include=/usr/share/man/*", "path-include=/usr/share/doc/hafta*")
SETUP = (
    'mkdir -p "$1/var/log/journal"',
    'printf hafta-test > "$1/etc/hostname"',
    'rm -f "$1/etc/machine-id" && : > "$1/etc/machine-id"',
    'chroot "$1" systemctl mask getty.target console-getty.service',
)
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Suite:
    """A release of Debian."""

    name: str
    systemd: int
    python: str
    variant: str = ""  # one with other packages, in a word
    packages: tuple[str, ...] = ()  # these, in place of those that every machine has
    setup: tuple[str, ...] = ()  # more steps

    def with_packages(self, variant: str, packages: tuple[str, ...], setup: tuple[str, ...] = ()) -> Suite:
        """Return the same release with these packages."""
        return replace(self, variant=variant, packages=packages, setup=setup)

    @property
    def label(self) -> str:
        """What names of files and machines begin with."""
        return f"{self.name}-{self.variant}" if self.variant else self.name

    @property
    def key(self) -> str:
        """A hash of all that decides what the tree holds."""
        text = "\n".join((self.name, *(self.packages or PACKAGES), *DPKG_OPTIONS, *SETUP, *self.setup))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


SUITES = {"bookworm": Suite("bookworm", 252, "3.11"), "trixie": Suite("trixie", 257, "3.13")}


def cache_directory() -> Path:
    """Return where root file systems are kept, made if needed."""
    given = os.environ.get("HAFTA_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = Path(given) if given else base / "hafta"
    place.mkdir(parents=True, exist_ok=True)
    return place


def root_file_system(suite: Suite, cache: Path | None = None) -> Path:
    """Return the whole tree of a suite, building it if nobody has yet."""
    cache = cache or cache_directory()
    tree = cache / f"rootfs-{suite.label}-{suite.key}"
    if tree.is_dir():
        return tree
    with lock(cache / f"rootfs-{suite.label}.lock"):
        if not tree.is_dir():
            building = cache / f"rootfs-{suite.label}.building"
            _remove(building)
            _build(suite, building)
            building.rename(tree)
    return tree


def build_command(suite: Suite, tree: Path) -> list[str]:
    """Return the command that makes the tree."""
    options = [f"--dpkgopt={option}" for option in DPKG_OPTIONS] + [
        f"--customize-hook={step}" for step in (*SETUP, *suite.setup)
    ]
    packages = f"--include={','.join(suite.packages or PACKAGES)}"
    return ["mmdebstrap", "--mode=root", "--variant=minbase", packages, *options, suite.name, str(tree)]


def _build(suite: Suite, tree: Path) -> None:
    print(f"building the root file system of {suite.label} (a minute or two, once)", file=sys.stderr, flush=True)
    environ = {**os.environ, "PATH": PATH, "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(build_command(suite, tree), env=environ, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"mmdebstrap {suite.name} failed with {done.returncode}:\n{done.stderr[-4000:]}")


def _remove(tree: Path) -> None:
    subprocess.run(["rm", "--recursive", "--force", "--one-file-system", "--", str(tree)], check=True)
