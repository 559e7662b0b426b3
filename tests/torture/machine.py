"""A whole machine that can be cut off from its power: User-mode Linux with the real ext4 on a file.

SIGKILL takes the machine's page cache with it; what its kernel had given to the disk stays, for the disk is a file of
ours. What was acknowledged comes over the serial console, so that nothing has to survive the cut.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(__file__)
WORKER = f"{HERE}/machine_worker.py"
STUCK = 120.0  # seconds; a boot takes two

INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t ext4 /dev/ubda {mount} || echo CANNOT MOUNT
exec {python} -I -S {worker} {mount} {arguments}
"""


class Machine:
    """One disk; `boot` starts a machine on it."""

    def __init__(self, path: str, arguments: str) -> None:
        self.path = path
        self.disk = f"{path}/disk"
        self._process: subprocess.Popen | None = None
        self._rest = b""
        os.makedirs(f"{path}/mount")
        with open(self.disk, "wb") as file:
            file.truncate(8 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.disk], check=True)
        with open(f"{path}/init", "w", encoding="utf-8") as file:
            file.write(INIT.format(mount=f"{path}/mount", python=sys.executable, worker=WORKER, arguments=arguments))
        os.chmod(f"{path}/init", 0o755)
        self._registers = f"{path}/registers.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", self._registers, f"{HERE}/registers.c"], check=True)

    def boot(self) -> None:
        command = [
            "linux.uml",
            "mem=96M",
            f"ubd0={self.disk}",
            "root=/dev/root",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
        ]
        command += [f"init={self.path}/init", "con=null", "con0=null,fd:1", "ssl=null", "quiet"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True, env={**os.environ, "TMPDIR": self.path, "LD_PRELOAD": self._registers},
        )  # fmt: skip
        self._rest = b""

    def lines(self, until: float) -> list[list[str]]:
        """Return what the worker says, word by word, as far as it is there at that time (monotonic)."""
        assert self._process is not None
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        while select.select([fd], [], [], max(0.0, until - time.monotonic()))[0]:
            data = os.read(fd, 65536)
            if not data:
                raise AssertionError("the machine went down by itself")
            self._rest += data
            if b"\n" in data:
                break
        *whole, self._rest = self._rest.split(b"\n")
        return [line.decode(errors="replace").split() for line in whole]

    def wait_for(self, word: str) -> list[str]:
        """Return the first line that begins with this word."""
        deadline = time.monotonic() + STUCK
        while time.monotonic() < deadline:
            for line in self.lines(deadline):
                if line and line[0] == word:
                    return line
                assert not line or line[0] not in {"CANNOT", "VIOLATION", "Traceback"}, " ".join(line)
        raise AssertionError(f"the machine did not say {word}")

    def cut(self) -> list[list[str]]:
        """Take the power away; return what was still said."""
        assert self._process is not None
        assert self._process.stdout is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        rest = self._rest + self._process.stdout.read()  # to the end: then none of its processes is left
        self._process.stdout.close()
        self._process.wait()
        self._process = None
        return [line.decode(errors="replace").split() for line in rest.split(b"\n")[:-1]]
