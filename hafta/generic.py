"""Generic classes without typing, which start-up time forbids: `class Sequence(Generic[Data])`.

Type checkers read typing's own Generic. When the program runs, `Sequence[Data]` is what `list[int]` is: an alias that
can be called.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic

    from typing_extensions import TypeVar  # for type checkers, which know it without its being installed

    #: The type of the userdata; Any where nobody says.
    Data = TypeVar("Data", default=Any)
else:
    Data = "Data"

    class Generic:
        """Stand in for typing's."""

        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


__all__ = ["Data", "Generic"]
