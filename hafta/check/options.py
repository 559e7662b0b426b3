"""The options of `hafta check`, declared once: for click, the man page and the completions."""

from __future__ import annotations

from hafta import exits
from hafta.settings import Program, Setting, switch

TEXT, JSON, SARIF = FORMATS = ("text", "json", "sarif")


def form(text: str) -> str:
    """Read a format."""
    if text not in FORMATS:
        raise ValueError(f"one of {', '.join(FORMATS)}")
    return text


def release(text: str) -> int:
    """Read a release of systemd."""
    if not text.isascii() or not text.isdigit() or not 200 <= int(text[:5]) <= 999:
        raise ValueError("a release of systemd, such as 252")
    return int(text)


def code(text: str) -> str:
    """Read a code; which there are is known to the rules."""
    if not text:
        raise ValueError("a code such as HC009, or all")
    return text


def _switch(name: str, about: str) -> Setting:
    return Setting(name, switch, default=False, help=about, environment="")


EXPLAIN = Setting(
    "explain", code, "", "explain a code such as HC009: why it matters, what to do, an example; all for every code",
    "CODE", environment="",
)  # fmt: skip
STRICT = _switch("strict", "status 1 also for warnings")
DEEP = _switch("deep", "without a name: have journalctl verify each file of the journal, which may take minutes")
AGAINST = Setting(
    "against", release, None, "judge units for this release of systemd", "RELEASE", environment="",
    shown_default="that of this machine, else 252",
)  # fmt: skip
FORMAT = Setting("format", form, TEXT, "text, json or sarif (2.1.0, for code scanning)", "FORMAT", environment="")
AS_JSON = _switch("json", "the same as --format=json")
USER = _switch("user", "units of the user's own manager (systemctl --user)")

PROGRAM = Program(
    "hafta check",
    "Find what is wrong with units, sequences, records and the machine before it matters: where, and what to do.",
    (EXPLAIN, STRICT, AGAINST, DEEP, FORMAT, AS_JSON, USER),
    (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.SYSTEM),
    "[UNIT|FILE|MODULE:SEQUENCE|RECORD]...",
    {
        exits.OK: "there is no error; with --strict, no warning either",
        exits.FAILED: "there is one",
        exits.NOT_FOUND: "there is no unit, file, sequence, record or code of a name that was given",
        exits.PERMISSION: "nothing could be seen",
    },
)
