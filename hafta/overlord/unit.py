"""What the overlord knows of a unit once its files have been read."""

from __future__ import annotations

import signal

from hafta.overlord.restart import Policy
from hafta.record import Record

INFINITE = float("inf")


class Needs(Record):
    """What a unit says of others: names of units."""

    wants: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    binds_to: tuple[str, ...] = ()
    part_of: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """Without these it does not start."""
        return (*self.requires, *self.binds_to)

    @property
    def pulled(self) -> tuple[str, ...]:
        """These are started with it."""
        return (*self.wants, *self.required)


class Command(Record):
    """ExecStart=: `path` is run with `argv`, whose variables are resolved unless `plain`."""

    path: str
    argv: tuple[str, ...]
    plain: bool = False
    environment: tuple[tuple[str, str], ...] = ()  # what a program of our own needs to be found
    note: str = ""  # how it differs from what the unit file says


class Credentials(Record):
    """Who a process runs as. `uid` and `gid` -1 leave both as they are."""

    uid: int = -1
    gid: int = -1
    name: str = ""
    home: str = ""
    shell: str = ""
    missing: str = ""  # the user that there is none of, so that it would run as root


class Unheeded(Record):
    """A directive that the overlord does not honour."""

    directive: str
    line: int | None = None


class Unit(Record):
    """A service or a target. Times in seconds."""

    name: str
    file: str
    needs: Needs = Needs()
    wanted_by: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    default_dependencies: bool = True
    unheeded: tuple[Unheeded, ...] = ()
    sandbox: tuple[str, ...] = ()  # more of them: those of the sandbox, by name
    notes: tuple[str, ...] = ()  # what runs otherwise than the unit file says, and why
    policy: Policy = Policy()
    command: Command | None = None  # a target has none
    credentials: Credentials = Credentials()
    environment: tuple[tuple[str, str], ...] = ()
    environment_files: tuple[tuple[str, bool], ...] = ()
    pass_environment: tuple[str, ...] = ()
    unset_environment: tuple[str, ...] = ()
    working_directory: tuple[str, bool] = ("/", False)
    restart_sec: float = 0.1
    watchdog_sec: float = 0.0
    watchdog_signal: int = signal.SIGABRT
    timeout_start: float = 90.0
    timeout_stop: float = 90.0
    timeout_abort: float = 90.0
    kill_signal: int = signal.SIGTERM
    kill_mode: str = "control-group"
    send_sigkill: bool = True
    notify_access: str = "none"
    runtime_directory: tuple[str, ...] = ()
    runtime_mode: int = 0o755
    runtime_preserve: str = "no"
    state_directory: tuple[str, ...] = ()
    state_mode: int = 0o755
    umask: int = 0o022
    limits: tuple[tuple[int, int, int], ...] = ()
    ignore_sigpipe: bool = True

    @property
    def is_service(self) -> bool:
        """Whether it has a process."""
        return self.command is not None
