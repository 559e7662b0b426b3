"""Our two services in a machine: starting them with settings, watching them read, and finding what they said."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from booted import MachineError

if TYPE_CHECKING:
    from booted import Machine

SERVER = "hafta-server.service"
CLIENT = "hafta-client.service"

#: systemd's own events, by MESSAGE_ID (systemd/sd-messages.h).
STARTED = "39f53479d3a045ac8e11786248231fbf"
EXITED = "98e322203f7a4ed290d09fe03c09fe15"
FAILED = "d9b373ed55a64feb8242e02dbe79a49c"


def configure(machine: Machine, unit: str, **settings: object) -> None:
    """Write a service's configuration file: configure(machine, SERVER, interval=0.05)."""
    lines = [f"HAFTA_{name.upper()}={value}\n" for name, value in settings.items()]
    machine.write(f"/etc/default/{unit.removesuffix('.service')}", "".join(lines))


def start(machine: Machine, **server: object) -> None:
    """Start both until records are read; the server with these settings, or else fast and without bad data."""
    configure(machine, SERVER, **(server or {"interval": 0.05, "bad_rate": 0}))
    cursor = machine.cursor()
    machine.run("systemctl", "start", "hafta.target")
    wait_for_read(machine, cursor)


def stop(machine: Machine) -> None:
    """Stop both and forget how they failed."""
    machine.sh(
        "systemctl unmask --runtime hafta-server hafta-client 2>/dev/null;"
        "systemctl stop hafta.target hafta-server hafta-client 'hafta-client@*';"
        "systemctl reset-failed 'hafta*' 2>/dev/null; rm -rf /etc/systemd/system/hafta*.d; systemctl daemon-reload",
        check=False,
    )


def wait_for_read(machine: Machine, cursor: str) -> dict[str, str]:
    """Return the first entry after the cursor in which the client tells of good records."""

    def read() -> dict[str, str] | None:
        entries = machine.journal(f"_SYSTEMD_UNIT={CLIENT}", "HAFTA_EVENT=said", since=cursor, sync=False)
        return next((entry for entry in entries if re.match(r"\d+ successful read", entry["MESSAGE"])), None)

    found = machine.wait_until("the client reads good records", read)
    assert found is not None
    return found


def is_running(machine: Machine, unit: str) -> bool:
    """Tell whether a unit is up and stays so."""
    return machine.show(unit, "ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}


def pid(machine: Machine, unit: str) -> int:
    """Return the main process of a unit."""
    return int(machine.get(unit, "MainPID"))


def wait_for_other_pid(machine: Machine, unit: str, old: int) -> int:
    """Return the main process that took the place of `old` and is up."""

    def other() -> int:
        now = pid(machine, unit)
        return now if now not in {0, old} and is_running(machine, unit) else 0

    return machine.wait_until(f"{unit} runs again", other)


def wait_for_pings(machine: Machine, unit: str, seconds: float) -> None:
    """Wait until the unit has fed its watchdog so many seconds after now, without having been restarted."""
    restarts = machine.get(unit, "NRestarts")
    begin = float(machine.sh("cut -d' ' -f1 /proc/uptime"))

    def pinged() -> bool:
        now = machine.show(unit, "WatchdogTimestampMonotonic", "NRestarts")
        assert now["NRestarts"] == restarts, f"{unit} was restarted"
        return int(now["WatchdogTimestampMonotonic"]) / 1_000_000 >= begin + seconds

    machine.wait_until(f"{unit} feeds its watchdog", pinged, seconds + 90)


def said(machine: Machine, unit: str, event: str, since: str) -> list[dict[str, str]]:
    """Return the entries of one kind of event of a unit, after a cursor."""
    return machine.journal(f"_SYSTEMD_UNIT={unit}", f"HAFTA_EVENT={event}", since=since)


def gave_up(machine: Machine, unit: str, since: str) -> bool:
    """Tell whether systemd met the start limit after a cursor. (Result= goes on showing how the last run failed.)"""
    return bool(machine.journal(f"UNIT={unit}", f"MESSAGE={unit}: Start request repeated too quickly.", since=since))


def sent_at(entry: dict[str, str]) -> float:
    """Return when an entry was sent, in seconds since 1970: journald may have come to it only later."""
    return int(entry["_SOURCE_REALTIME_TIMESTAMP"]) / 1_000_000


def stands_for(entries: list[dict[str, str]]) -> int:
    """Return how many events the entries stand for."""
    return sum(int(entry.get("HAFTA_REPEATED", "1")) for entry in entries)


def leftovers(machine: Machine) -> list[str]:
    """Return processes and files of ours that stay when all is stopped: PID 1 removes private directories later on."""
    left: list[str] = []

    def nothing() -> bool:
        processes = machine.sh("ps -e -o pid=,args= | grep '[h]afta' || :")
        files = machine.sh("find /run /tmp /var/tmp /dev/shm -name '*hafta*' ! -path '/run/systemd/*' 2>/dev/null || :")
        left[:] = [*processes.splitlines(), *files.splitlines()]
        return not left

    with contextlib.suppress(MachineError):
        machine.wait_until("nothing is left", nothing)
    return left
