"""Settings, each declared once: the option, the environment variable, the help and the man page are made from it.

The daemons parse with this module because argparse or click would take as long to start as Python itself. The `hafta`
command makes its click options from the same settings. Precedence: command line, then environment, then default.
"""

from __future__ import annotations

from hafta import exits
from hafta.descriptors import silence
from hafta.errors import UsageError
from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any


class Setting(Frozen):
    """One setting. `read` turns its text into a value, or raises ValueError with what it expected."""

    name: str  # "bad-rate": the option --bad-rate and the variable HAFTA_BAD_RATE
    read: Callable[[str], Any]
    default: Any
    help: str
    metavar: str = ""  # what the value stands for, with its unit; empty for a switch, which takes no value
    shown_default: str | None = None  # what help shows, if the default is only known at run time
    repeats: bool = False  # may be given more than once: `read` returns a tuple, and the tuples are joined
    scope: str = ""  # "guard": HAFTA_GUARD_INTERVAL, where HAFTA_INTERVAL belongs to a program that may run inside
    short: str = ""  # a letter: -p
    environment: str | None = None  # the variable, if it is not named as the option is; empty: there is none

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
        """The environment variable; empty if there is none."""
        named = "_".join(filter(None, ("HAFTA", self.scope.upper(), self.key.upper())))
        return named if self.environment is None else self.environment

    @property
    def options(self) -> tuple[str, ...]:
        """All its options: -p and --property."""
        return (f"-{self.short}", self.option) if self.short else (self.option,)


class Values:
    """The settings of one run, as attributes."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no such setting: {name}")


class Program(Frozen):
    """A program as its user sees it: --help and the man page are made from it.

    Raises ValueError for two settings with the same name.
    """

    name: str
    summary: str
    settings: tuple[Setting, ...]
    statuses: tuple[int, ...]  # of hafta.exits
    operands: str = ""  # how the usage line shows what follows the options; empty: nothing may follow
    meanings: Mapping[int, str] = {}  # of its statuses, where they are not those of hafta.exits

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        seen: set[str] = set()
        for setting in self.settings:
            if setting.key in seen:
                raise ValueError(f"{self.name} has two settings {setting.name}: give the second another name")
            seen.add(setting.key)


def parse(program: Program, argv: Sequence[str], environ: Mapping[str, str]) -> tuple[Values, list[str]]:
    """Return the settings and the operands. Raises UsageError, which names the option or variable and its value.

    `--help` and `--version` print and raise SystemExit(0).
    """
    by_option = {option: setting for setting in program.settings for option in setting.options}
    given: dict[str, Any] = {}
    operands: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            operands.extend(words)
        elif word in {"-h", "--help", "--version"}:
            _tell(program, word)
        elif word.startswith("-") and word != "-":
            for option, text in _split(word, by_option):
                setting = _known(program, by_option, option)
                value = _from_option(setting, text, words)
                given[setting.key] = (*given.get(setting.key, ()), *value) if setting.repeats else value
        else:
            operands.append(word)
    if operands and not program.operands:
        raise UsageError(f"unexpected argument {operands[0]!r}", f"see {program.name} --help")
    rest = (setting for setting in program.settings if setting.key not in given)
    return Values({**given, **{setting.key: _from_environment(setting, environ) for setting in rest}}), operands


def _split(word: str, by_option: Mapping[str, Setting]) -> Iterator[tuple[str, str | None]]:
    """Give the options of a word, each with its value if it has one there: --name=value, -pvalue, -al."""
    if word.startswith("--"):
        option, equals, text = word.partition("=")
        yield option, text if equals else None
        return
    for at, letter in enumerate(word[1:], 1):
        setting = by_option.get(f"-{letter}")
        rest = word[at + 1 :]
        if setting and setting.metavar and rest:
            yield f"-{letter}", rest
            return
        yield f"-{letter}", None


def help_text(program: Program) -> str:
    """Return what --help prints."""
    usage = " ".join(filter(None, (f"usage: {program.name} [OPTION]...", program.operands)))
    each = all(setting.variable for setting in program.settings)
    lines = [usage, "", program.summary, "", "Options, each also as an environment variable:" if each else "Options:"]
    for setting in program.settings:
        shown = f"  {', '.join(setting.options)} {setting.metavar}".rstrip()
        lines += [shown, f"      {setting.help}{help_default(setting)}"]
        lines += [f"      {setting.variable}"] if setting.variable else []
    lines += ["  --version", "  --help", "", "Exit status:"]
    meanings = {**exits.MEANING, **program.meanings}
    lines += [f"  {status:<4} {meanings[status]}" for status in program.statuses]
    return "\n".join(lines)


def number(text: str) -> float:
    """Read a finite number, 0 or more."""
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


def file_name(text: str) -> str:
    """Read the path of a file or directory, as it is from here."""
    import os

    return os.path.abspath(path(text))


def path(text: str) -> str:
    """Read a path."""
    if not text or "\0" in text:
        raise ValueError("a path")
    return text


def switch(text: str) -> bool:
    """Read yes or no, in any of the words that systemd accepts."""
    lowered = text.lower()
    if lowered in {"1", "yes", "y", "true", "t", "on"}:
        return True
    if lowered in {"0", "no", "n", "false", "f", "off"}:
        return False
    raise ValueError("yes or no")


def on_or_off(text: str) -> bool:
    """Read a switch that takes a value."""
    try:
        return switch(text)
    except ValueError:
        raise ValueError("on or off") from None


def _from_environment(setting: Setting, environ: Mapping[str, str]) -> Any:
    text = environ.get(setting.variable, "") if setting.variable else ""
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
        hint = f"{_choice(setting)}meaning: {setting.help}{help_default(setting)}"
        raise UsageError(f"{where}: {text!r} is not {error}", hint) from None


def _choice(setting: Setting) -> str:
    """Say what may be chosen, where that is a few words: on|off."""
    return f"use {' or '.join(setting.metavar.split('|'))}; " if "|" in setting.metavar else ""


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
    """Print on stdout. If the reader is gone, that is not an error. Other errors are raised once, not again at exit."""
    try:
        print(text, flush=True)
    except OSError as error:
        silence(1)
        if not isinstance(error, BrokenPipeError):
            raise
