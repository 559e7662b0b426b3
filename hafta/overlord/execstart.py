"""ExecStart=: its prefixes, words, variables, and which program it means (systemd.service(5), "Command lines")."""

from __future__ import annotations

import os
import sys

from hafta.overlord.unit import Command
from hafta.systemd.unitfile import split_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.overlord.specifiers import Specifiers

#: Where a program without a path is looked for, and the PATH of services, as systemd has it.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PREFIXES = "-@:+!"
LOST_PREFIXES = "+!"
#: Our own programs, each a module: they come from the same tree as this overlord where their path leads nowhere.
OWN = {"hafta-server": "hafta.server", "hafta-client": "hafta.client"}
TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class ExecStart:
    """A command line as it stands in a unit file. Raises ValueError saying what was expected."""

    def __init__(self, text: str, specifiers: Specifiers) -> None:
        rest = text.lstrip(PREFIXES)
        self.prefixes = text[: len(text) - len(rest)]
        words = [specifiers.expand(word) for word in split_words(rest, relaxed=True)]
        if ";" in words:
            raise ValueError("one command: ; begins a second one, which the embedded overlord does not run")
        words = [";" if word == "\\;" else word for word in words]
        if not words or not words[0]:
            raise ValueError("a program")
        if "@" in self.prefixes and len(words) < 2:
            raise ValueError("a program and, because of the @, the name that it is to see as its own")
        self.program = words[0]
        self.argv = tuple(words[1:] if "@" in self.prefixes else words)

    @property
    def ignores_failure(self) -> bool:
        """Whether a failure counts as success."""
        return "-" in self.prefixes

    @property
    def lost_prefixes(self) -> str:
        """The prefixes that ask for privileges, which are not honoured."""
        return "".join(prefix for prefix in LOST_PREFIXES if prefix in self.prefixes)

    def command(self) -> Command:
        """Find the program. Raises ValueError if there is none that can be run."""
        plain = ":" in self.prefixes
        if own := self._own_module():
            argv = (sys.executable, "-P", "-m", own, *self.argv[1:])
            note = f"{self.program} is run as {' '.join(argv[:4])} from {TREE}"
            return Command(sys.executable, argv, plain, (("PYTHONPATH", TREE),), note)
        return Command(_find(self.program), self.argv, plain)

    def _own_module(self) -> str:
        module = OWN.get(os.path.basename(self.program), "")
        absent = not os.access(self.program, os.X_OK)
        return module if absent or in_checkout() else ""


def in_checkout() -> bool:
    """Tell whether this overlord runs from a source tree: then its programs come from there too, not from /usr/bin."""
    return os.path.exists(os.path.join(TREE, "pyproject.toml")) and os.path.isdir(os.path.join(TREE, "units"))


def _find(program: str) -> str:
    if "/" in program and not program.startswith("/"):
        raise ValueError("an absolute path, or a bare name to look for in the usual places")
    places = PATH.split(":")
    candidates = [program] if program.startswith("/") else [os.path.join(place, program) for place in places]
    for candidate in candidates:
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise ValueError(f"a program that can be run: {program} is not there or not executable")


def resolve(argv: tuple[str, ...], environment: Mapping[str, str]) -> list[str]:
    """Resolve $NAME, ${NAME} and $$ in the arguments; the first word stays as it is.

    A word that is $NAME alone becomes as many words as its value has, none if it is unset. ${NAME} becomes its value,
    as a part of the word. There is no shell.
    """
    found = [argv[0]]
    for word in argv[1:]:
        if word.startswith("$") and word[1:2] not in {"{", "$"}:
            found.extend(_split(environment.get(word[1:], "")))
        else:
            found.append(_substitute(word, environment))
    return found


def _split(value: str) -> list[str]:
    try:
        return split_words(value, relaxed=True)
    except ValueError:  # an unbalanced quote in a variable: systemd is as lenient
        return value.split()


def _substitute(word: str, environment: Mapping[str, str]) -> str:
    parts: list[str] = []
    rest = word
    while rest:
        plain, dollar, rest = rest.partition("$")
        parts.append(plain)
        if rest.startswith("$"):
            parts.append("$")
            rest = rest[1:]
        elif rest.startswith("{") and "}" in rest:
            name, _, rest = rest[1:].partition("}")
            parts.append(environment.get(name, ""))
        else:
            parts.append(dollar)
    return "".join(parts)
