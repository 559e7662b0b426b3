"""One booted machine: run, push, show, journal, wait_until."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shlex
import subprocess
import tarfile
import tempfile
import time
from typing import TYPE_CHECKING

from booted.rootfs import Suite, root_file_system
from booted.runtime import CAPABILITIES, JOURNAL_QUEUE, owner_of, podman

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self, TypeVar

    T = TypeVar("T")

_numbers = itertools.count(1)

PATIENCE = 90.0  # seconds that are waited for what comes within one or two on a machine with nothing else to do
LONGEST = 300.0  # seconds that a command may take


class MachineError(AssertionError):
    """A command in a machine failed, or what was waited for did not come; the text has all that it said."""


class Machine:
    """A container with systemd as PID 1. Usable as a context; leaving it removes the machine."""

    def __init__(self, suite: Suite, *options: str) -> None:
        self.suite = suite
        self.options = options  # of podman run
        self.name = f"hafta-test-{os.getpid()}-{suite.label}-{next(_numbers)}"
        self.pid = 0

    def __enter__(self) -> Self:
        return self.boot()

    def __exit__(self, *_details: object) -> None:
        self.remove()

    def boot(self) -> Self:
        """Boot it for the first time and wait until systemd says that it is up."""
        tree = root_file_system(self.suite)
        try:
            podman(
                *("run", "--detach", "--name", self.name, "--label", f"hafta.owner={owner_of(os.getpid())}"),
                *("--network", "none", "--systemd", "always", "--cap-add", CAPABILITIES),
                *("--sysctl", f"net.unix.max_dgram_qlen={JOURNAL_QUEUE}"),
                *(*self.options, "--rootfs", f"{tree}:O", "/sbin/init"),
            )
            self._wait_for_boot()
        except BaseException:
            self.remove()
            raise
        return self

    def connect(self) -> None:
        """Connect it to what it is to reach while it boots: to nothing."""

    def reboot(self) -> None:
        """Shut down as `systemctl reboot` does, and boot the same disk again."""
        self.run("systemctl", "reboot", check=False)
        self._wait_for_exit()
        podman("start", self.name)
        self._wait_for_boot()

    def remove(self) -> None:
        """Remove it with all that it wrote. If that takes too long, the next run does it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            podman("rm", "--force", "--time", "0", self.name, check=False)

    def run(
        self, *command: str, check: bool = True, timeout: float = LONGEST, stdin: str | bytes = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root in the machine. Raises MachineError if it fails, unless told not to check."""
        words = ["nsenter", "--target", str(self.pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--", *command]
        environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root", "TERM": "dumb"}
        data = stdin.encode() if isinstance(stdin, str) else stdin
        raw = subprocess.run(words, env=environ, input=data, check=False, capture_output=True, timeout=timeout, cwd="/")
        out, err = (stream.decode(errors="replace") for stream in (raw.stdout, raw.stderr))
        if check and raw.returncode:
            raise MachineError(f"{shlex.join(command)}: status {raw.returncode}\n{out}{err}")
        return subprocess.CompletedProcess(command, raw.returncode, out, err)

    def sh(self, script: str, *, check: bool = True, timeout: float = LONGEST) -> str:
        """Run a shell script and return what it printed."""
        return self.run("sh", "-euc", script, check=check, timeout=timeout).stdout

    def push(self, source: Path, target: str) -> None:
        """Copy a file or a directory into the machine, owned by root, as `target`."""
        with tempfile.TemporaryFile() as file:
            with tarfile.open(fileobj=file, mode="w") as tar:
                tar.add(source, arcname=target.lstrip("/"), filter=_owned_by_root)
            file.seek(0)
            self.run("tar", "--extract", "--directory", "/", stdin=file.read())

    def write(self, path: str, text: str) -> None:
        """Write a file of the machine, making its directory."""
        self.run("sh", "-euc", 'mkdir -p "${1%/*}"; cat > "$1"', "sh", path, stdin=text)

    def install(self, packages: Path) -> None:
        """Install the .deb packages of a directory, as fast as dpkg can."""
        for package in sorted(packages.glob("*.deb")):
            self.push(package, f"/srv/packages/{package.name}")
        self.run("sh", "-euc", "dpkg --install /srv/packages/*.deb")

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Return properties of a unit as `systemctl show` has them."""
        text = self.run("systemctl", "show", unit, f"--property={','.join(properties)}").stdout
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def get(self, unit: str, key: str) -> str:
        """Return one property of a unit."""
        return self.show(unit, key)[key]

    def journal(self, *matches: str, since: str = "", sync: bool = True) -> list[dict[str, str]]:
        """Return the entries that match (FIELD=value, or an option of journalctl), after the cursor `since`.

        All that was sent before is among them; who looks again and again, for what is yet to come, can do without.
        journalctl 252 loses the first match after --after-cursor= if the entry of the cursor is no match itself.
        """
        if sync:
            self.run("journalctl", "--sync")
        begin = [f"--cursor={since}"] if since else []
        text = self.run("journalctl", "--output=json", "--all", "--no-pager", "--quiet", *begin, *matches).stdout
        entries = [json.loads(line) for line in text.splitlines()]
        return [entry for entry in entries if entry["__CURSOR"] != since]

    def cursor(self) -> str:
        """Return where the journal ends now: after everything that was sent before."""
        self.run("journalctl", "--sync")
        text = self.run("journalctl", "--lines=0", "--show-cursor", "--no-pager", "--quiet").stdout
        return text.partition("-- cursor: ")[2].strip()

    def tail(self, lines: int = 80) -> str:
        """Return the end of the journal, for the report of a failed test."""
        words = ("--no-pager", "--quiet", "--priority=info", f"--lines={lines}")
        return self.run("journalctl", *words, check=False).stdout

    def wait_until(self, what: str, condition: Callable[[], T], timeout: float = PATIENCE) -> T:
        """Return the first true answer of `condition()`. Raises MachineError, naming `what`, when the time is up."""
        end = time.monotonic() + timeout
        while True:
            if answer := condition():
                return answer
            if time.monotonic() > end:
                raise MachineError(f"not within {timeout:g} s: {what} (last answer: {answer!r})\n{self.tail(30)}")
            time.sleep(0.1)  # between two looks; nothing is assumed to have happened in it, and no time measured by it

    def wait_for_entry(self, *matches: str, since: str = "", timeout: float = PATIENCE) -> dict[str, str]:
        """Return the first entry that matches, as soon as it is there."""
        what = f"an entry with {' '.join(matches)}"
        return self.wait_until(what, lambda: self.journal(*matches, since=since, sync=False), timeout)[0]

    def wait_for_state(self, unit: str, state: str, timeout: float = PATIENCE) -> None:
        """Wait until ActiveState of a unit is `state`."""
        self.wait_until(f"{unit} is {state}", lambda: self.get(unit, "ActiveState") == state, timeout)

    def _wait_for_boot(self) -> None:
        self.pid = int(self._inspect("Pid"))
        self.connect()
        state = lambda: self.run("systemctl", "is-system-running", check=False).stdout
        self.wait_until("systemd answers", lambda: state() in {"running\n", "degraded\n"})

    def _inspect(self, key: str) -> str:
        return podman("inspect", "--format", f"{{{{.State.{key}}}}}", self.name).stdout.strip()

    def _wait_for_exit(self) -> None:
        end = time.monotonic() + LONGEST
        while (now := self._inspect("Status")) != "exited":
            if time.monotonic() > end:
                raise MachineError(f"{self.name} is {now}, not exited")
            time.sleep(0.1)


def _owned_by_root(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return None if "__pycache__" in info.name else info
