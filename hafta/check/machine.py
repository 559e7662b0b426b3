"""Rules of the machine: the journal that hafta log and hafta report read, and the clock: HC040 to HC045."""

from __future__ import annotations

from hafta.check.rule import ERROR, WARNING, Spot, at, rule
from hafta.frozen import Frozen
from hafta.units.amounts import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.units.unitfile import Entry

WEEK = 7 * 86_400.0  # seconds: what hafta report looks at without --since
LEAST = 64 << 20  # bytes of a journal
FEW = 10.0  # lines in a second
MANY = 100  # files
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50, "E": 1 << 60}


class Machine(Frozen):
    """What was found out about a machine. None: it could not be."""

    settings: tuple[Entry, ...] = ()  # of journald.conf and its drop-ins
    has_folder: bool = True  # /var/log/journal
    folder: str = "/var/log/journal"
    files: int = 0  # of the journal
    broken: tuple[Spot, ...] = ()  # files of it that cannot be read
    is_synchronised: bool | None = None  # its clock

    def last(self, name: str) -> Entry | None:
        """Return the setting of journald that counts."""
        found = [one for one in self.settings if (one.section, one.name) == ("Journal", name)]
        return found[-1] if found and found[-1].value else None


@rule(
    "HC040", WARNING, "the journal is only in memory",
    reason="What happened before the last boot is not known: hafta report begins there, and when the machine crashes,"
    " nobody can see why.",
    cure="mkdir /var/log/journal && journalctl --flush, or set Storage=persistent in journald.conf",
    bad="[Journal]\nStorage=volatile", good="[Journal]\nStorage=persistent",
)  # fmt: skip
def volatile(machine: Machine) -> Iterator[Spot]:
    """Find a journal that a reboot removes."""
    entry = machine.last("Storage")
    storage = entry.value if entry else "auto"
    if entry and storage in {"volatile", "none"}:
        yield at(entry, f"Storage={storage}: a reboot removes the journal")
    elif storage != "persistent" and not machine.has_folder:
        yield Spot("there is no such directory, so the journal is in memory", machine.folder)


@rule(
    "HC041", WARNING, "the journal is kept for a short time",
    reason="hafta report looks at the last 7 days. What journald has removed by then is unknown, and no promise (--slo)"
    " can be shown to be kept.",
    cure="leave MaxRetentionSec= out or set it to 1month, and SystemMaxUse= to 64M or more",
    bad="[Journal]\nMaxRetentionSec=2d", good="[Journal]\nMaxRetentionSec=1month",
)  # fmt: skip
def retention(machine: Machine) -> Iterator[Spot]:
    """Find limits of time and of size."""
    entry = machine.last("MaxRetentionSec")
    if entry and 0 < _seconds(entry, WEEK) < WEEK:
        yield at(entry, f"MaxRetentionSec={entry.value}: hafta report looks at 7 days")
    entry = machine.last("SystemMaxUse")
    if entry and _size(entry.value) < LEAST:
        yield at(entry, f"SystemMaxUse={entry.value}: room for a few days at most")


@rule(
    "HC042", WARNING, "journald drops lines soon, or never",
    reason="A low limit cuts off what services say in a storm, when it matters. Without a limit one loop that logs"
    " removes the entries of all others.",
    cure="leave RateLimitIntervalSec= and RateLimitBurst= as they are: 10,000 lines in 30 s",
    bad="[Journal]\nRateLimitBurst=100", good="[Journal]\nRateLimitBurst=10000",
)  # fmt: skip
def limits(machine: Machine) -> Iterator[Spot]:
    """Find a limit that is off, or too low."""
    burst, interval = machine.last("RateLimitBurst"), machine.last("RateLimitIntervalSec")
    span = _seconds(interval, 30.0) if interval else 30.0
    lines = int(burst.value[:18]) if burst and burst.value.isascii() and burst.value.isdigit() else 10_000
    entry = burst or interval
    if entry and (span == 0 or lines == 0):
        yield at(entry, f"{entry.name}={entry.value}: no limit of lines")
    elif entry and lines < FEW * span < float("inf"):
        yield at(entry, f"{lines} lines in {span:g} s: a storm is cut off")


@rule(
    "HC043", WARNING, "the clock is not synchronised",
    reason="Times in the journal are compared with those of other machines, and records say by the clock since when a"
    " sequence stands. A step of the clock makes both wrong.",
    cure="install and enable systemd-timesyncd or chrony: timedatectl set-ntp true",
    bad="timedatectl says: System clock synchronized: no", good="timedatectl says: System clock synchronized: yes",
)  # fmt: skip
def clock(machine: Machine) -> Iterator[Spot]:
    """Find a clock that nobody sets."""
    if machine.is_synchronised is False:
        yield Spot("the clock is not synchronised, says timedatectl")


@rule(
    "HC044", WARNING, "the journal has very many files",
    reason="Each reader opens all of them: hafta status, hafta log and journalctl become slow. Very many come from a"
    " machine that is switched off without a shutdown, and from small limits of size.",
    cure="journalctl --vacuum-files=50, and look why there are so few entries in each: SystemMaxFileSize=, power cuts",
    bad=f"More than {MANY} files in /var/log/journal.", good="A dozen files in /var/log/journal.",
)  # fmt: skip
def many_files(machine: Machine) -> Iterator[Spot]:
    """Find a crowd of files."""
    if machine.files > MANY:
        yield Spot(f"{machine.files} files of the journal", machine.folder)


@rule(
    "HC045", ERROR, "a file of the journal cannot be read",
    reason="Readers leave a damaged file out without a word, or end in the middle of it. What happened in that time is"
    " missing from every answer.",
    cure="keep a copy if it matters, then remove it: journalctl --rotate, and rm",
    bad="A file of the journal of which journalctl --verify says FAIL.", good="journalctl --verify says PASS of all.",
)  # fmt: skip
def broken_files(machine: Machine) -> Iterator[Spot]:
    """Give the files that are damaged."""
    yield from machine.broken


def _seconds(entry: Entry, default: float) -> float:
    try:
        return seconds(entry.value)
    except ValueError:
        return default


def _size(text: str) -> float:
    digits = text.rstrip("KMGTPEB").strip()
    unit = text[len(digits) :].strip().removesuffix("B")
    try:
        return float(digits[:18]) * _SIZES.get(unit, 1)
    except ValueError:
        return float("inf")  # a share of the disk, or not understood


MACHINE = (volatile, retention, limits, clock, many_files, broken_files)
