"""Fetching the unit files of Debian packages: by apt-get download, unpacked by dpkg-deb, kept outside the checkout.

1. The place is `corpus-CODENAME` in the cache of the root file systems: a directory per package with its unit files.
2. A package is unpacked beside its place, and renamed into it: what stands there is whole. It is not fetched again.
3. A package that the release does not have is named and left out; if packages cannot be fetched, nothing is measured.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "system"))

from booted.rootfs import cache_directory
from booted.runtime import lock

LIST = HERE / "packages.txt"
#: Where packages put units. Those of a newer layout of the file system stand in the same directory.
FOLDERS = ("lib/systemd/system/", "usr/lib/systemd/system/", "etc/systemd/system/")
ATTEMPTS = 3
PAUSE = 5.0  # seconds before the second attempt; then twice as long each time
LONGEST = 900.0  # seconds that one attempt may take
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


class FetchError(Exception):
    """The packages cannot be had; the text says why, the hint what to do."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


class Fetched(NamedTuple):
    """Where the unit files of each package stand, and the names that this release does not have."""

    release: str
    folders: dict[str, Path]
    missing: list[str]


def package_names(file: Path = LIST) -> tuple[list[str], list[str]]:
    """Return the packages of systemd itself, and the others."""
    own, _, others = file.read_text().partition("\n\n")
    return tuple([line for line in part.split("\n") if line and line[0] != "#"] for part in (own, others))


def fetch(names: list[str]) -> Fetched:
    """Return the unit files of the packages, fetching what is not there yet. Raises FetchError."""
    release = _codename()
    place = cache_directory() / f"corpus-{release}"
    place.mkdir(exist_ok=True)
    with lock(place / ".lock"):
        wanted = [name for name in names if not (place / name).is_dir()]
        known = _known(wanted)
        missing = [name for name in wanted if name not in known]
        if names == missing:
            raise FetchError("apt knows none of the packages", "run apt-get update, and try again")
        if known:
            _fetch(known, place)
    return Fetched(release, {name: place / name for name in names if name not in missing}, missing)


def _codename() -> str:
    words = Path("/etc/os-release").read_text()
    found = [line.partition("=")[2].strip('"') for line in words.splitlines() if line.startswith("VERSION_CODENAME=")]
    if not found or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise FetchError(
            "the packages are Debian's, and this is not Debian", "run it on Debian, or in a container of it"
        )
    return found[0]


def _known(names: list[str]) -> list[str]:
    """Return those that can be downloaded."""
    if not names:
        return []
    text = _run("apt-cache", "policy", *names).stdout
    found, name = [], ""
    for line in text.splitlines():
        if not line.startswith(" "):
            name = line.rstrip(":")
        elif line.startswith("  Candidate:") and not line.endswith("(none)"):
            found.append(name)
    return found


def _fetch(names: list[str], place: Path) -> None:
    print(f"fetching {len(names)} packages (some minutes, once)", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=".download-") as directory:
        _download(names, Path(directory))
        for file in sorted(Path(directory).glob("*.deb")):
            _unpack(file, place)


def _download(names: list[str], directory: Path) -> None:
    pause = PAUSE
    for attempt in range(1, ATTEMPTS + 1):
        try:
            done = _run("apt-get", "--quiet", "download", *names, cwd=directory)
            words = done.stderr.strip()
            if done.returncode == 0:
                return
        except subprocess.TimeoutExpired:
            words = f"not done within {LONGEST:g} s"
        if attempt < ATTEMPTS:
            print(f"attempt {attempt} failed: {words[-300:]}", file=sys.stderr, flush=True)
            time.sleep(pause)
            pause *= 2
    last = (words or "no reason given").splitlines()[-1]
    hint = "see whether a mirror of Debian can be reached: apt-get update"
    raise FetchError(f"cannot fetch {len(names)} packages in {ATTEMPTS} attempts: {last}", hint)


def _unpack(file: Path, place: Path) -> None:
    """Take the unit files of a package out of it."""
    building = place / f".building-{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    reader = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE, env=ENVIRONMENT)
    problem = f"dpkg-deb cannot read {file.name}"
    try:
        with reader, tarfile.open(fileobj=reader.stdout, mode="r|") as tar:
            for member in tar:
                _take(tar, member, building)
    except tarfile.TarError as error:
        raise FetchError(f"{problem}: {error}", "try again") from error
    if reader.returncode:
        raise FetchError(f"{problem}: status {reader.returncode}", "try again")
    name = file.name.partition("_")[0]
    building.rename(place / name)
    file.unlink()


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    path = member.name.removeprefix("./")
    folder = next((folder for folder in FOLDERS if path.startswith(folder)), "")
    if not folder or ".." in path.split("/"):
        return
    target = into / path.removeprefix(folder)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        target.symlink_to(member.linkname)
    elif data := tar.extractfile(member):
        target.write_bytes(data.read())


def _run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT, check=False, capture_output=True, text=True, timeout=LONGEST
    )
