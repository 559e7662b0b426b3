"""Command lines such as ExecStart=: prefixes, words, variables, and which program is meant (systemd.service(5))."""

from __future__ import annotations

import os
import sys

from hafta.units import words
from hafta.units.envfile import PATH
from hafta.units.unit import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.units.specifiers import Specifiers

_PRIVILEGES = "+!"
#: Our own programs, each a module: they come from the same tree as this overlord where their path leads nowhere.
OWN = {"hafta": "hafta.cli", "hafta-server": "hafta.server", "hafta-client": "hafta.client"}
TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_UNSAFE = frozenset((*map(chr, range(1, 32)), *"\"'\\\x7f"))
_LONGEST = 255


def as_run(command: Command) -> Command:
    """Return a command as it is run now: a program of our own comes from our tree if it is not there."""
    absent = not os.access(find_program(command.path), os.X_OK)
    if not command.module or not (absent or in_checkout()):
        return command
    argv = (sys.executable, "-P", "-m", command.module, *command.argv[1:])
    note = f"{command.path} is run as {' '.join(argv[:4])} from {TREE}"
    return command.replace(path=sys.executable, argv=argv, module="", environment=(("PYTHONPATH", TREE),), note=note)


def parse_commands(text: str, specifiers: Specifiers) -> list[Command]:
    """Return the commands of a line; a lone `;` separates them. Raises ValueError saying what was expected."""
    found: list[Command] = []
    at, more = 0, True
    while more:
        first, at = words.next_word(text, at, words.COMMAND)
        if first is None:
            break
        if first == ";":
            continue
        arguments, at, more = _arguments(text, at, specifiers)
        found.append(_command(first, arguments, specifiers))
    return found


def _arguments(text: str, at: int, specifiers: Specifiers) -> tuple[list[str], int, bool]:
    r"""Return the words up to the end or to a `;`, where that was, and whether there was one.

    Only a `;` that stands alone and without quotes separates. A lone `\;` is the word `;`.
    """
    found: list[str] = []
    while at < len(text):
        if _stands_alone(";", text, at):
            return found, words.skip_blanks(text, at + 1), True
        if _stands_alone("\\;", text, at):
            found.append(";")
            at = words.skip_blanks(text, at + 2)
            continue
        word, at = words.next_word(text, at, words.COMMAND)
        if word is not None:
            found.append(specifiers.expand(word))
    return found, at, False


def _stands_alone(sign: str, text: str, at: int) -> bool:
    end = at + len(sign)
    return text.startswith(sign, at) and (end == len(text) or text[end] in words.WHITESPACE)


def _command(first: str, arguments: list[str], specifiers: Specifiers) -> Command:
    prefixes = _prefixes(first)
    program = specifiers.expand(first[len(prefixes) :])
    if not program:
        raise ValueError("a program")
    if not _UNSAFE.isdisjoint(program):
        raise ValueError("a program whose path has no quotes, backslashes or control characters")
    if program.endswith("/") or not (program.startswith("/") or _is_filename(program)):
        raise ValueError("an absolute path, or a bare name to look for in the usual places")
    argv = tuple(arguments) if "@" in prefixes else (program, *arguments)
    if not argv:
        raise ValueError("a program and, because of the @, the name that it is to see as its own")
    path = words.simplified(program)
    return Command(
        path,
        argv,
        plain=":" in prefixes,
        ignore_failure="-" in prefixes,
        privileged="+" in prefixes,
        keeps_user=prefixes.count("!") == 1,
        module=OWN.get(os.path.basename(path), ""),
    )


def _prefixes(word: str) -> str:
    """Return the prefixes of a command: each at most once, and one of + ! !! at most."""
    found = ""
    for char in word:
        privileges = "".join(filter(_PRIVILEGES.__contains__, found))
        allowed = not privileges or (char == "!" == privileges) if char in _PRIVILEGES else char not in found
        if char not in "-@:+!" or not allowed:
            break
        found += char
    return found


def _is_filename(name: str) -> bool:
    return "/" not in name and name not in {".", ".."} and len(os.fsencode(name)) <= _LONGEST


def in_checkout() -> bool:
    """Tell whether this overlord runs from a source tree: then its programs come from there too, not from /usr/bin."""
    return os.path.exists(os.path.join(TREE, "pyproject.toml")) and os.path.isdir(os.path.join(TREE, "units"))


def find_program(program: str) -> str:
    """Return where a program is now; where it would be if it is nowhere, so that execve(2) says what is wrong."""
    if program.startswith("/"):
        return program
    candidates = [os.path.join(place, program) for place in PATH.split(":")]
    found = [path for path in candidates if os.path.isfile(path) and os.access(path, os.X_OK)]
    return found[0] if found else candidates[0]


def resolve(argv: tuple[str, ...], environment: Mapping[str, str]) -> list[str]:
    """Resolve $NAME, ${NAME} and $$ in the words of a command. There is no shell.

    A word that is $NAME alone becomes as many words as its value has, none if it is unset. ${NAME} becomes its value,
    as a part of the word.
    """
    found: list[str] = []
    for word in argv:
        if word.startswith("$") and word[1:2] not in {"{", "$"}:
            found.extend(words.split(environment.get(word[1:], ""), words.VALUE))
        else:
            found.append(_substitute(word, environment))
    return found


def _substitute(word: str, environment: Mapping[str, str]) -> str:
    parts: list[str] = []
    at = 0
    while (dollar := word.find("$", at)) >= 0:
        parts.append(word[at:dollar])
        following = word[dollar + 1 : dollar + 2]
        at = dollar + 2
        if following == "{":
            value, at = _braced(word, at, environment)
            parts.append(value)
        else:
            parts.append("$" if following == "$" else "$" + following)
    parts.append(word[at:])
    return "".join(parts)


def _braced(word: str, at: int, environment: Mapping[str, str]) -> tuple[str, int]:
    """Return the value of ${NAME}, whose name begins at `at`, and where to go on.

    What only a shell would understand, as ${NAME:-1}, and what is not closed, stays as it is.
    """
    end = word.find("}", at)
    colon = word.find(":", at, end if end >= 0 else len(word))
    if colon >= 0:
        return "${" + word[at : colon + 1], colon + 1
    if end < 0:
        return "${" + word[at:], len(word)
    return environment.get(word[at:end], ""), end + 1
