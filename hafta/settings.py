"""Settings, each declared once: the option, the environment variable, the help and the man page come from one record.

The daemons parse with this module because argparse and click cost as much start-up as Python itself; the `hafta`
command makes its click options from the same records. Precedence: command line, then environment, then default.
"""

from __future__ import annotations

import os

from hafta import exits
from hafta.errors import UsageError
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


class Setting(Record):
    """One setting. `read` turns its text into a value, or raises ValueError saying what it expected."""

    name: str  # "bad-rate": the option --bad-rate and the variable HAFTA_BAD_RATE
    read: Callable[[str], Any]
    default: Any
    help: str
    metavar: str = ""  # what the text stands for, with its unit; empty for a switch, which takes none
    shown_default: str | None = None  # where the default is worked out at run time
    repeats: bool = False  # may be given more than once: `read` returns a tuple, and the tuples add up

    @property
    def key(self) -> str:
        """The name as an attribute."""
        return self.name.replace("-", "_")

    @property
    def option(self) -> str:
        """The option on the command line."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"HAFTA_{self.key.upper()}"


class Values:
    """The settings of one run, as attributes."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no setting {name}")


class Program(Record):
    """A program as its user meets it: what --help and the man page are made of.

    Raises ValueError for two settings of one name.
    """

    name: str
    summary: str
    settings: tuple[Setting, ...]
    statuses: tuple[int, ...]  # of hafta.exits
    operands: str = ""  # how the usage line shows what follows the options; empty: nothing may

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        seen: set[str] = set()
        for setting in self.settings:
            if setting.key in seen:
                raise ValueError(f"{self.name} has two settings {setting.name}: give the second another name")
            seen.add(setting.key)


def parse(program: Program, argv: Sequence[str], environ: Mapping[str, str]) -> tuple[Values, list[str]]:
    """Return the settings and the operands. Raises UsageError naming the option or variable and its value.

    `--help` and `--version` print and raise SystemExit(0).
    """
    by_option = {setting.option: setting for setting in program.settings}
    given: dict[str, Any] = {}
    operands: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            operands.extend(words)
        elif word in {"-h", "--help", "--version"}:
            _tell(program, word)
        elif word.startswith("-") and word != "-":
            option, equals, text = word.partition("=")
            setting = _known(program, by_option, option)
            value = _from_option(setting, text if equals else None, words)
            given[setting.key] = (*given.get(setting.key, ()), *value) if setting.repeats else value
        else:
            operands.append(word)
    if operands and not program.operands:
        raise UsageError(f"unexpected argument {operands[0]!r}", f"see {program.name} --help")
    rest = (setting for setting in program.settings if setting.key not in given)
    return Values({**given, **{setting.key: _from_environment(setting, environ) for setting in rest}}), operands


def help_text(program: Program) -> str:
    """Return what --help prints."""
    usage = " ".join(filter(None, (f"usage: {program.name} [OPTION]...", program.operands)))
    lines = [usage, "", program.summary, "", "Options, each also as an environment variable:"]
    for setting in program.settings:
        lines += [f"  {setting.option} {setting.metavar}".rstrip(), f"      {setting.help}{help_default(setting)}"]
        lines.append(f"      {setting.variable}")
    lines += ["  --version", "  --help", "", "Exit status:"]
    lines += [f"  {status:<4} {exits.MEANING[status]}" for status in program.statuses]
    return "\n".join(lines)


def number(text: str) -> float:
    """Read a number that is finite and not negative."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError("a number, 0 or more")
    return value


def whole(text: str) -> int:
    """Read a whole number, 0 or more."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ValueError("a whole number, 0 or more")
    return int(text)


def positive(text: str) -> int:
    """Read a whole number, 1 or more."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or not int(text):
        raise ValueError("a whole number, 1 or more")
    return int(text)


def path(text: str) -> str:
    """Read a path."""
    if not text or "\0" in text:
        raise ValueError("a path")
    return text


def switch(text: str) -> bool:
    """Read yes or no, in the words that systemd takes."""
    lowered = text.lower()
    if lowered in {"1", "yes", "y", "true", "t", "on"}:
        return True
    if lowered in {"0", "no", "n", "false", "f", "off"}:
        return False
    raise ValueError("yes or no")


def _from_environment(setting: Setting, environ: Mapping[str, str]) -> Any:
    text = environ.get(setting.variable, "")
    if not text:  # an empty line in /etc/default means "as shipped"
        return setting.default
    return _read(setting, text, setting.variable)


def _from_option(setting: Setting, text: str | None, words: Any) -> Any:
    if not setting.metavar:
        return _read(setting, "yes" if text is None else text, setting.option)
    if text is None:
        text = next(words, None)
    if text is None:
        raise UsageError(f"{setting.option} needs a value", f"try: {setting.option} {setting.metavar}")
    return _read(setting, text, setting.option)


def _read(setting: Setting, text: str, where: str) -> Any:
    try:
        return setting.read(text)
    except ValueError as error:
        hint = f"what it is: {setting.help}{help_default(setting)}"
        raise UsageError(f"{where}: {text!r} is not {error}", hint) from None


def _known(program: Program, by_option: Mapping[str, Setting], option: str) -> Setting:
    if option in by_option:
        return by_option[option]
    raise UsageError(f"unknown option {option}", f"see {program.name} --help")


def help_default(setting: Setting) -> str:
    """Return how help shows the default; empty if there is nothing to show."""
    shown = setting.default if setting.shown_default is None else setting.shown_default
    return "" if not setting.metavar or shown in {None, "", ()} else f" (default: {shown})"


def _tell(program: Program, word: str) -> None:
    if word == "--version":
        from hafta.version import VERSION

        _print(f"{program.name} {VERSION}")
    else:
        _print(help_text(program))
    raise SystemExit(exits.OK)


def _print(text: str) -> None:
    """Print on stdout. A reader that has gone is no error; any other is told once, and not again at exit."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):
            raise
