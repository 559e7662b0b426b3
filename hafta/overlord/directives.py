"""Every directive that the overlord honours, as a table; and those that change nothing here."""

from __future__ import annotations

from hafta.overlord import values
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.overlord.specifiers import Specifiers


class Directive(Record):
    """Where a directive's value goes and how it is read. One that `adds` is a tuple to which each line adds."""

    field: str
    read: Callable[[str, Specifiers], Any]
    adds: bool = False


_NAMES = {
    "Wants": "wants",
    "Requires": "requires",
    "BindsTo": "binds_to",
    "PartOf": "part_of",
    "After": "after",
    "Before": "before",
}
_UNIT = {name: Directive(field, values.names, adds=True) for name, field in _NAMES.items()} | {
    "StartLimitIntervalSec": Directive("limit_interval", values.seconds),
    "StartLimitInterval": Directive("limit_interval", values.seconds),
    "StartLimitBurst": Directive("limit_burst", values.whole),
    "DefaultDependencies": Directive("default_dependencies", values.yes),
}
_INSTALL = {
    "WantedBy": Directive("wanted_by", values.names, adds=True),
    "RequiredBy": Directive("required_by", values.names, adds=True),
}
_PROCESS = {
    "Type": Directive("type", values.one_of("simple", "exec", "notify", "notify-reload", "oneshot", "idle")),
    "ExecStart": Directive("exec", lambda text, _: (text,), adds=True),
    "Environment": Directive("environment", values.assignments, adds=True),
    "EnvironmentFile": Directive("environment_files", values.environment_file, adds=True),
    "PassEnvironment": Directive("pass_environment", values.names, adds=True),
    "UnsetEnvironment": Directive("unset_environment", values.names, adds=True),
    "WorkingDirectory": Directive("working_directory", values.directory),
    "User": Directive("user", values.text),
    "Group": Directive("group", values.text),
    "UMask": Directive("umask", values.mode),
    "IgnoreSIGPIPE": Directive("ignore_sigpipe", values.yes),
    "RuntimeDirectory": Directive("runtime_directory", values.folders, adds=True),
    "RuntimeDirectoryMode": Directive("runtime_mode", values.mode),
    "RuntimeDirectoryPreserve": Directive("runtime_preserve", values.one_of("no", "yes", "restart")),
    "StateDirectory": Directive("state_directory", values.folders, adds=True),
    "StateDirectoryMode": Directive("state_mode", values.mode),
}
_LIFE = {
    "Restart": Directive(
        "restart",
        values.one_of("no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog"),
    ),
    "RestartSec": Directive("restart_sec", values.delay),
    "RestartPreventExitStatus": Directive("prevent", values.statuses, adds=True),
    "RestartForceExitStatus": Directive("force", values.statuses, adds=True),
    "SuccessExitStatus": Directive("success", values.statuses, adds=True),
    "RemainAfterExit": Directive("remain", values.yes),
    "WatchdogSec": Directive("watchdog_sec", values.watchdog),
    "WatchdogSignal": Directive("watchdog_signal", values.signal_number),
    "TimeoutSec": Directive("timeout", values.timeout),
    "TimeoutStartSec": Directive("timeout_start", values.timeout),
    "TimeoutStopSec": Directive("timeout_stop", values.timeout),
    "TimeoutAbortSec": Directive("timeout_abort", values.timeout),
    "KillSignal": Directive("kill_signal", values.signal_number),
    "KillMode": Directive("kill_mode", values.one_of("control-group", "mixed", "process", "none")),
    "SendSIGKILL": Directive("send_sigkill", values.yes),
    "NotifyAccess": Directive("notify_access", values.one_of("none", "main", "exec", "all")),
    "StartLimitInterval": Directive("limit_interval", values.seconds),
    "StartLimitBurst": Directive("limit_burst", values.whole),
}
_RESOURCES = ("AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO")
_LIMITS = {
    f"Limit{name}": Directive(f"limit {name}", values.limit(name)) for name in (*_RESOURCES, "SIGPENDING", "STACK")
}

#: By section and name.
DIRECTIVES: dict[str, dict[str, Directive]] = {
    "Unit": _UNIT,
    "Install": _INSTALL,
    "Service": _PROCESS | _LIFE | _LIMITS,
}

#: Nothing is lost when these are not acted on; with values, only for these.
HARMLESS: dict[str, dict[str, tuple[str, ...] | None]] = {
    "Unit": {"Description": None, "Documentation": None},
    "Install": {"Alias": None, "Also": None, "DefaultInstance": None},
    "Service": {
        "StandardInput": ("null",),
        "StandardOutput": ("journal", "inherit"),
        "StandardError": ("journal", "inherit"),
        "SyslogIdentifier": None,
        "TimeoutStartFailureMode": ("terminate",),
        "TimeoutStopFailureMode": ("terminate",),
        "GuessMainPID": None,
    },
}

_SANDBOX_FAMILIES = (
    *(
        "Ambient",
        "AppArmor",
        "Bind",
        "Capability",
        "Device",
        "Exec",
        "IPAddress",
        "Keyring",
        "Mount",
        "NetworkNamespace",
    ),
    *("NoExec", "Private", "Protect", "ReadOnly", "ReadWrite", "Restrict", "Root", "SELinux", "Secure", "Smack"),
    *("SocketBind", "SystemCall", "TemporaryFile", "Inaccessible"),
)
_SANDBOX_OTHERS = frozenset(("LockPersonality", "MemoryDenyWriteExecute", "NoNewPrivileges", "ProcSubset", "RemoveIPC"))
_NOT_SANDBOX = ("ExecCondition", "ExecReload", "ExecStart", "ExecStop")


def is_sandbox(name: str) -> bool:
    """Tell whether a directive is of systemd.exec(5)'s sandbox, of which a unit has many, all lost for one reason."""
    family = name.startswith(_SANDBOX_FAMILIES) and not name.startswith(_NOT_SANDBOX)
    return family or name in _SANDBOX_OTHERS
