"""Frozen values: `@dataclass(frozen=True)` for the places that start-up time forbids dataclasses.

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
class Frozen:
    """A value that never changes: built by position or by keyword, equal by type and fields.

    It holds one tuple, and its fields are places in that: a tuple is made at once, an attribute for each field is not,
    and a storm makes an event for every failure.
    """

    __slots__ = ("_values",)

    _fields: tuple[str, ...] = ()
    _defaults: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed

    if TYPE_CHECKING:
        _values: tuple[Any, ...]

    def __init_subclass__(cls) -> None:
        """Take the annotated names of the class, behind those of its base, as its fields."""
        own = [name for name, kind in cls.__annotations__.items() if _is_field(name, kind)]
        cls._fields = (*cls._fields, *(name for name in own if name not in cls._fields))
        cls._defaults = cls._defaults | {name: vars(cls)[name] for name in own if name in vars(cls)}
        for name in own:
            setattr(cls, name, _place(cls._fields.index(name)))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs or len(args) != len(self._fields):
            args = self._completed(args, kwargs)
        _set(self, "_values", args)

    @classmethod
    def _completed(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return the values of all fields. Raises TypeError."""
        fields = cls._fields
        if len(args) > len(fields):
            raise TypeError(f"{cls.__name__} takes {len(fields)} values, got {len(args)}")
        given = dict(zip(fields, args, strict=False))
        if twice := given.keys() & kwargs.keys():
            raise TypeError(f"{cls.__name__} got {sorted(twice)} twice")
        given = {**cls._defaults, **given, **kwargs}
        if unknown := given.keys() - set(fields):
            raise TypeError(f"{cls.__name__} has no field {sorted(unknown)}")
        missing = [name for name in fields if name not in given]
        if missing:
            raise TypeError(f"{cls.__name__} needs {missing}")
        return tuple([given[name] for name in fields])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete {name}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values == other._values

    def __hash__(self) -> int:
        return hash((type(self), self._values))

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), self._values

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self._values, strict=True))
        return f"{type(self).__name__}({shown})"

    def values(self) -> tuple[Any, ...]:
        """Return the values in the order of the fields."""
        return self._values

    def replace(self, **changes: Any) -> Self:
        """Return a copy with these fields changed. Raises TypeError for a name that is not a field."""
        fields, values = self._fields, list(self._values)
        for name, value in changes.items():
            if name not in fields:
                raise TypeError(f"{type(self).__name__} has no field {sorted(changes.keys() - set(fields))}")
            values[fields.index(name)] = value
        return type(self)(*values)  # as a new one: what a subclass refuses, it refuses here


_set = object.__setattr__  # past the one that refuses


def _place(at: int) -> property:
    return property(lambda self: self._values[at])


def _is_field(name: str, kind: object) -> bool:
    return not name.startswith("_") and not str(kind).startswith("ClassVar")
