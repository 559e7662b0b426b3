"""Comparing versions, numbers and names, with the operators that systemd.unit(5) describes."""

from __future__ import annotations

import re
import string

from hafta.units.checks.libc import fnmatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The longer ones first: `<=` begins with `<`.
_ORDERS = ("<>", "<=", ">=", "==", "!=", "<", ">", "=")
_PATTERNS = ("!$=", "$=")


def take_operator(text: str, *, patterns: bool = False) -> tuple[str, str]:
    """Return the operator at the beginning of a text, empty if there is none, and what follows it."""
    operators = (*_PATTERNS, *_ORDERS) if patterns else _ORDERS
    found = next((each for each in operators if text.startswith(each)), "")
    return found, text[len(found) :]


def holds(operator: str, order: int) -> bool:
    """Tell whether an operator holds for an order: less than 0, 0, or more than 0."""
    if operator in {"==", "="}:
        return order == 0
    if operator in {"!=", "<>"}:
        return order != 0
    return (order < 0 and "<" in operator) or (order > 0 and ">" in operator) or (order == 0 and "=" in operator)


def compare(operator: str, found: str, wanted: str) -> bool:
    """Compare a name or a version. = and != compare texts, $= and !$= match a pattern, the others compare versions."""
    if operator in _PATTERNS:
        return fnmatch(wanted, found) is (operator == "$=")
    if operator in {"=", "!="}:
        return (found == wanted) is (operator == "=")
    return holds(operator, order_of_versions(found, wanted))


def order(a: Any, b: Any) -> int:
    """Return -1, 0 or 1."""
    return int(a > b) - int(a < b)


def order_of_versions(a: str, b: str) -> int:
    """Compare two versions by the Version Format Specification of UAPI.8 (uapi-group.org)."""
    if not a or not b:
        return order(a, b)
    left, right = _Version(a), _Version(b)
    while left.head or right.head:
        left.skip_strange()
        right.skip_strange()
        # What is a pre-release is older even than a version that ends here.
        if found := _separated(left, right, "~"):
            return found
        if not left.head or not right.head:
            return order(left.head, right.head)
        for separator in "-^.":
            if found := _separated(left, right, separator):
                return found
        if found := _segments(left, right):
            return found
    return 0


def _separated(left: _Version, right: _Version, separator: str) -> int:
    """Take a separator off both; that which alone has it is the older one."""
    has = [each.take(separator) for each in (left, right)]
    return order(has[1], has[0])


def _segments(left: _Version, right: _Version) -> int:
    """Compare what stands before the next separator: digits, if either has some, else letters."""
    if left.head in _DIGITS or right.head in _DIGITS:
        a, b = left.digits(), right.digits()
        if bool(a) is not bool(b):
            return order(bool(a), bool(b))
        a, b = a.lstrip("0"), b.lstrip("0")
        return order((len(a), a), (len(b), b))
    return order(left.letters(), right.letters())


_DIGITS = frozenset(string.digits)
_STRANGE = re.compile(r"[^A-Za-z0-9~^.-]*")
_NUMBER = re.compile(r"[0-9]*")
_LETTERS = re.compile(r"[A-Za-z]*")


class _Version:
    """A version of which the beginning has been compared."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def head(self) -> str:
        """The next character; empty at the end."""
        return self._text[self._at : self._at + 1]

    def take(self, separator: str) -> bool:
        """Take a separator off."""
        has = self.head == separator
        self._at += has
        return has

    def skip_strange(self) -> None:
        """Drop what no version has."""
        self._take(_STRANGE)

    def digits(self) -> str:
        """Take the digits at the beginning off."""
        return self._take(_NUMBER)

    def letters(self) -> str:
        """Take the letters at the beginning off."""
        return self._take(_LETTERS)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        found = match[0] if match else ""
        self._at += len(found)
        return found
