"""Every directive that the overlord honours, as a table."""

from __future__ import annotations

from hafta.units import capabilities, scheduling, socketfile, streams, values
from hafta.units.condition_lines import reader
from hafta.units.conditions import KINDS
from hafta.units.directive import Directive
from hafta.units.execstart import parse_commands
from hafta.units.folders import folders
from hafta.units.limits import limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.units.specifiers import Specifiers
    from hafta.units.unit import Command


def commands(text: str, specifiers: Specifiers) -> tuple[Command, ...]:
    """Read the commands of a line."""
    return tuple(parse_commands(text, specifiers))


NAMES = {
    "Wants": "wants",
    "Requires": "requires",
    "BindsTo": "binds_to",
    "PartOf": "part_of",
    "After": "after",
    "Before": "before",
    "Requisite": "requisite",
    "Conflicts": "conflicts",
    "Upholds": "upholds",
    "OnFailure": "on_failure",
    "OnSuccess": "on_success",
    "PropagatesStopTo": "stops",
    "StopPropagatedFrom": "stopped_by",
    "PropagatesReloadTo": "reloads",
    "PropagateReloadTo": "reloads",
    "ReloadPropagatedFrom": "reloaded_by",
    "PropagateReloadFrom": "reloaded_by",
}
_UNIT = {name: Directive(field, values.units, adds=True, stays=True) for name, field in NAMES.items()} | {
    "Description": Directive("description", values.text, resets=True),
    "StartLimitIntervalSec": Directive("limit_interval", values.seconds),
    "StartLimitInterval": Directive("limit_interval", values.seconds),
    "StartLimitBurst": Directive("limit_burst", values.whole),
    "DefaultDependencies": Directive("default_dependencies", values.yes),
    "StopWhenUnneeded": Directive("stop_when_unneeded", values.yes),
    "RefuseManualStart": Directive("refuse_manual_start", values.yes),
    "RefuseManualStop": Directive("refuse_manual_stop", values.yes),
}
_EXEC = {
    "ExecCondition": "condition",
    "ExecStartPre": "start_pre",
    "ExecStart": "start",
    "ExecStartPost": "start_post",
    "ExecReload": "reload",
    "ExecStop": "stop",
    "ExecStopPost": "stop_post",
}
_PROCESS = {name: Directive(f"exec {field}", commands, adds=True) for name, field in _EXEC.items()} | {
    "Type": Directive("type", values.service_type),
    "PIDFile": Directive("pid_file", values.pid_file, resets=True),
    "GuessMainPID": Directive("guess_main_pid", values.yes),
    "PermissionsStartOnly": Directive("permissions_start_only", values.yes),
    "ReloadSignal": Directive("reload_signal", values.signal_number),
    "Environment": Directive("environment", values.assignments, adds=True),
    "EnvironmentFile": Directive("environment_files", values.environment_file, adds=True),
    "PassEnvironment": Directive("pass_environment", values.variables, adds=True),
    "UnsetEnvironment": Directive("unset_environment", values.unwanted, adds=True),
    "WorkingDirectory": Directive("working_directory", values.directory, resets=True),
    "User": Directive("user", values.identity, resets=True),
    "Group": Directive("group", values.identity, resets=True),
    "DynamicUser": Directive("dynamic_user", values.yes),
    "UMask": Directive("umask", values.mode),
    "IgnoreSIGPIPE": Directive("ignore_sigpipe", values.yes),
    "RuntimeDirectory": Directive("runtime_directory", folders(links=True), adds=True),
    "RuntimeDirectoryMode": Directive("runtime_mode", values.mode),
    "RuntimeDirectoryPreserve": Directive("runtime_preserve", values.preserve),
    "StateDirectory": Directive("state_directory", folders(links=True), adds=True),
    "StateDirectoryMode": Directive("state_mode", values.mode),
    "CacheDirectory": Directive("cache_directory", folders(links=True), adds=True),
    "CacheDirectoryMode": Directive("cache_mode", values.mode),
    "LogsDirectory": Directive("logs_directory", folders(links=True), adds=True),
    "LogsDirectoryMode": Directive("logs_mode", values.mode),
    "ConfigurationDirectory": Directive("configuration_directory", folders(links=False), adds=True),
    "ConfigurationDirectoryMode": Directive("configuration_mode", values.mode),
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
    "TimeoutAbortSec": Directive("timeout_abort", values.seconds, resets=True),
    "KillSignal": Directive("kill_signal", values.signal_number),
    "KillMode": Directive("kill_mode", values.one_of("control-group", "mixed", "process", "none"), resets=True),
    "SendSIGKILL": Directive("send_sigkill", values.yes),
    "NotifyAccess": Directive("notify_access", values.one_of("none", "main", "exec", "all")),
    "StartLimitInterval": Directive("limit_interval", values.seconds),
    "StartLimitBurst": Directive("limit_burst", values.whole),
}
_ATTRIBUTES = {
    "AmbientCapabilities": Directive("ambient", capabilities.capabilities, adds=True, stays=True),
    "CapabilityBoundingSet": Directive("bounding", capabilities.capabilities, adds=True, stays=True),
    "SecureBits": Directive("secure_bits", capabilities.secure_bits, resets=True),
    "NoNewPrivileges": Directive("no_new_privileges", values.yes),
    "SupplementaryGroups": Directive("groups", values.identities, adds=True),
    "Nice": Directive("nice", scheduling.nice, resets=True),
    "OOMScoreAdjust": Directive("oom_score", scheduling.oom_score, resets=True),
    "IOSchedulingClass": Directive("io", scheduling.io_class, adds=True),
    "IOSchedulingPriority": Directive("io", scheduling.io_priority, adds=True),
    "CPUSchedulingPolicy": Directive("cpu", scheduling.policy, adds=True, stays=True),
    "CPUSchedulingPriority": Directive("cpu", scheduling.priority, adds=True, stays=True),
    "CPUSchedulingResetOnFork": Directive("resets_on_fork", values.yes),
    "CPUAffinity": Directive("affinity", scheduling.affinity, adds=True),
    "TimerSlackNSec": Directive("timer_slack", scheduling.timer_slack),
}
_DESCRIPTORS = {
    "Sockets": Directive("sockets", values.units, adds=True, stays=True),
    "StandardInput": Directive("standard input", streams.reader(is_input=True)),
    "StandardOutput": Directive("standard output", streams.reader(is_input=False)),
    "StandardError": Directive("standard error", streams.reader(is_input=False)),
    "SyslogLevel": Directive("standard level", streams.level),
    "SyslogLevelPrefix": Directive("standard has_prefixes", values.yes),
    "LogLevelMax": Directive("standard most", streams.level),
    "NonBlocking": Directive("non_blocking", values.yes),
    "FileDescriptorStoreMax": Directive("store_max", values.whole),
}
_RESOURCES = (
    *("AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO"),
    *("RTTIME", "SIGPENDING", "STACK"),
)
_LIMITS = {f"Limit{name}": Directive(f"limit {name}", limit(name)) for name in _RESOURCES}

CONDITIONS = {
    f"{word}{kind}": Directive(field, reader(kind), adds=True)
    for word, field in (("Condition", "conditions"), ("Assert", "asserts"))
    for kind in KINDS
}

_OF_SOCKET = {name: Directive(f"exec {field}", commands, adds=True) for name, field in socketfile.COMMANDS.items()} | {
    "TimeoutSec": Directive("timeout", values.timeout),
}

#: By section and name.
DIRECTIVES: dict[str, dict[str, Directive]] = {
    "Unit": _UNIT | CONDITIONS,
    "Service": _PROCESS | _LIFE | _ATTRIBUTES | _LIMITS | _DESCRIPTORS,
    "Socket": socketfile.HONOURED | socketfile.REFUSED | _OF_SOCKET,
}
