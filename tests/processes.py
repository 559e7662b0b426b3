"""The process harness of the tests: a program in another process, sockets in place of overlord and journal."""

import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, Any, Self

PATIENCE = 120.0  # seconds after which a test gives up; nothing waits that long when all is well

#: A program whose body is what the test puts there; `service` and `values` are what a body is given.
BODY = """
import os, sys, time
import hafta
from hafta import exits, settings
from hafta.service import main
from hafta.settings import Program

def body(service, values):
    {body}

sys.exit(main(Program("probe", "Probe.", (settings.Setting("size", settings.whole, 3, "how big", "N"),), (0,)), body))
"""

#: A sequence of one node as a service; `run` is what a node is given.
SEQUENCE = """
import os, sys, time
import hafta, hafta.policies, hafta.service

feed = hafta.Sequence("feed")

@feed.node
def work(run):
    {body}
    return hafta.EXIT

{more}

sys.exit(hafta.service.run(feed{options}))
"""


def is_readable(source: socket.socket, seconds: float = 0) -> bool:
    """Tell whether there is something to read, at the latest after so many seconds."""
    poll = select.poll()  # select() takes no descriptor above 1023
    poll.register(source, select.POLLIN)
    return bool(poll.poll(1000 * max(0.0, seconds)))


def wait_until(condition: Callable[[], Any], what: str = "") -> Any:
    """Return the first true value of the condition; fail when patience is at its end."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.005)
    return value


def state_of(pid: int) -> str:
    """Return the letter of /proc/PID/stat; Z for a process that is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return "Z"


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and is more than a zombie."""
    return state_of(pid) not in {"Z", "X"}


def below(pid: int) -> list[int]:
    """Return the children of a process, the zombies too."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]
    return []


