"""The options of `hafta ctl`: those of systemctl that scripts use, declared once, also for click and the man page."""

from __future__ import annotations

from hafta.settings import Program, Setting, switch, whole

#: Exit statuses as systemctl has them, which has them from the LSB: they differ from those of the other commands.
OK, FAILED, USAGE, NOT_RUNNING, UNKNOWN, NOT_LOADED = 0, 1, 2, 3, 4, 5
MEANINGS = {
    OK: "done; is-active: at least one is active; is-failed: at least one has failed",
    FAILED: "it failed, or was refused, or no overlord can be asked",
    USAGE: "a wrong verb or option",
    NOT_RUNNING: "status, is-active: not running; reload: it has none",
    UNKNOWN: "status, is-active, is-failed, is-enabled: there is no such unit",
    NOT_LOADED: "start, stop and the like: there is no such unit, or it is not loaded",
}


def names(text: str) -> tuple[str, ...]:
    """Read names with commas between them."""
    found = tuple(filter(None, text.split(",")))
    if not found:
        raise ValueError("NAME[,NAME]...")
    return found


def word(text: str) -> str:
    """Read a word."""
    if not text:
        raise ValueError("a word")
    return text


def _switch(name: str, text: str, short: str = "") -> Setting:
    return Setting(name, switch, default=False, help=text, short=short, environment="")


def _names(name: str, text: str, metavar: str, short: str = "") -> Setting:
    return Setting(name, names, (), text, metavar, short=short, environment="", repeats=True)


SETTINGS = (
    Setting(
        "overlord",
        word,
        "",
        "ask the overlord with this process, control socket, or directory",
        "PID|PATH",
        shown_default="the only one of this user",
        environment="HAFTA_CONTROL",
    ),
    _switch("json", "print JSON, for programs"),
    _names("property", "show: only these properties", "NAME[,NAME]...", "p"),
    _switch("value", "show: the values without their names"),
    _names("value-of", "show: as --property with --value", "NAME[,NAME]...", "P"),
    _switch("all", "list-units: also those at rest; show: also empty properties", "a"),
    _names("type", "list-units: only units of these kinds, such as service", "KIND[,KIND]...", "t"),
    _names("state", "list-units: only units in one of these states (LOAD, ACTIVE or SUB)", "STATE[,STATE]..."),
    _switch("failed", "list-units: as --state=failed"),
    _switch("plain", "list-units: without a mark in front"),
    _switch("no-legend", "list-units: without the line of titles and the sentences below"),
    _switch("quiet", "print nothing but errors", "q"),
    _switch("no-block", "do not wait for what start, stop and the like have begun"),
    Setting("signal", word, "SIGTERM", "kill: send this signal", "SIGNAL", short="s", environment=""),
    Setting("kill-whom", word, "all", "kill: all processes of the unit, or main", "WHOM", environment=""),
    Setting("kill-who", word, "", "the older name of --kill-whom", "WHOM", environment=""),
    _switch("full", "changes nothing: nothing is shortened", "l"),
    _switch("no-pager", "changes nothing: there is no pager"),
    Setting("lines", whole, 0, "changes nothing: status shows no lines of the journal", "N", short="n", environment=""),
    _switch("no-ask-password", "changes nothing: nobody is asked"),
)

PROGRAM = Program(
    "hafta ctl",
    "Ask a running overlord where its units stand, and start, stop, restart, reload and kill them, as systemctl does.",
    SETTINGS,
    tuple(MEANINGS),
    operands="VERB [UNIT]...",
    meanings=MEANINGS,
)
