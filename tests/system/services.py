"""Our two services in a machine: starting them with settings, watching them read, and finding what they said."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
from typing import TYPE_CHECKING, Any

from booted import MachineError

if TYPE_CHECKING:
    from pathlib import Path

    from booted import Machine

SERVER = "hafta-server.service"
CLIENT = "hafta-client.service"

#: Whether the services run as shipped, warm; HAFTA_TEST_WARM=0 runs all tests on cold ones.
IS_WARM = os.environ.get("HAFTA_TEST_WARM", "1") != "0"
COLD = "[Service]\nEnvironment=HAFTA_WARM=0\n"

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


def is_running(machine: Machine, *units: str) -> bool:
    """Tell whether units are up and stay so."""
    up = {"ActiveState": "active", "SubState": "running"}
    return all(machine.show(unit, "ActiveState", "SubState") == up for unit in units)


def wait_for_running(machine: Machine, *units: str) -> None:
    """Wait until units are up."""
    machine.wait_until(f"{', '.join(units)} run", lambda: is_running(machine, *units))


def explained(machine: Machine, *matches: str) -> str:
    """Return what `journalctl -x` shows of these entries."""
    return machine.run("journalctl", "-x", "--no-pager", *matches).stdout


def checkpoints(machine: Machine) -> dict[str, dict[str, Any]]:
    """Return the records that root sees, by SEQUENCE or SEQUENCE@INSTANCE."""
    found = json.loads(machine.run("hafta", "checkpoints", "--json").stdout)
    return {record["sequence"] + ("@" + record["instance"] if record["instance"] else ""): record for record in found}


def push_packages(machine: Machine, packages: Path, pattern: str = "*.deb", place: str = "/srv/packages") -> None:
    """Put the packages of a directory there."""
    for package in sorted(packages.glob(pattern)):
        machine.push(package, f"{place}/{package.name}")


def seeded() -> random.Random:
    """Return what chooses at random, by the seed of $HAFTA_TEST_SEED or one that is printed."""
    seed = int(os.environ.get("HAFTA_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
    print(f"HAFTA_TEST_SEED={seed}")
    return random.Random(seed)


def pid(machine: Machine, unit: str) -> int:
    """Return the main process of a unit."""
    return int(machine.get(unit, "MainPID"))


def worker(machine: Machine, unit: str) -> int:
    """Return the process of a unit that does the work: the worker of a warm parent; else the main process."""
    main = pid(machine, unit)
    lines = machine.sh(f"ps -o pid=,args= --ppid {main} || :").splitlines()
    return next((int(line.split()[0]) for line in lines if line.rstrip().endswith(": worker")), main)


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
