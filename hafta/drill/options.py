"""The options of `hafta drill`, declared once: for click, the man page and the completions."""

from __future__ import annotations

from hafta import exits
from hafta.settings import Program, Setting, file_name, switch

MOST = 100  # rounds


def times(text: str) -> int:
    """Read a number of rounds."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:5]) <= MOST:
        raise ValueError(f"a number of rounds from 1 to {MOST}")
    return int(text)


def _switch(name: str, text: str) -> Setting:
    return Setting(name, switch, default=False, help=text, environment="")


PROGRAM = Program(
    "hafta drill",
    "Break a running unit on purpose, measure how it comes back, and undo all of it, however the drill ends.",
    (
        _switch("yes", "do it; without this the plan is shown and nothing is done"),
        _switch("plan", "show what would be done and how it is undone, and do nothing"),
        Setting("times", times, 5, "rounds of each drill that ends the unit", "N", environment=""),
        Setting("expect", file_name, "", "figures that must be kept, a TOML file; status 1 if one is not", "FILE",
                environment=""),
        _switch("json", "print JSON, for programs"),
        _switch("user", "a unit of this user's own manager, not of the system"),
    ),
    (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.SYSTEM),
    "UNIT [DRILL]...",
    {
        exits.OK: "the unit was up again after each drill, and every expectation was kept; or the plan was shown",
        exits.FAILED: "it was not, or one was missed; or not everything could be undone",
        exits.USAGE: "refused: --yes is missing, or this unit must not be drilled, or not now; a wrong option",
        exits.NOT_FOUND: "there is no such unit",
        exits.PERMISSION: "no right to drill it, or to read what comes of it",
    },
)  # fmt: skip
