r"""Text becomes words in several ways, one for each place: systemd's extract_first_word() with its flags.

| place                                      | quotes taken off | a backslash                                        |
|--------------------------------------------|------------------|----------------------------------------------------|
| ExecStart=                                 | yes              | a C escape; an unknown one stays as it is          |
| Environment=, UnsetEnvironment=            | yes              | a C escape; an unknown one is an error             |
| RuntimeDirectory= and its kin              | yes              | stays; then, between colons, as for Environment=   |
| PassEnvironment=, CPUs, capabilities, ...  | yes              | goes; the next character counts as it is           |
| $NAME in a command                         | yes              | the same; an open quote ends with the text         |
| SuccessExitStatus= and its kin             | no               | the same                                           |
| Wants=, After= and other lists of units    | no               | stays: unit names have it (`a\x2db.service`)       |

The cost is linear in the text.
"""

from __future__ import annotations

from hafta.frozen import Frozen

WHITESPACE = " \t\r\n"


class Mode(Frozen):
    """How a text becomes words."""

    quotes: bool = True
    escapes: str = "c"  # "c": C escapes; "next": the next character as it is; "keep": a backslash is a character
    keeps_unknown: bool = False  # an unknown C escape stays as it is
    relaxed: bool = False  # the end of the text closes a quote
    separators: str = WHITESPACE


COMMAND = Mode(keeps_unknown=True)
STRICT = Mode()
VARIABLES = Mode(escapes="next")
VALUE = Mode(escapes="next", relaxed=True)
CPUS = Mode(escapes="next", separators=f"{WHITESPACE},")
RAW = Mode(escapes="keep")
DIRECTORY = Mode(quotes=False, separators=":")
STATUSES = Mode(quotes=False, escapes="next")
UNITS = Mode(quotes=False, escapes="keep")


def split(text: str, mode: Mode) -> list[str]:
    """Return the words of a text. Raises ValueError saying what was expected."""
    found: list[str] = []
    at = 0
    while True:
        word, at = next_word(text, at, mode)
        if word is None:
            return found
        found.append(word)


def next_word(text: str, at: int, mode: Mode) -> tuple[str | None, int]:
    """Return the word that begins at `at` or behind it, None if there is none, and where the next one may begin."""
    at = _skip(text, at, mode.separators)
    if at >= len(text):
        return None, at
    parts: list[str] = []
    quote = ""
    has_bytes = False
    while at < len(text):
        char = text[at]
        if char == "\\" and mode.escapes != "keep":
            part, at = _escape(text, at + 1, mode, quote)
            has_bytes = has_bytes or not part.isascii()
            parts.append(part)
            continue
        at += 1
        if char == quote:
            quote = ""
        elif quote:
            parts.append(char)
        elif char in "\"'" and mode.quotes:
            quote = char
        elif char in mode.separators:
            break
        else:
            parts.append(char)
    if quote and not mode.relaxed:
        raise ValueError(f"a closing {quote}")
    word = "".join(parts)
    if has_bytes:  # bytes given one by one may now form characters
        word = word.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return word, _skip(text, at, mode.separators)


def skip_blanks(text: str, at: int) -> int:
    """Return where the next word begins."""
    return _skip(text, at, WHITESPACE)


def _skip(text: str, at: int, separators: str) -> int:
    while at < len(text) and text[at] in separators:
        at += 1
    return at


def _escape(text: str, at: int, mode: Mode, quote: str) -> tuple[str, int]:
    """Resolve the escape whose backslash stands before `at`; return what it means and where to go on."""
    if at == len(text):
        if mode.keeps_unknown and not quote:
            return "\\", at
        if mode.relaxed:
            return "", at
        raise ValueError("something after the last backslash")
    if mode.escapes == "next":
        return text[at], at + 1
    resolved, end = unescape_one(text, at)
    if resolved:
        return resolved, end
    if mode.keeps_unknown:
        return "\\" + text[at], at + 1
    if mode.separators == text[at]:
        return text[at], at + 1
    raise ValueError(f"a C escape, not \\{text[at]}")


_ESCAPES = {**dict(zip("abfnrtvs", "\a\b\f\n\r\t\v ", strict=True)), "\\": "\\", '"': '"', "'": "'"}
_CODES = {"x": (2, 16), "u": (4, 16), "U": (8, 16)}
_DIGITS = {8: frozenset("01234567"), 16: frozenset("0123456789abcdefABCDEF")}


def unescape_one(text: str, at: int) -> tuple[str, int]:
    """Return what the C escape means whose first character after the backslash is at `at`, empty if there is none."""
    char = text[at]
    if char in _ESCAPES:
        return _ESCAPES[char], at + 1
    width, base = _CODES.get(char, (3, 8))
    begin = at + 1 if char in _CODES else at
    digits = text[begin : begin + width]
    if len(digits) < width or not _DIGITS[base].issuperset(digits):
        return "", at
    return _character(char, int(digits, base)), begin + width


def _character(kind: str, code: int) -> str:
    """Return a character; a hexadecimal or octal code is a byte, which may be a part of a longer character."""
    if not code or code > (0xFF if kind not in "uU" else 0x10FFFF) or (kind == "U" and _is_no_character(chr(code))):
        return ""
    data = bytes((code,)) if kind not in "uU" else chr(code).encode("utf-8", "surrogatepass")
    return data.decode("utf-8", "surrogateescape")


def is_utf8(text: str) -> bool:
    """Tell whether a text was UTF-8 before it was decoded with surrogateescape, without what is not a character."""
    return text.isascii() or not any(map(_is_no_character, text))


def _is_no_character(char: str) -> bool:
    return "\ud800" <= char < "\ue000" or "\ufdd0" <= char <= "\ufdef" or ord(char) & 0xFFFE == 0xFFFE


def simplified(path: str) -> str:
    """Return a path without doubled slashes, `.` and slashes at its end, as systemd writes paths."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    return ("/" if path.startswith("/") else "") + "/".join(parts)
