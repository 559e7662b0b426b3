"""A real overlord in a process of its own, with a runtime directory of its own, watched through its output."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from contextlib import contextmanager, suppress

from processes import is_alive, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
DEADLINE = 60.0  # seconds: only a broken overlord, or a very slow machine, comes near it
PYTHON = sys.executable
NOTIFY = (
    "import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ['NOTIFY_SOCKET'])"
)


class Place:
    """A directory for units, with what stands for /run and /var/lib below it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="ho-", dir="/tmp")
        os.chmod(self.path, 0o755)
        self.units = os.path.join(self.path, "u")
        self.runtime = os.path.join(self.path, "r")
        self.state = os.path.join(self.path, "s")
        os.mkdir(self.units)
        self.overlords = []

    def file(self, name):
        """Return a path for a service to use."""
        return os.path.join(self.path, name)

    def read(self, name):
        """Return what a service has written, empty if nothing."""
        with suppress(OSError), open(self.file(name)) as file:
            return file.read()
        return ""

    def unit(self, name, text):
        """Write a unit file."""
        path = os.path.join(self.units, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(textwrap.dedent(text))
        return path

    def script(self, name, text):
        """Write a Python program and return the command that runs it."""
        path = self.file(name)
        with open(path, "w") as file:
            file.write(textwrap.dedent(text))
        return f"{PYTHON} -SE {path}"

    def service(self, name, command, *lines, unit=()):
        """Write a service of these lines."""
        body = ["[Unit]", *unit, "[Service]", f"ExecStart={command}", *lines]
        return self.unit(f"{name}.service", "\n".join(body) + "\n")

    def start(self, *words, until="", **options):
        """Start an overlord; `until`: and wait for this pattern."""
        self.overlords.append(Running(self, words, **options))
        if until:
            self.overlords[-1].wait_for(until)
        return self.overlords[-1]

    def up(self, name, command, *lines, unit=(), until="is ready"):
        """Write a service, start an overlord with it, and wait until it is up."""
        self.service(name, command, *lines, unit=unit)
        return self.start(name, until=until)

    def end(self):
        """Ask the overlords that run to stop: they end with 0, and leave nothing, as those do that were killed."""
        for overlord in self.overlords:
            if overlord.process.poll() is None and not overlord.killed:
                assert overlord.stop() == 0, overlord.text
        wait_until(lambda: not self.left_over())
        wait_until(lambda: not os.path.exists(self.runtime))

    def clear(self):
        """End what is left and remove all."""
        for overlord in self.overlords:
            overlord.destroy()
        shutil.rmtree(self.path, ignore_errors=True)

    def left_over(self):
        """Return the processes that were started from here and still live."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read()
                with open(f"/proc/{pid}/environ", "rb") as file:
                    environment = file.read()
                if self.path.encode() in line + environment and int(pid) != os.getpid() and is_alive(pid):
                    found.append((int(pid), line))
        return found


@contextmanager
def a_place():
    """A place for real overlords, each of which stops with 0 at the end if it still runs; nothing may be left then."""
    place = Place()
    try:
        yield place
        place.end()
    finally:
        place.clear()


class Running:
    """An overlord that runs."""

    def __init__(
        self,
        place,
        words,
        *,
        module="hafta.overlord",
        flags=(),
        prefix=(),
        places=None,
        environ=None,
        stdout=subprocess.PIPE,
        **options,
    ):
        if places is None:
            places = ("--runtime-dir", place.runtime, "--state-dir", place.state)
        command = [*prefix, PYTHON, *flags, "-m", *module.split(), *places, "--unit-path", place.units, *words]
        environment = {**os.environ, "PYTHONPATH": ROOT, **(environ or {})}
        environment.pop("JOURNAL_STREAM", None)
        self.process = subprocess.Popen(
            command, cwd="/", env=environment, stdout=stdout, stderr=subprocess.STDOUT, **options
        )
        self.pid = self.process.pid
        self.killed = False
        self.lines = []
        self.times = []  # when each came
        self._reader = threading.Thread(target=self._read, daemon=True)
        if self.process.stdout:
            self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.times.append(time.monotonic())
            self.lines.append(line.decode().rstrip("\n"))

    @property
    def text(self):
        """All lines so far."""
        return "\n".join(self.lines)

    def find(self, pattern):
        """Return all matches of a pattern so far."""
        return re.findall(pattern, self.text)

    def wait_for(self, pattern, count=1):
        """Wait until a pattern has been seen so often; return its matches."""
        try:
            return wait_until(lambda: len(found := self.find(pattern)) >= count and found)
        except AssertionError:
            raise AssertionError(f"no {count} x {pattern!r} in:\n{self.text}") from None

    def pids(self, unit):
        """Return the main processes of a unit, the oldest first."""
        return [int(pid) for pid in self.find(rf"Unit {re.escape(unit)} is starting as process (\d+)")]

    def main(self, unit, number=1):
        """Return the main process of a unit at its start of this number; its line may come behind what it has done."""
        return int(self.wait_for(rf"Unit {re.escape(unit)} is starting as process (\d+)", number)[number - 1])

    def send(self, signum):
        """Send a signal to the overlord."""
        self.killed |= signum == signal.SIGKILL
        self.process.send_signal(signum)

    def wait(self):
        """Wait for the end; return the exit status."""
        status = self.process.wait(DEADLINE)
        if self.process.stdout:
            self._reader.join(DEADLINE)
        return status

    def stop(self, signum=signal.SIGTERM):
        """Ask it to stop; return the exit status."""
        self.send(signum)
        return self.wait()

    def destroy(self):
        """Be rid of it, whatever state it is in."""
        self.killed = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self._reader.join(DEADLINE)
            self.process.stdout.close()