def in_child(work: Callable[[], Any]) -> str:
    """Run this in a forked child; return what it answers or raises, as text. Its limits do not outlive the work."""
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            text = str(work())
        except BaseException as error:
            text = repr(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def indented(text: str) -> str:
    return text.strip().replace("\n", "\n    ")


def body(text: str) -> str:
    """Return the program with this body."""
    return BODY.format(body=indented(text))


def sequence(text: str, options: str = "", *, undo: str = "pass", judge: str = "") -> str:
    """Return the program that runs a sequence as a service: what its node does, its rollback, its policy."""
    more = f"@work.rollback\ndef undo(run, checkpoint):\n    {undo}"
    if judge:
        more += f"\n\n@work.policy\ndef judge(run, event):\n    return {judge}"
    return SEQUENCE.format(body=indented(text), more=more, options=options)


class Child:
    """A program in a process of its own, as a context manager. `told` is what it sent to its overlord, line by line.

    Coverage does not measure it: a Stop that flies out of its tracer leaves a lock of that taken, and the child would
    wait for it for ever.
    """

    def __init__(
        self, program: str | list[str], *options: str, out: Any = subprocess.PIPE, err: Any = subprocess.PIPE,
        redirect: str = "", **environ: str,
    ) -> None:  # fmt: skip
        self.folder = tempfile.TemporaryDirectory(prefix="hs")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.notify.bind(f"{self.folder.name}/notify")
        self.told: list[str] = []
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HAFTA_", "COVERAGE_"))}
        for name in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY"):
            clean.pop(name, None)
        environ.setdefault("NOTIFY_SOCKET", f"{self.folder.name}/notify")
        command = ["-c", program] if isinstance(program, str) else program
        by_shell = ["/bin/sh", "-c", f'exec "$@" {redirect}', "sh"] if redirect else []
        self.process = subprocess.Popen(
            [*by_shell, sys.executable, *command, *options], env={**clean, **environ},
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True,
        )  # fmt: skip

        self.left: dict[int, bytes] = {}
        self.fds = {stream: stream.fileno() for stream in (self.process.stdout, self.process.stderr) if stream}

        self._limit = threading.Timer(3 * PATIENCE, self.process.kill)
        self._limit.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._limit.cancel()
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self.notify.close()
        self.folder.cleanup()

    def wait_told(self, what: str, times: int = 1) -> str:
        """Wait until so many lines with these words were sent to the overlord, counted from the start."""
        end = time.monotonic() + PATIENCE
        while True:
            if len(found := [line for line in self.told if what in line]) >= times:
                return found[-1]
            self.receive(end - time.monotonic())

    def receive(self, seconds: float) -> None:
        """Take one message that the overlord is sent."""
        if not is_readable(self.notify, seconds):
            raise AssertionError(f"told only {self.told}")
        self.told += self.notify.recv(8192).decode().splitlines()

    def wait_line(self, what: str = "", stream: IO[str] | None = None) -> str:
        """Wait until a line with these words was printed on stdout, or on that stream."""
        fd = (stream or self.process.stdout).fileno()
        seen = []
        while True:
            line, newline, rest = self.left.get(fd, b"").partition(b"\n")
            if newline:
                self.left[fd] = rest
                seen.append(line.decode())
                if what in seen[-1]:
                    return seen[-1]
            elif piece := os.read(fd, 1 << 16):
                self.left[fd] = line + piece
            else:
                raise AssertionError(f"never printed {what!r}, but {seen}")

    def stop(self, signum: int = signal.SIGTERM) -> tuple[int, float]:
        """Send the signal; return the exit status and how many seconds the end took."""
        start = time.monotonic()
        self.process.send_signal(signum)
        status = self.process.wait(PATIENCE)
        return status, time.monotonic() - start

    def finish(self) -> tuple[int, str, str]:
        """Wait for the end; return the exit status and what was printed on stdout and stderr."""
        out, err = self.process.communicate(timeout=PATIENCE)
        self.drain()
        before = self._rest(self.process.stdout), self._rest(self.process.stderr)
        return self.process.returncode, before[0] + (out or ""), before[1] + (err or "")

    def _rest(self, stream: IO[str] | None) -> str:
        """Return what wait_line() has read and not given."""
        return "" if stream is None else self.left.pop(self.fds[stream], b"").decode()

    def pause(self) -> None:
        """Stop it, with SIGSTOP, until it is sent a SIGCONT."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def drain(self) -> list[str]:
        """Take all that the overlord was sent so far."""
        while is_readable(self.notify):
            self.receive(0)
        return self.told


class JournalChild(Child):
    """The same with its stderr leading to the journal; `journal` is the socket in journald's place."""

    def __init__(self, program: str, *options: str, taking: bool = True, **environ: str) -> None:
        self.stream, writer = os.pipe()
        self.place = tempfile.TemporaryDirectory(prefix="hj")
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        path = f"{self.place.name}/socket"
        self.journal.bind(path)
        self.unseen: list[dict[str, str]] = []  # by wait_entry()
        if not taking:
            fill(path)
        here = f"from hafta.journal import journald\njournald.JournaldSink.__init__.__defaults__ = ({path!r},)\n"
        info = os.fstat(writer)
        environ["JOURNAL_STREAM"] = f"{info.st_dev}:{info.st_ino}"
        super().__init__(here + program, *options, err=writer, **environ)
        os.close(writer)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        os.close(self.stream)
        self.journal.close()
        self.place.cleanup()

    def entries(self) -> list[dict[str, str]]:
        """Return what the journal has been sent since the last time."""
        found, self.unseen = self.unseen, []
        while is_readable(self.journal):
            lines = self.journal.recv(1 << 16).decode().splitlines()
            found.append(dict(line.split("=", 1) for line in lines if "=" in line))
        return found

    def wait_entry(self, event: str) -> dict[str, str]:
        """Wait for an entry of this kind."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = self.entries()
            for place, entry in enumerate(found, 1):
                if entry.get("HAFTA_EVENT") == event:
                    self.unseen = found[place:]
                    return entry
            is_readable(self.journal, PATIENCE)
        raise AssertionError(f"no entry {event}")


class Restarted:
    """A program that is started again whenever it has ended, as an overlord does it, from entering to leaving."""

    def __init__(self, *command: str) -> None:
        self.starts = 0
        self.process = subprocess.Popen(["true"])
        self._command = command
        self._goes_on = True
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._goes_on = False
        while self._thread.is_alive():
            self.process.kill()
            self._thread.join(0.01)

    def _run(self) -> None:
        while self.process.wait() is not None and self._goes_on:
            self.starts += 1
            self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def open_writer(pipe: str) -> int:
    """Open the pipe for writing as soon as somebody reads it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.002)
    raise AssertionError("nobody ever read the pipe")


@contextlib.contextmanager
def fed(pipe: str, data: bytes = b"") -> Iterator[int]:
    """Write this into the pipe as soon as somebody reads it, and keep it open for more."""
    fd = open_writer(pipe)
    try:
        os.write(fd, data)
        yield fd
    finally:
        os.close(fd)


def run_python(code: str, *words: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what came of it. What it loads is its own: coverage does not measure it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command, whole = [sys.executable, "-c", code, *words], {**clean, **environ}
    return subprocess.run(command, capture_output=True, text=True, check=check, timeout=PATIENCE, env=whole)


def fill(path: str) -> None:
    """Send to a socket that nobody reads until it takes no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            while True:
                sender.sendto(b"x", path)
        except BlockingIOError:
            return


YARDSTICK = (
    "import os, signal, sys, time; signal.signal(15, lambda *_: sys.exit()); os.write(1, b'.\\n'); time.sleep(600)"
)


def yardstick() -> float:
    """Return how many seconds a bare Python program needs to end at a signal, on this machine, now."""
    with Child(YARDSTICK) as child:
        child.wait_line(".")
        return child.stop()[1]


def in_time(attempt: Callable[[], tuple[int, float]], limit: float = 0.1) -> None:
    """Hold that an end comes with status 0 within the limit, on top of what a busy machine takes to end anything."""
    times = []
    while len(times) < 10:
        status, seconds = attempt()
        assert status == 0
        bare = yardstick() if seconds >= limit else 0.0
        if seconds - bare < limit:
            return
        times.append((seconds, bare))
    raise AssertionError(f"took {times} s, and a bare program so many")
