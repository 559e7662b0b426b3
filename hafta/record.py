"""Frozen records: `@dataclass(frozen=True)` for the places that start-up time forbids dataclasses.

Importing dataclasses costs as much as starting Python itself, and start-up bounds recovery. A subclass declares its
fields as annotations, with defaults where it likes; type checkers read it as a frozen dataclass.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_options: bool) -> Callable[[type], type]:
        """Stand in for typing's decorator, which only type checkers need."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Record:
    """A value that never changes: built by position or by keyword, equal by type and fields."""

    _fields: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        """Take the annotated names of the class, behind those of its base, as its fields."""
        own = (name for name, kind in cls.__annotations__.items() if _is_field(name, kind))
        cls._fields = (*cls._fields, *(name for name in own if name not in cls._fields))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        if not kwargs and len(args) == len(cls._fields):  # the usual case, at a quarter of the price
            self.__dict__.update(zip(cls._fields, args, strict=True))
            return
        if len(args) > len(cls._fields):
            raise TypeError(f"{cls.__name__} takes {len(cls._fields)} values, got {len(args)}")
        given = dict(zip(cls._fields, args, strict=False))
        if twice := given.keys() & kwargs.keys():
            raise TypeError(f"{cls.__name__} got {sorted(twice)} twice")
        given.update(kwargs)
        if unknown := given.keys() - set(cls._fields):
            raise TypeError(f"{cls.__name__} has no field {sorted(unknown)}")
        missing = [name for name in cls._fields if name not in given and not hasattr(cls, name)]
        if missing:
            raise TypeError(f"{cls.__name__} needs {missing}")
        self.__dict__.update(given)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete {name}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.values() == other.values()

    def __hash__(self) -> int:
        return hash((type(self), self.values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({shown})"

    def values(self) -> tuple[Any, ...]:
        """Return the values in the order of the fields."""
        return tuple(getattr(self, name) for name in self._fields)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with these fields changed. Raises TypeError for a name that is no field."""
        return type(self)(**{**dict(zip(self._fields, self.values(), strict=True)), **changes})


def _is_field(name: str, kind: object) -> bool:
    return not name.startswith("_") and not str(kind).startswith("ClassVar")
