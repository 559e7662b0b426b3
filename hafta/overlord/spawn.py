"""Starting a main process: fork, the state that systemd gives to a service, exec.

The child dies with the overlord: PR_SET_PDEATHSIG is SIGKILL, and the child ends by itself if the overlord died before
that took hold. All signals are blocked around the fork, because until the child has put Python's handlers away a signal
sent to it would wake the overlord, whose wakeup descriptor it still has.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
from contextlib import contextmanager

from hafta.overlord import prctl
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafta.overlord.unit import Credentials

#: Exit statuses of a child that did not come as far as its program: systemd.exec(5), "Process Exit Codes".
CHDIR, EXEC, LIMITS, GROUP, USER = 200, 203, 205, 216, 217
_SESSION = 220


class Launch(Record):
    """All that a child needs to know."""

    path: str
    argv: list[str]
    environment: Mapping[str, str]
    directory: str
    directory_optional: bool
    umask: int
    credentials: Credentials
    limits: tuple[tuple[int, int, int], ...]
    ignore_sigpipe: bool
    watched: bool  # WATCHDOG_PID is the child's own number


class Child(Record):
    """A process that has been started."""

    pid: int
    output: int  # reads what it writes to stdout and stderr
    report: int  # reads nothing and then end of file once the program runs, else "STATUS ERRNO" before the end


def spawn(launch: Launch) -> Child:
    """Start a process. Raises OSError if there can be no more."""
    pipes: list[int] = []
    try:
        pipes += os.pipe2(os.O_CLOEXEC)
        pipes += os.pipe2(os.O_CLOEXEC)
        output, output_end, report, report_end = pipes
        parent = os.getpid()
        with quiet():
            pid = os.fork()
            if pid == 0:
                _become(
                    launch, parent, output_end, report_end
                )  # pragma: no cover - a fork is traced from its next call on
    except OSError:
        for fd in pipes:
            os.close(fd)
        raise
    os.close(output_end)
    os.close(report_end)
    os.set_blocking(output, False)
    return Child(pid, output, report)


@contextmanager
def quiet() -> Iterator[None]:
    """Block all signals for the time of a fork."""
    before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _become(launch: Launch, parent: int, output: int, report: int) -> None:
    """Be the child; never returns."""
    status = _SESSION
    try:
        os.setsid()
        deafen(signal.SIG_DFL)
        if launch.ignore_sigpipe:
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        _connect(output)
        status = LIMITS
        for kind, soft, hard in launch.limits:
            _limit(kind, soft, hard)
        status = GROUP
        _change_group(launch.credentials)
        status = USER
        if launch.credentials.uid >= 0:
            os.setuid(launch.credentials.uid)
        status = EXEC
        if not prctl.die_with_parent(signal.SIGKILL, parent):
            os._exit(EXEC)
        os.umask(launch.umask)
        status = CHDIR
        _enter(launch)
        status = EXEC
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execve(launch.path, launch.argv, _environment(launch))  # noqa: S606 - without a shell is what is wanted
    except (OSError, ValueError) as error:
        os.write(report, f"{status} {getattr(error, 'errno', errno.EINVAL)}".encode())
    finally:
        os._exit(status)


def deafen(disposition: signal.Handlers) -> None:
    """Put away Python's handlers in a forked child: every signal gets this disposition."""
    signal.set_wakeup_fd(-1)
    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(signum, disposition)


def _connect(output: int) -> None:
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd, source in enumerate((null, output, output)):
        os.dup2(source, fd)


def _limit(kind: int, soft: int, hard: int) -> None:
    """Set a limit, or what of it may be had: raising the hard limit takes a privilege that containers seldom have."""
    try:
        resource.setrlimit(kind, (soft, hard))
    except ValueError:
        most = resource.getrlimit(kind)[1]
        if most == resource.RLIM_INFINITY:
            raise
        wanted = [most if value == resource.RLIM_INFINITY else min(value, most) for value in (soft, hard)]
        resource.setrlimit(kind, (wanted[0], wanted[1]))


def _change_group(credentials: Credentials) -> None:
    if credentials.name:
        os.initgroups(credentials.name, credentials.gid)
    if credentials.gid >= 0:
        os.setgid(credentials.gid)


def _enter(launch: Launch) -> None:
    try:
        os.chdir(launch.directory)
    except OSError:
        if not launch.directory_optional:
            raise
        os.chdir("/")


def _environment(launch: Launch) -> Mapping[str, str]:
    return {**launch.environment, "WATCHDOG_PID": str(os.getpid())} if launch.watched else launch.environment
