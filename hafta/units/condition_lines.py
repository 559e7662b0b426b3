"""Reading the values of Condition*= and Assert*= (rule 1 of conditions.py)."""

from __future__ import annotations

from hafta.units.conditions import PATHS, Condition
from hafta.units.values import absolute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.units.specifiers import Specifiers


def reader(kind: str) -> Callable[[str, Specifiers], tuple[Condition, ...]]:
    """Make a reader of the values of one kind."""
    is_path = kind in PATHS

    def read(value: str, specifiers: Specifiers) -> tuple[Condition, ...]:
        rest, trigger = _take(value, "|", is_path)
        rest, negate = _take(rest, "!", is_path)
        parameter = specifiers.expand(rest)
        if is_path:
            parameter = absolute(parameter, "an absolute path, | and ! in front if need be")
        return (Condition(kind, parameter, trigger, negate),)

    return read


def _take(text: str, mark: str, is_path: bool) -> tuple[str, bool]:
    """Return what follows a mark, and whether it is there. Blanks may follow it, but not in front of a path."""
    if not text.startswith(mark):
        return text, False
    return (text[1:] if is_path else text[1:].lstrip(" \t\r\n")), True
