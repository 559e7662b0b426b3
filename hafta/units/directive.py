"""One directive: where its value goes, and how it is read."""

from __future__ import annotations

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.units.specifiers import Specifiers


class NotHere(ValueError):
    """systemd takes the value, and the embedded overlord cannot do what it asks for."""


class Directive(Frozen):
    """Where a directive's value goes and how it is read. One that `adds` is a tuple to which each line adds.

    An empty line drops what was added before, unless that `stays`.
    """

    field: str
    read: Callable[[str, Specifiers], Any]
    adds: bool = False
    resets: bool = False
    stays: bool = False  # an empty line changes nothing

    @property
    def forgets(self) -> bool:
        """Whether an empty value takes back what was said before; elsewhere that is a wrong value."""
        return (self.adds and not self.stays) or self.resets
