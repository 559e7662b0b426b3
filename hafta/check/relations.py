"""Rules of what a unit has to do with others, and with the machine: HC025 to HC029."""

from __future__ import annotations

from hafta.check.rule import NOTE, WARNING, at, rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.check.rule import Spot
    from hafta.check.unit import Merged


@rule(
    "HC025", WARNING, "another service takes this one down with it",
    reason="A sequence rolls back and tries again when a service that it uses has gone. Requires= and BindsTo= stop it"
    " instead: the outage of one becomes the outage of two, and what was in progress is interrupted.",
    cure="use Wants= and After=, and let a policy decide how long to try",
    bad="[Unit]\nRequires=database.service\nAfter=database.service",
    good="[Unit]\nWants=database.service\nAfter=database.service",
)  # fmt: skip
def required(unit: Merged) -> Iterator[Spot]:
    """Find services that ours cannot be without."""
    for name in ("Requires", "BindsTo", "Requisite"):
        for entry in unit.all(name, "Unit"):
            services = [word for word in entry.value.split() if word.endswith(".service")]
            if unit.is_ours and services:
                yield at(entry, f"{name}={' '.join(services)}: its end is the end of this one")


@rule(
    "HC026", WARNING, "a restart of another service restarts this one",
    reason="With PartOf= of a service, each restart of that one by hand or by an upgrade interrupts what is in progress"
    " here. A target is another matter: it stands for its parts.",
    cure="use After= and Wants=, or PartOf= of a target",
    bad="[Unit]\nPartOf=database.service", good="[Unit]\nPartOf=shop.target",
)  # fmt: skip
def part_of(unit: Merged) -> Iterator[Spot]:
    """Find a service that ours is a part of."""
    for entry in unit.all("PartOf", "Unit"):
        services = [word for word in entry.value.split() if word.endswith(".service")]
        if unit.is_ours and services:
            yield at(entry, f"PartOf={' '.join(services)}: it is restarted and stopped together with that")


@rule(
    "HC027", NOTE, "an alarm that does not ring",
    reason="OnFailure= starts its unit when this one is given up. With Restart=always and no limit of starts that never"
    " happens: crashes are restarted, and nobody is told.",
    cure="set a limit that only real trouble meets (StartLimitIntervalSec=10, StartLimitBurst=40), or watch it with"
    " hafta status",
    bad="[Unit]\nOnFailure=page@%n.service\nStartLimitIntervalSec=0\n# no StartLimitBurst=\n[Service]\nRestartSec=0",
    good="[Unit]\nOnFailure=page@%n.service\nStartLimitIntervalSec=10\nStartLimitBurst=40\n[Service]\nRestartSec=0",
)  # fmt: skip
def silent(unit: Merged) -> Iterator[Spot]:
    """Find an alarm of a unit that is never given up."""
    entry = unit.last("OnFailure", "Unit")
    limits = [
        unit.value(name, None, section)
        for section in ("Unit", "Service")
        for name in ("StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst")
        if section == "Unit" or name != "StartLimitIntervalSec"
    ]
    prevented = unit.last("RestartPreventExitStatus")
    if entry and unit.value("Restart") == "always" and 0 in limits:
        besides = f" but for status {prevented.value}" if prevented else ""
        yield at(entry, f"OnFailure={entry.value} is never started{besides}: every end is followed by a restart")


@rule(
    "HC028", NOTE, "a stop leaves a link behind",
    reason="With DynamicUser= the runtime directory is a link into /run/private. If it is kept over restarts, systemd"
    " leaves the link behind when the service is stopped. It leads nowhere, and the next start replaces it.",
    cure="give the service a user (User=), or leave it so",
    bad="# no User=\nDynamicUser=yes\nRuntimeDirectoryPreserve=restart",
    good="User=feed\nRuntimeDirectoryPreserve=restart",
)  # fmt: skip
def link(unit: Merged) -> Iterator[Spot]:
    """Find a dynamic user with a directory that is kept."""
    kept = unit.last("RuntimeDirectoryPreserve")
    if kept and unit.value("DynamicUser", default=False) and unit.value("RuntimeDirectoryPreserve") != "no":
        yield at(kept, f"DynamicUser= with RuntimeDirectoryPreserve={kept.value}: a stop leaves a link in /run")


@rule(
    "HC029", WARNING, "trouble of one service restarts the machine",
    reason="A service that cannot start after a reboot either makes the machine reboot for ever, and all other services"
    " with it.",
    cure="leave StartLimitAction= and FailureAction= out, if the machine has anything else to do",
    bad="[Unit]\nStartLimitAction=reboot", good="# no StartLimitAction=",
)  # fmt: skip
def reboots(unit: Merged) -> Iterator[Spot]:
    """Find what ends the machine."""
    for name in ("StartLimitAction", "FailureAction"):
        for section in ("Unit", "Service"):
            entry = unit.last(name, section)
            if entry and entry.value.startswith(("reboot", "poweroff", "halt", "kexec", "soft-reboot", "exit")):
                yield at(entry, f"{name}={entry.value}: trouble here is the end of everything on this machine")


RELATIONS = (required, part_of, silent, link, reboots)
