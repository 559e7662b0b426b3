"""Rules of unit files themselves: what is ignored, stale, masked, and what cannot be understood: HC034 to HC038."""

from __future__ import annotations

from hafta.check.rule import ERROR, NOTE, WARNING, Spot, rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.check.unit import Merged


@rule(
    "HC034", NOTE, "hafta run does not act on this",
    reason="The embedded overlord runs the same unit files where systemd is not PID 1. What it does not act on is"
    " missing there. The sandbox is not counted: hafta run has none.",
    cure="nothing, as long as systemd runs it; docs/overlord.md has what hafta run acts on",
    bad="TTYPath=/dev/tty9", good="# no TTYPath=",
)  # fmt: skip
def unheeded(unit: Merged) -> Iterator[Spot]:
    """Give what the embedded overlord leaves out."""
    said = {(spot.file, spot.line) for spot in unit.seen.verified}
    yield from (spot for spot in unit.unheeded if (spot.file, spot.line) not in said)


@rule(
    "HC035", WARNING, "systemd has not read the files as they are now",
    reason="What was changed on disk counts only after a reload: until then restarts use what systemd has read before.",
    cure="systemctl daemon-reload, then systemctl restart",
    bad="A unit whose file was changed after systemd had read it.", good="The same after systemctl daemon-reload.",
)  # fmt: skip
def stale(unit: Merged) -> Iterator[Spot]:
    """Find files that are newer than what systemd knows."""
    if unit.seen.stale:
        yield Spot("changed on disk since systemd read it", unit.file)


@rule(
    "HC036", WARNING, "a file hides the unit",
    reason="A mask keeps the unit from starting, whatever else its files say. A file of the same name in a directory"
    " that comes first takes the place of the packaged one whole: upgrades of that one do not reach it.",
    cure="systemctl unmask, or remove the copy and write what differs into a drop-in (systemctl edit)",
    bad="/etc/systemd/system/feed.service next to /usr/lib/systemd/system/feed.service.",
    good="/usr/lib/systemd/system/feed.service with /etc/systemd/system/feed.service.d/local.conf.",
)  # fmt: skip
def shadowed(unit: Merged) -> Iterator[Spot]:
    """Find a mask, or a copy."""
    if unit.seen.masked:
        yield Spot("masked: it cannot be started", unit.seen.masked)
    for file in unit.seen.hides:
        yield Spot(f"takes the place of {file}", unit.file)


@rule(
    "HC037", ERROR, "a line cannot be understood",
    reason="systemd ignores such a line with a warning in its journal, and the default counts. hafta run does not run"
    " the unit at all.",
    cure="correct the line",
    bad="TimeoutStopSec=soon", good="TimeoutStopSec=5",
)  # fmt: skip
def not_understood(unit: Merged) -> Iterator[Spot]:
    """Give the lines that mean nothing."""
    yield from unit.problems


@rule(
    "HC038", ERROR, "systemd-analyze verify has something to say",
    reason="systemd's own check reads the unit as PID 1 does: programs that are not there, directives that it does not"
    " know, units that are required and missing.",
    cure="correct what the line says, or install what is missing",
    bad="A unit with a directive that systemd does not know.", good="A unit about which systemd-analyze says nothing.",
)  # fmt: skip
def verified(unit: Merged) -> Iterator[Spot]:
    """Give what systemd says, but for lines that were found already."""
    known = {(spot.file, spot.line) for spot in unit.problems if spot.line}
    yield from (spot for spot in unit.seen.verified if (spot.file, spot.line) not in known)


FILES = (unheeded, stale, shadowed, not_understood, verified)
