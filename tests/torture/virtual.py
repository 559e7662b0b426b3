"""A whole machine with systemd and cgroup v2: User-mode Linux on the root file system of a machine for tests.

A container has the control groups of its host, which may be those of version 1, or without a controller for memory.
This machine has a kernel of its own. It boots one target, runs a script when that is up, and powers itself off; what
the script printed is read from its disk, which is an overlay: nothing is changed below.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
LONGEST = 500.0  # seconds from the start to the end; half a minute on a machine with nothing else to do
TARGET = "[Unit]\nAllowIsolate=yes\nWants=systemd-journald.service look.service {units}\n"
LOOK = """[Unit]
After={units}
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/bin/sh -c '/bin/sh /srv/look > /srv/out 2>&1; sync; systemctl poweroff -ff'
"""


class Virtual:
    """One machine: write its files, then run it once."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self.root = folder / "root"
        self._units: list[str] = []
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True)
        layers = f"lowerdir={root},upperdir={folder}/upper,workdir={folder}/work"
        subprocess.run(["mount", "-t", "overlay", "hafta-virtual", "-o", layers, str(self.root)], check=True)

    def close(self) -> None:
        """Take its disk away."""
        subprocess.run(["umount", "--lazy", str(self.root)], check=True)

    def write(self, path: str, text: str) -> None:
        """Write a file of the machine."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def unit(self, name: str, text: str) -> None:
        """Write a unit that is started."""
        self.write(f"/etc/systemd/system/{name}", text)
        self._units.append(name)

    def install(self) -> None:
        """Put the library there, as it is in this tree."""
        target = self.root / "usr/lib/python3/dist-packages/hafta"
        shutil.copytree(HERE.parents[1] / "hafta", target, ignore=shutil.ignore_patterns("__pycache__"))

    def run(self, look: str) -> str:
        """Boot it until the script `look` has ended; return what that printed. Raises AssertionError."""
        units = " ".join(self._units)
        self.write("/srv/look", look)
        self.write("/etc/systemd/system/look.service", LOOK.format(units=units))
        self.write("/etc/systemd/system/virtual.target", TARGET.format(units=units))
        registers = f"{self._folder}/registers.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", registers, str(HERE / "registers.c")], check=True)
        command = [
            "linux.uml", "mem=512M", "root=/dev/root", "rootfstype=hostfs", f"rootflags={self.root}", "rw",
            "init=/lib/systemd/systemd", "systemd.unit=virtual.target", "con=null", "con0=null,fd:1", "ssl=null",
        ]  # fmt: skip
        environ = {**os.environ, "TMPDIR": str(self._folder), "LD_PRELOAD": registers}
        with (self._folder / "console").open("wb") as console:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.DEVNULL,
                start_new_session=True, env=environ,
            )  # fmt: skip
            try:
                process.wait(LONGEST)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        out = self.root / "srv/out"
        assert out.exists(), (self._folder / "console").read_text(errors="replace")[-4000:]
        return out.read_text()


@contextlib.contextmanager
def virtual(folder: Path, root: Path) -> Iterator[Virtual]:
    """Make a machine, and take it away afterwards."""
    machine = Virtual(folder, root)
    try:
        yield machine
    finally:
        machine.close()
