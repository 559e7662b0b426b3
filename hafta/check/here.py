"""What is found out about this machine: journald's settings and files, and its clock."""

from __future__ import annotations

import os

from hafta.check.machine import Machine
from hafta.check.rule import Spot
from hafta.errors import HaftaError
from hafta.systemd.tools import run
from hafta.units.files import read_text
from hafta.units.names import listed
from hafta.units.roots import BOOTED
from hafta.units.unitfile import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.units.unitfile import Entry

JOURNALS = "/var/log/journal"
#: The first that is there counts; drop-ins of all, by name.
SETTINGS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
MAGIC = b"LPKSHHRH"  # how each file of a journal begins
DEEP = 600.0  # seconds for verifying all of it


def machine(*, deep: bool) -> tuple[Machine | None, list[str]]:
    """Return what is known of this machine, None where no systemd runs; and what could not be seen."""
    if not os.path.isdir(BOOTED):
        return None, ["this machine's journal and clock: systemd does not run here"]
    missing: list[str] = []
    files = list(_journal_files())
    broken = [spot for file in files if (spot := _head(file, missing))]
    if deep:
        broken += _verified(missing)
    found = Machine(
        tuple(_settings()), os.path.isdir(JOURNALS), JOURNALS, len(files), tuple(dict.fromkeys(broken)), _clock(missing)
    )
    return found, list(dict.fromkeys(missing))


def _settings() -> Iterator[Entry]:
    """Give the assignments of journald's configuration, in their order. What cannot be read is as if it were empty."""
    main = [f"{folder}/journald.conf" for folder in SETTINGS]
    drop_ins: dict[str, str] = {}
    for folder in SETTINGS:
        for name in listed(f"{folder}/journald.conf.d"):
            if name.endswith(".conf"):
                drop_ins.setdefault(name, f"{folder}/journald.conf.d/{name}")
    first = [file for file in main if os.path.exists(file)][:1]
    for file in (*first, *(drop_ins[name] for name in sorted(drop_ins))):
        try:
            yield from parse(read_text(file), file, [])
        except (OSError, ValueError):
            continue


def _journal_files() -> Iterator[str]:
    for folder in listed(JOURNALS):
        for name in listed(f"{JOURNALS}/{folder}"):
            if name.endswith((".journal", ".journal~")):
                yield f"{JOURNALS}/{folder}/{name}"


def _head(file: str, missing: list[str]) -> Spot | None:
    """Return what is wrong with the beginning of a file."""
    try:
        with open(file, "rb") as journal:
            head = journal.read(len(MAGIC))
    except PermissionError:
        missing.append("files of the journal: only root and the group systemd-journal may read them")
        return None
    except OSError:
        return None  # it has gone meanwhile
    return None if head == MAGIC else Spot("does not begin as a journal does", file)


def _verified(missing: list[str]) -> list[Spot]:
    """Return the files of which journalctl says that they are damaged."""
    try:
        said = run("journalctl", "--verify", "--quiet", timeout=DEEP).stderr
    except HaftaError as error:
        missing.append(f"journalctl --verify: {error.message}")
        return []
    lines = [line.strip() for line in said.splitlines() if line.strip().startswith("FAIL: ")]
    return [Spot("damaged, says journalctl --verify", line.removeprefix("FAIL: ").partition(" (")[0]) for line in lines]


def _clock(missing: list[str]) -> bool | None:
    try:
        said = run("timedatectl", "show", "--property=NTPSynchronized", "--value").stdout.strip()
    except HaftaError as error:
        said = error.message
    if said not in {"yes", "no"}:
        missing.append("the clock: timedatectl does not answer")
        return None
    return said == "yes"
