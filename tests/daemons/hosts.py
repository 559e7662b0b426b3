"""Two hosts for the same units: a booted machine with systemd, and a container whose PID 1 is the overlord.

A test asks both the same questions and does not know which one answers.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from booted import Machine
from booted.machine import MachineError
from booted.rootfs import root_file_system
from booted.runtime import owner_of, podman
from table import SUITE

ROOT = Path(__file__).parents[2]
ASK = Path(__file__).with_name("ask.py").read_text()
UNITS = "/etc/systemd/system"


class Asked(Machine):
    """What is asked in the same words: `systemctl VERB`, `hafta ctl VERB`."""

    def ask(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run systemctl."""
        return self.run("systemctl", *words, check=check)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Return properties of a unit."""
        text = self.ask("show", unit, f"--property={','.join(properties)}").stdout
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def state(self, unit: str) -> str:
        """Return active, failed, activating, ..."""
        return self.get(unit, "ActiveState")

    def main(self, unit: str) -> int:
        """Return the main process, 0 if there is none."""
        return int(self.get(unit, "MainPID"))


class Systemd(Asked):
    """A booted machine. What a test has started and written is gone after `clear()`."""

    def __init__(self) -> None:
        super().__init__(SUITE)
        self._written: list[str] = []
        self._started: tuple[str, ...] = ()
        self._since = ""

    def start(self, *units: str, files: dict[str, str] | None = None) -> None:
        """Write the files, then start the units and wait until all are up."""
        for path, text in {"/srv/ask.py": ASK, **(files or {})}.items():
            self.write(path, text)
            self._written.append(path)
        self._started = units
        self._since = self.cursor()
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "reset-failed")
        self.run("systemctl", "start", *units)

    def processes(self, pattern: str) -> list[str]:
        """Return the processes whose names match."""
        return self.run("pgrep", pattern, check=False).stdout.split()

    def logs(self, unit: str) -> str:
        """Return what the processes of a unit have said on their output."""
        return "\n".join(entry["MESSAGE"] for entry in self.journal(f"_SYSTEMD_UNIT={unit}", since=self._since))

    def finish(self) -> int:
        """Stop the units in their order; return the exit status of that."""
        return self.run("systemctl", "stop", *self._started, check=False).returncode

    def clear(self) -> None:
        """Remove what the test has started and written."""
        self.run("systemctl", "stop", *self._started, check=False)
        self.run("rm", "-f", *self._written)
        self._written.clear()


class Overlord(Asked):
    """A container of the same root file system with the overlord as PID 1, run as people run containers."""

    def __init__(self) -> None:
        super().__init__(SUITE)
        self._folder = tempfile.TemporaryDirectory(prefix="hafta-daemons-")

    def start(self, *units: str, files: dict[str, str] | None = None) -> None:
        """Start a container that runs the units, and wait until all are up."""
        volumes = [f"--volume={ROOT}/hafta:/srv/hafta/hafta:ro"]
        for number, (path, text) in enumerate({"/srv/ask.py": ASK, **(files or {})}.items()):
            file = Path(self._folder.name, str(number))
            file.write_text(text)
            volumes.append(f"--volume={file}:{path}:ro")
        podman(
            *("run", "--detach", "--name", self.name, "--label", f"hafta.owner={owner_of(os.getpid())}"),
            *("--network", "none", "--log-driver", "k8s-file", "--env", "PYTHONPATH=/srv/hafta", *volumes),
            *("--rootfs", f"{root_file_system(SUITE)}:O", "python3", "-P", "-m", "hafta.overlord", *units),
        )
        self.pid = int(self._inspect("Pid"))
        for unit in units:
            self.wait_until(f"{unit} is up", lambda unit=unit: self._is_up(unit))

    def _is_up(self, unit: str) -> bool:
        if self._has_ended():
            raise MachineError(f"the overlord has ended:\n{self.tail()}")
        return self.ask("is-active", "--quiet", unit, check=False).returncode == 0

    def ask(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run hafta ctl in the container."""
        command = ("env", "PYTHONPATH=/srv/hafta", "python3", "-P", "-m", "hafta.control", *words)
        return self.run(*command, check=check)

    def processes(self, pattern: str) -> list[str]:
        """Return the processes whose names match; with PID 1, all are gone."""
        return [] if self._has_ended() else self.run("pgrep", pattern, check=False).stdout.split()

    def _has_ended(self) -> bool:
        return self._inspect("Status") == "exited"

    def logs(self, unit: str) -> str:
        """Return what the processes of a unit have said on their output."""
        lines = [line.partition("| ") for line in self.tail(0).splitlines()]
        return "\n".join(text for name, _, text in lines if name.strip() in {unit, unit.removesuffix(".service")})

    def tail(self, lines: int = 200) -> str:
        """Return the end of what the container has written, or with 0 all of it."""
        text = podman("logs", self.name, check=False)
        return "\n".join((text.stdout + text.stderr).splitlines()[-lines:])

    def finish(self) -> int:
        """Stop the container as `podman stop` does; return its exit status."""
        if not self._has_ended():
            podman("kill", "--signal", "TERM", self.name)
        self._wait_for_exit()
        return int(self._inspect("ExitCode"))

    def remove(self) -> None:
        """Remove it with all that it wrote."""
        super().remove()
        self._folder.cleanup()


Host = Systemd | Overlord
