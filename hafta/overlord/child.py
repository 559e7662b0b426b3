"""A child of the overlord, from its fork to its program: the state that systemd gives to a service.

It dies with the overlord: PR_SET_PDEATHSIG is SIGKILL, and it ends by itself if the overlord died before that took
hold. All signals are blocked around the fork, because until the child has put Python's handlers away a signal sent to
it would wake the overlord, whose wakeup descriptor it still has.
"""

from __future__ import annotations

import errno
import os
import resource
import signal

from hafta.frozen import Frozen
from hafta.overlord import attributes
from hafta.overlord.idle import NO_WAIT, Wait, wait
from hafta.overlord.passing import NOTHING, Passed, arrange, variables
from hafta.process import prctl
from hafta.process.fork import deafen, ignore, unblock
from hafta.units.unit import Credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from hafta.overlord.roll import Berth

#: Exit statuses of a child that did not come as far as its program: systemd.exec(5), "Process Exit Codes".
CHDIR, FDS, EXEC, LIMITS, GROUP, USER = 200, 202, 203, 205, 216, 217
_SESSION = 220


class Launch(Frozen):
    """All that a child needs to know."""

    path: str
    argv: list[str]
    environment: Mapping[str, str]
    directory: tuple[str, bool]  # where it begins, and whether that may be missing
    umask: int
    credentials: Credentials
    limits: tuple[tuple[int, int, int], ...]
    ignore_sigpipe: bool
    watched: bool  # WATCHDOG_PID is the child's own number
    journal: str = ""  # where it may report events (hafta/journal/recorded.py); empty: nowhere
    steps: attributes.Steps = attributes.NOTHING
    passed: Passed = NOTHING
    wait: Wait = NO_WAIT  # of Type=idle

    @property
    def is_plain(self) -> bool:
        """Whether it takes no more than values: no steps, no descriptors."""
        return (self.steps, self.passed, self.wait) == (attributes.NOTHING, NOTHING, NO_WAIT)

    def pack(self) -> tuple[Any, ...]:
        """Return a plain one as values for another process."""
        given = self.replace(environment=dict(self.environment), credentials=self.credentials.values())
        return given.values()[:PLAIN]

    @classmethod
    def unpack(cls, values: Sequence[Any]) -> Launch:
        """Return what was packed. By position: that is quick, and a keeper does it for each process of a unit."""
        given = dict(zip(cls._fields, values, strict=False)) | _UNUSED
        given["credentials"] = Credentials(*given["credentials"])
        return cls(*given.values())


PLAIN = Launch._fields.index("steps")  # how many fields a plain one has
_UNUSED = dict(zip(Launch._fields[PLAIN:], (attributes.NOTHING, NOTHING, NO_WAIT), strict=True))


class Child(Frozen):
    """A process that has been started."""

    pid: int
    output: int  # reads what it writes to stdout and stderr
    report: int  # reads nothing and then end of file once the program runs, else "STATUS ERRNO" before the end


def become(
    launch: Launch, berth: Berth | None, parent: int, output: int, report: int, *, has_handlers: bool = True
) -> None:
    """Be the child; never returns."""
    status = _SESSION
    try:
        os.setsid()
        idle = launch.wait.prepare()
        if berth:
            berth.take()
        if has_handlers:
            deafen(signal.SIG_DFL)
        if launch.ignore_sigpipe:
            ignore(signal.SIGPIPE)
        journal = _journal(launch, output)
        _connect(output, launch.passed)
        status = FDS
        report = arrange(launch.passed, report)
        _take(launch.steps.first)
        status = LIMITS
        for kind, soft, hard in launch.limits:
            _limit(kind, soft, hard)
        status = GROUP
        _require(launch.credentials.missing_group)
        _change_group(launch.credentials)
        _take(launch.steps.before_user)
        status = USER
        _require(launch.credentials.missing_user)
        if launch.credentials.uid >= 0:
            os.setuid(launch.credentials.uid)
        _take(launch.steps.after_user)
        status = EXEC
        if not prctl.die_with_parent(signal.SIGKILL, parent):
            os._exit(EXEC)
        os.umask(launch.umask)
        status = CHDIR
        _enter(launch)
        _take(launch.steps.last)
        status = EXEC
        unblock()
        wait(idle)
        environment = {**journal, **_environment(launch)}
        os.execve(launch.path, launch.argv, environment)  # noqa: S606 - without a shell is what is wanted
    except Exception as error:
        status = getattr(error, "status", status)
        os.write(report, f"{status} {getattr(error, 'errno', None) or errno.EINVAL}".encode())
    finally:
        os._exit(status)


class _Refused(OSError):
    """A step could not be done: what the child ends with."""

    def __init__(self, status: int, error: OSError) -> None:
        super().__init__(error.errno, error.strerror)
        self.status = status


def _take(steps: tuple[attributes.Step, ...]) -> None:
    for status, step in steps:
        try:
            step()
        except OSError as error:
            raise _Refused(status, error) from None


def _connect(output: int, passed: Passed) -> None:
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd, source in enumerate((null, output, output)):
        os.dup2(passed.standard if fd in passed.streams else source, fd)
    if passed.streams:
        os.set_blocking(passed.standard, True)


def _limit(kind: int, soft: int, hard: int) -> None:
    """Set a limit, or what of it may be had: raising the hard limit takes a privilege that containers seldom have."""
    try:
        resource.setrlimit(kind, (_signed(soft), _signed(hard)))
    except ValueError:
        most = resource.getrlimit(kind)[1]
        if most == resource.RLIM_INFINITY:
            raise
        wanted = [most if value == resource.RLIM_INFINITY else min(value, most) for value in (soft, hard)]
        resource.setrlimit(kind, (_signed(wanted[0]), _signed(wanted[1])))


def _signed(value: int) -> int:
    """Return what setrlimit(2)'s unsigned number is to Python, which takes a signed one."""
    return value - (1 << 64) if value >= 1 << 63 else value


def _require(missing: str) -> None:
    """Fail where there is no such user or group."""
    if missing:
        raise OSError(errno.ESRCH, f"there is no {missing}")


def _change_group(credentials: Credentials) -> None:
    if credentials.name:
        os.initgroups(credentials.name, credentials.gid)
    if credentials.groups:
        os.setgroups([*(os.getgroups() if credentials.name else ()), *credentials.groups])
    if credentials.gid >= 0:
        os.setgid(credentials.gid)


def _enter(launch: Launch) -> None:
    directory, optional = launch.directory
    try:
        os.chdir(directory)
    except OSError:
        if not optional:
            raise
        os.chdir("/")


def _journal(launch: Launch, output: int) -> dict[str, str]:
    """Return where to report events, together with which pipe leads to the overlord."""
    info = os.fstat(output)
    return {"HAFTA_JOURNAL": f"{info.st_dev}:{info.st_ino}:{launch.journal}"} if launch.journal else {}


def _environment(launch: Launch) -> Mapping[str, str]:
    watched = {"WATCHDOG_PID": str(os.getpid())} if launch.watched else {}
    return {**launch.environment, **watched, **variables(launch.passed)}
