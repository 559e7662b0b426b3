"""What the overlord knows of a unit once its files have been read."""

from __future__ import annotations

import signal

from hafta.frozen import Frozen
from hafta.units.attributes import PLAIN, Attributes
from hafta.units.folders import Directories
from hafta.units.restart import Policy
from hafta.units.streams import Standard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.units.conditions import Condition
    from hafta.units.sockets import Socket

INFINITE = float("inf")


class Needs(Frozen):
    """What a unit says of others: names of units."""

    triggers: tuple[str, ...] = ()  # of a socket: these are started when somebody connects
    later: tuple[str, ...] = ()  # of a socket with Accept=yes: what its connections require
    sockets: tuple[str, ...] = ()  # of a service: it gets these, besides those that trigger it

    wants: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    binds_to: tuple[str, ...] = ()
    part_of: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    requisite: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    upholds: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    on_success: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()  # PropagatesStopTo=, and the other way round:
    stopped_by: tuple[str, ...] = ()
    reloads: tuple[str, ...] = ()  # PropagatesReloadTo=, and the other way round:
    reloaded_by: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """Without these it does not start."""
        return (*self.requires, *self.binds_to)

    @property
    def pulled(self) -> tuple[str, ...]:
        """These are started with it."""
        return (*self.wants, *self.upholds, *self.required)

    @property
    def handlers(self) -> tuple[str, ...]:
        """These are started when it has ended."""
        return (*self.on_failure, *self.on_success)

    @property
    def reached(self) -> tuple[str, ...]:
        """These are started with it or by it."""
        return (*self.pulled, *self.triggers, *self.later, *self.handlers)

    @property
    def indispensable(self) -> tuple[str, ...]:
        """If one of these cannot be run, neither can it."""
        return (*self.required, *self.triggers, *self.later)


class Command(Frozen):
    """A command line: `path` is run with `argv`, whose variables are resolved unless `plain` (prefix `:`)."""

    path: str  # absolute, or a bare name to look for when it is started
    argv: tuple[str, ...]
    plain: bool = False
    ignore_failure: bool = False  # prefix -: any end counts as a good one
    privileged: bool = False  # prefix +: as the overlord's own user, without the unit's limits and sandbox
    keeps_user: bool = False  # prefix !: as the overlord's own user. !! needs a kernel that no machine has any more
    module: str = ""  # of a program of our own, which need not be installed
    environment: tuple[tuple[str, str], ...] = ()  # what a program of our own needs to be found
    note: str = ""  # how it differs from what the unit file says


class Commands(Frozen):
    """The commands of a service, by phase; those of a phase run one after the other."""

    condition: tuple[Command, ...] = ()  # ExecCondition=
    start_pre: tuple[Command, ...] = ()
    start: tuple[Command, ...] = ()  # the main process; a oneshot may have several, or none
    start_post: tuple[Command, ...] = ()
    reload: tuple[Command, ...] = ()
    stop: tuple[Command, ...] = ()
    stop_post: tuple[Command, ...] = ()


class Account(Frozen):
    """Who a unit asks to run as. Which user and group these are is looked up when it starts."""

    user: str = ""
    group: str = ""
    dynamic: bool = False
    dynamic_id: int = -1  # the number that DynamicUser= has got
    or_root: bool = False  # run as root where there is no such user (--as-root)
    groups: tuple[str, ...] = ()  # besides those that the user is in


class Credentials(Frozen):
    """Who a process runs as. `uid` and `gid` -1 leave both as they are."""

    uid: int = -1
    gid: int = -1
    name: str = ""
    home: str = ""
    shell: str = ""
    missing_user: str = ""  # there is none of this name: the process must not run
    missing_group: str = ""
    groups: tuple[int, ...] = ()  # besides those that the user is in


class About(Frozen):
    """What a unit's files say for people, and which files these are."""

    description: str = ""
    names: tuple[str, ...] = ()  # its own one first
    drop_ins: tuple[str, ...] = ()
    read: int = 0  # when the newest of its files was changed, as it was read: nanoseconds


class Unheeded(Frozen):
    """A directive that the overlord does not honour."""

    directive: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.directive}=" + (f" (line {self.line})" if self.line else "")


class Unit(Frozen):
    """A service, a socket or a target. Times in seconds."""

    name: str
    file: str
    about: About = About()
    needs: Needs = Needs()
    default_dependencies: bool = True
    stop_when_unneeded: bool = False
    refuse_manual_start: bool = False
    refuse_manual_stop: bool = False
    conditions: tuple[Condition, ...] = ()
    asserts: tuple[Condition, ...] = ()
    unheeded: tuple[Unheeded, ...] = ()
    sandbox: tuple[str, ...] = ()  # more of them: those of the sandbox, by name
    notes: tuple[str, ...] = ()  # what runs otherwise than the unit file says, and why
    policy: Policy = Policy()
    commands: Commands = Commands()
    pid_file: str = ""
    guess_main_pid: bool = True
    reload_signal: int = signal.SIGHUP
    account: Account = Account()
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
    directories: Directories = Directories()
    runtime_preserve: str = "no"
    umask: int = 0o022
    limits: tuple[tuple[int, int, int], ...] = ()
    ignore_sigpipe: bool = True
    attributes: Attributes = PLAIN
    non_blocking: bool = False
    store_max: int = 0
    standard: Standard = Standard()
    socket: Socket | None = None  # of a .socket

    @property
    def is_service(self) -> bool:
        """Whether it may have processes: a target and a socket have none."""
        return self.name.endswith(".service")

    @property
    def is_target(self) -> bool:
        """Whether it stands for others: the overlord does not go on for it."""
        return self.name.endswith(".target")
