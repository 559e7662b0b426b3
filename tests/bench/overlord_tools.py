"""What the supervisors of the overlord's bench need: the daemons, a machine, packages; and the table of processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "4c920b4"  # the overlord before it ran what people run
PYPI = ("circus", "docker-systemctl-replacement")
#: The other daemon: the same, as short as Python has it.
IN_PYTHON = """import os, sys, time
if path := os.environ.get("NOTIFY_SOCKET"):
    import _socket
    notify = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    notify.connect(path)
    notify.send(b"READY=1")
if fd := os.environ.get("READY_FD"):
    os.write(int(fd), b"\\n")
with open(sys.argv[1], "a") as file:
    file.write(f"{sys.argv[2]} {time.monotonic_ns()}\\n")
while True:
    time.sleep(1000)
"""


class CannotBeHad(Exception):
    """A supervisor cannot be installed or started here; the text says why."""


class Tools:
    """What peers need, made when the first one asks for it, and removed at the end."""

    def __init__(self) -> None:
        self.stack = contextlib.ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="hafta-bench-")))
        self.folder.chmod(0o755)
        source = Path(__file__).with_name("overlord_daemon.c")
        subprocess.run(["gcc", "-O2", "-static", "-o", f"{self.folder}/daemon", str(source)], check=True)
        (self.folder / "daemon.py").write_text(IN_PYTHON)
        self._machine = None
        self._pypi: Path | None = None

    def close(self) -> None:
        """Remove all."""
        self.stack.close()

    def before(self) -> Path:
        """Return the tree of the overlord before."""
        tree = self.folder / "before"
        if not tree.exists():
            tree.mkdir()
            archive = subprocess.run(
                ["git", "-C", str(ROOT), "archive", BEFORE, "hafta"], check=True, capture_output=True
            )
            subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
        return tree

    def machine(self):
        """Return the booted machine."""
        if self._machine is None:
            sys.path.insert(0, str(ROOT / "tests/system"))
            from booted import SUITES, Machine, why_not

            if reason := why_not():
                raise CannotBeHad(reason)
            self._machine = self.stack.enter_context(Machine(SUITES["bookworm"]))
            for name in ("daemon", "daemon.py"):
                self._machine.push(self.folder / name, f"/srv/{name}")
        return self._machine

    def pypi(self) -> Path:
        """Return the virtual environment with what PyPI has."""
        if self._pypi is None:
            place = ROOT / ".venv-overlord-peers"
            if not (place / ".stamp").exists():
                subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
                command = [str(place / "bin/python"), "-m", "pip", "install", "--quiet", *PYPI]
                done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
                if done.returncode:
                    raise CannotBeHad(f"pip: {done.stderr.strip().splitlines()[-1]}")
                (place / ".stamp").touch()
            self._pypi = place
        return self._pypi

    def need(self, package: str) -> None:
        """Install a package of Debian."""
        done = subprocess.run([str(ROOT / "packaging/need"), package], check=False, capture_output=True, text=True)
        if done.returncode:
            raise CannotBeHad(done.stderr.strip().splitlines()[-1])


def processes() -> list[tuple[int, list[str]]]:
    """Return all processes with their arguments."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                found.append((int(entry), Path(f"/proc/{entry}/cmdline").read_text(errors="replace").split("\0")[:-1]))
    return found


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for each, _ in processes():
        with contextlib.suppress(OSError):
            parent = int(Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(each)
    found = [pid]
    for each in found:
        found += parents.get(each, ())
    return found
