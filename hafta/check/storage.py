"""Rules of where the hold-off counts and where checkpoints are kept: HC016 to HC019."""

from __future__ import annotations

from hafta.check.rule import ERROR, WARNING, at, rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.check.rule import Spot
    from hafta.check.unit import Merged

_ELSEWHERE = ("state", "store")  # settings that say where records are


@rule(
    "HC016", WARNING, "the hold-off has no place to count crashes",
    reason="A service of HAFTA counts its crashes in $RUNTIME_DIRECTORY. Without one it never holds itself back: with"
    " RestartSec=0 a crash at once is repeated without end, or up to the limit of starts.",
    cure="set RuntimeDirectory=NAME and RuntimeDirectoryPreserve=restart",
    bad="# no RuntimeDirectory=\n# no RuntimeDirectoryPreserve=",
    good="RuntimeDirectory=feed\nRuntimeDirectoryPreserve=restart",
)  # fmt: skip
def no_place(unit: Merged) -> Iterator[Spot]:
    """Find a service that cannot count."""
    if unit.is_ours and not unit.last("RuntimeDirectory"):
        yield unit.spot("no RuntimeDirectory=: it cannot count its crashes, and never holds itself back", "ExecStart")


@rule(
    "HC017", WARNING, "each restart forgets the crashes before it",
    reason="systemd removes a runtime directory whenever the service ends, also for a restart, unless it is told to"
    " keep it. With it go the count of crashes, and checkpoints that are kept there.",
    cure="set RuntimeDirectoryPreserve=restart",
    bad="RuntimeDirectory=feed\n# no RuntimeDirectoryPreserve=",
    good="RuntimeDirectory=feed\nRuntimeDirectoryPreserve=restart",
)  # fmt: skip
def not_preserved(unit: Merged) -> Iterator[Spot]:
    """Find a count that is always one."""
    if unit.is_ours and unit.last("RuntimeDirectory") and unit.value("RuntimeDirectoryPreserve", "no") == "no":
        text = "RuntimeDirectory= is emptied at each restart, and with it the count of crashes"
        yield unit.spot(text, "RuntimeDirectoryPreserve", "RuntimeDirectory")


@rule(
    "HC018", ERROR, "checkpoints have no place",
    reason="Without StateDirectory= and RuntimeDirectory= the records go to a home, which services often do not have"
    " or may not write to. Then it cannot start.",
    cure="set StateDirectory=NAME",
    bad="ExecStart=/usr/bin/python3 -m hafta.service --durable feed:feed\n# no StateDirectory=\n# no RuntimeDirectory="
    "\n# no RuntimeDirectoryPreserve=",
    good="ExecStart=/usr/bin/python3 -m hafta.service --durable feed:feed\nStateDirectory=feed",
)  # fmt: skip
def no_store(unit: Merged) -> Iterator[Spot]:
    """Find a durable service without any directory."""
    if _uses_directories(unit) and not unit.last("StateDirectory") and not unit.last("RuntimeDirectory"):
        yield unit.spot("checkpoints, and neither StateDirectory= nor RuntimeDirectory=", "ExecStart")


def _uses_directories(unit: Merged) -> bool:
    """Tell whether it keeps checkpoints where systemd says, as no setting names another place."""
    return unit.is_durable and not any(map(unit.setting, _ELSEWHERE))


@rule(
    "HC019", WARNING, "checkpoints are kept where they do not last",
    reason="/run is in memory: a reboot removes what is there, and systemd removes a runtime directory when the"
    " service is stopped. The sequence then begins from its start, and what was begun is not rolled back.",
    cure="set StateDirectory=NAME, and no --state below /run or /tmp",
    bad="ExecStart=/usr/bin/python3 -m hafta.service --durable feed:feed\n# no StateDirectory=\nRuntimeDirectory=feed",
    good="ExecStart=/usr/bin/python3 -m hafta.service --durable feed:feed\nStateDirectory=feed",
)  # fmt: skip
def short_lived(unit: Merged) -> Iterator[Spot]:
    """Find records in memory."""
    place = unit.setting("state")
    if unit.is_body and place.startswith(("/run/", "/tmp/", "/dev/shm/")):  # noqa: S108 - named, not used
        entry = unit.last("Environment") if place not in " ".join(unit.words) else unit.last("ExecStart")
        if entry:
            yield at(entry, f"checkpoints in {place}: they are gone after a reboot")
    elif _uses_directories(unit) and unit.last("RuntimeDirectory") and not unit.last("StateDirectory"):
        yield unit.spot("checkpoints in the runtime directory: a stop or a reboot removes them", "RuntimeDirectory")


STORAGE = (no_place, not_preserved, no_store, short_lived)
