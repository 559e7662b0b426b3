"""What the overlord does not act on: directives that lose nothing in a container, those of the sandbox, and the rest.

What loses nothing is not reported, so that people read what is. Each group below has its reason.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.units.unitfile import Entry

_NO_MOUNTS = ("RequiresMountsFor", "WantsMountsFor")  # what a container has is mounted before its first program runs
_NO_SESSIONS = ("IgnoreOnIsolate", "AllowIsolate", "SurviveFinalKillSignal")  # isolating a target, and shutting down
_FOR_OTHERS = ("Documentation", "SourcePath", "CollectMode")
_NO_NAMESPACES = ("JoinsNamespaceOf",)  # all units share all namespaces
#: The unit shares the container with few others: what only shares out a machine, or counts, changes nothing it does.
_CGROUPS = ("Slice", "Delegate", "DelegateSubgroup", "DisableControllers", "TasksMax", "MemoryPressureWatch")
_COUNTERS = tuple(f"{what}Accounting" for what in ("BlockIO", "CPU", "IO", "IP", "Memory", "Tasks"))
#: There is no systemd-oomd, no utmp, no second journal, and the overlord drops none of a service's lines.
_NO_DAEMONS = (
    *("ManagedOOMSwap", "ManagedOOMMemoryPressure", "ManagedOOMMemoryPressureLimit", "ManagedOOMPreference"),
    *("UtmpIdentifier", "UtmpMode", "LogNamespace", "LogExtraFields", "LogRateLimitIntervalSec", "LogRateLimitBurst"),
)
_NO_PROCESS = ("KillMode", "KillSignal", "SendSIGKILL", "TimeoutSec")  # of a socket

#: Nothing is lost when these are not acted on; with values, only for these.
HARMLESS: dict[str, dict[str, tuple[str, ...] | None]] = {
    "Unit": {
        **dict.fromkeys((*_FOR_OTHERS, *_NO_MOUNTS, *_NO_SESSIONS, *_NO_NAMESPACES)),
        **dict.fromkeys(("OnFailureJobMode", "OnSuccessJobMode"), ("replace", "fail")),
        "OnFailureIsolate": ("no", "false", "0", "off"),
        **dict.fromkeys(("FailureAction", "SuccessAction", "StartLimitAction", "JobTimeoutAction"), ("none",)),
        "JobTimeoutSec": ("infinity", "0"),
        "JobRunningTimeoutSec": ("infinity", "0"),
    },
    "Install": dict.fromkeys(("Alias", "Also", "DefaultInstance", "RequiredBy", "UpheldBy", "WantedBy")),
    "Socket": dict.fromkeys((*_CGROUPS, *_COUNTERS, *_NO_PROCESS)),
    "Service": {
        **dict.fromkeys((*_CGROUPS, *_COUNTERS, *_NO_DAEMONS)),
        "SyslogIdentifier": None,
        "SyslogFacility": None,
        "TimeoutStartFailureMode": ("terminate",),
        "TimeoutStopFailureMode": ("terminate",),
        "ExitType": ("main",),
        "FinalKillSignal": ("SIGKILL", "KILL", "9"),
        "SendSIGHUP": ("no", "false", "0", "off"),
        "FailureAction": ("none",),
        "OOMPolicy": ("continue",),  # the overlord ends no unit because the kernel has killed one of its processes
        "StartLimitAction": ("none",),
        "BusName": None,  # without Type=dbus it only says what name the service may take
    },
}

_SANDBOX_FAMILIES = (
    *(
        "AppArmor",
        "Bind",
        "Device",
        "Exec",
        "IPAddress",
        "Keyring",
        "Mount",
        "NetworkNamespace",
    ),
    *("NoExec", "Private", "Protect", "ReadOnly", "ReadWrite", "Restrict", "Root", "SELinux", "Smack"),
    *("SocketBind", "SystemCall", "TemporaryFile", "Inaccessible"),
)
_SANDBOX_OTHERS = frozenset(("LockPersonality", "MemoryDenyWriteExecute", "ProcSubset", "RemoveIPC"))
_NOT_SANDBOX = ("ExecCondition", "ExecReload", "ExecStart", "ExecStop")


def is_sandbox(name: str) -> bool:
    """Tell whether a directive is of systemd.exec(5)'s sandbox, of which a unit has many, all lost for one reason."""
    family = name.startswith(_SANDBOX_FAMILIES) and not name.startswith(_NOT_SANDBOX)
    return family or name in _SANDBOX_OTHERS


def is_harmless(entry: Entry) -> bool:
    """Tell whether nothing is lost when an assignment is not acted on."""
    if entry.section.startswith("X-") or entry.name.startswith("X-"):
        return True
    harmless = HARMLESS.get(entry.section, {})
    if entry.name not in harmless:
        return False
    wanted = harmless[entry.name]
    return wanted is None or not entry.value or entry.value in wanted
