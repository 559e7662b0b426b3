"""The options of the commands that look, declared once: for click, the man pages and the completions."""

from __future__ import annotations

from hafta import exits
from hafta.settings import Program, Setting, file_name, switch

TYPE_CHECKING = False

NOT_RUNNING = 3  # as systemctl has it


def seconds(text: str) -> float:
    """Read a number of seconds, at least a tenth."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise ValueError("a number of seconds from 0.1 to 3600")
    return value


def _switch(name: str, text: str, short: str = "") -> Setting:
    return Setting(name, switch, default=False, help=text, short=short, environment="")


STATUS = Program(
    "hafta status",
    "Show what stands where, the worst first: how services are, where their sequences are, and what to do.",
    (
        _switch("verbose", "show more: units, runs, drop-ins, memory, and how old each source is", "v"),
        _switch("watch", "look again and again, until q or Ctrl-C", "w"),
        Setting("every", seconds, 1.0, "with --watch: seconds between two looks", "SECONDS", "1", environment=""),
        _switch("all", "also processes that have ended and belong to no unit", "a"),
        _switch("user", "ask the user's own manager (systemctl --user)"),
        _switch("json", "print JSON, for programs"),
        _switch("no-log", "do not look into the journal, which has what the restarts were for, and the rollbacks"),
    ),
    (exits.OK, exits.FAILED, exits.USAGE, NOT_RUNNING, exits.NOT_FOUND, exits.PERMISSION, exits.SYSTEM),
    "[UNIT|SEQUENCE]...",
    {
        exits.OK: "nothing of what was looked at is down, held back, hung, degraded or failed",
        exits.FAILED: "something is",
        NOT_RUNNING: "a unit that was named is stopped",
        exits.NOT_FOUND: "there is no unit and no sequence of a name that was given",
        exits.PERMISSION: "nothing could be seen",
    },
)
METRICS = Program(
    "hafta metrics",
    "Print metrics for Prometheus: how services stand, where their sequences are, and what the journal has counted.",
    (
        Setting(
            "textfile", file_name, "", "write them to this file, in one step, for node_exporter", "FILE",
            shown_default="to stdout", environment="",
        ),
        Setting(
            "state", file_name, "", "keep totals in this directory: they go on where the journal forgets", "DIR",
            shown_default="$STATE_DIRECTORY, or none: count what the journal has", environment="",
        ),
        _switch("openmetrics", "print OpenMetrics, not the older text format"),
        _switch("user", "units of this user, not of the system"),
    ),
    (exits.OK, exits.USAGE, exits.PERMISSION, exits.IN_USE, exits.SYSTEM),
    "",
    {
        exits.PERMISSION: "nothing could be seen",
        exits.IN_USE: "another one counts in the same directory",
        exits.SYSTEM: "prometheus-client is missing, or a file cannot be written",
    },
)  # fmt: skip
