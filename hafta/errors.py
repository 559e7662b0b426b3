"""The errors of HAFTA: one base class and few others. Each one says whose fault it is and what to do."""

from __future__ import annotations

from enum import Enum

from hafta import exits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class HaftaError(Exception):
    """Base of every error that HAFTA raises on purpose.

    `message` says what is wrong, where, and with which value. `hint` says what to do. `status` is the exit status of a
    program that this error ends (see hafta.exits).
    """

    status = exits.SYSTEM
    reported = False  # whether the journal has it already

    def __init__(self, message: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = str(message)  # it may be another exception
        self.hint = hint
        if status is not None:
            self.status = status

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy it as it is, whatever arguments its class takes."""
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[HaftaError], args: tuple[object, ...]) -> HaftaError:
    return kind.__new__(kind, *args)


class IllegalMove(HaftaError):
    """The program broke a rule of the engine: ended a node twice, named an unknown node, gave a wrong verdict.

    The state is as it was before the move. This is a mistake in the program and is never rolled back.
    """


class NodeTimeout(HaftaError):
    """A node took longer than its `timeout=` allows: the reason of that failure."""


class UsageError(HaftaError):
    """A setting, an option or a unit file is wrong, and only a person can correct it."""

    status = exits.USAGE


class ServiceError(HaftaError):
    """A service cannot continue, and its overlord restarts it. `status` says which cause it was."""


class StoreError(HaftaError):
    """A checkpoint store cannot do what was asked.

    `kind` says which cause it was (docs/store.md, section 3). `final`: no program can continue without its store after
    it, because there is another holder, or because it is a mistake of the program. `__cause__` is the system's error.
    """

    def __init__(self, message: str, hint: str = "", *, kind: str, status: int | None = None) -> None:
        of_kind, self.final = _KINDS.get(kind, (exits.SYSTEM, False))
        super().__init__(message, hint, status=of_kind if status is None else status)
        self.kind = kind


#: Each kind of StoreError: the exit status, and whether it is final.
_KINDS = {
    "held": (exits.IN_USE, True),
    "full": (exits.NO_SPACE, False),
    "io": (exits.SYSTEM, False),
    "read-only": (exits.SYSTEM, False),
    "permission": (exits.PERMISSION, False),
    "shared": (exits.PERMISSION, False),
    "not-a-file": (exits.SYSTEM, False),
    "damaged": (exits.FAILED, False),
    "format": (exits.FAILED, False),
    "too-large": (exits.USAGE, True),
    "value": (exits.USAGE, True),
    "name": (exits.USAGE, True),
    "closed": (exits.FAILED, True),
    "forked": (exits.FAILED, True),
    "busy": (exits.FAILED, True),
    "system": (exits.SYSTEM, False),
    "unreachable": (exits.SYSTEM, False),
    "lost": (exits.LOST, True),
    "elsewhere": (exits.IN_USE, True),
}


class Orphaned(HaftaError):
    """A record was written by another version of the program. `position` is what it says about the sequence."""

    status = exits.FAILED

    def __init__(self, sequence: str, position: Any, version: str, missing: list[str]) -> None:
        what = [f"it was in node {position.node} of version {position.version or '(none)'}"]
        if position.sequence != sequence:
            what.append(f"it is of sequence {position.sequence}")
        if position.version != version:
            what.append(f"this is version {version or '(none)'}")
        if missing:
            what.append(f"this version has no node {', '.join(missing)}")
        hint = (
            "go back to the old version and let it finish; or decide with @sequence.orphaned;"
            " or look at the record and discard it: hafta checkpoints"
        )
        super().__init__(f"sequence {sequence} cannot resume: {'; '.join(what)}", hint)
        self.position = position
        self.missing = missing


DEEP = 5  # how many reasons within reasons are looked into
KNOWN = 100  # classes whose names are remembered: a program may make classes without end
#: The names of classes that class_of() calls by them.
PLAIN: dict[type, str] = {}


def class_of(reason: object, deep: int = DEEP) -> str:
    """Return the class of a reason, by which reasons can be counted: their texts hold data and process ids.

    `BadData`; `OSError 111` for an error of the system, with its number; `ExceptionGroup of BadData` by the first
    member; `Reason.LATE` for a member of an Enum; for the result of an inner sequence, the class of its reason.
    Never raises.
    """
    kind = type(reason)
    name = PLAIN.get(kind)
    if name is not None:  # a storm has many of these
        return name
    try:
        if isinstance(reason, (OSError, BaseExceptionGroup, Enum)):
            return _class_of(reason, deep)
        if kind.__name__ == "Result":
            return class_of(reason.reason, deep - 1) if deep else "Result"  # type: ignore[attr-defined]
    except Exception:  # its attributes are its own
        return kind.__name__
    if len(PLAIN) < KNOWN:
        PLAIN[kind] = kind.__name__
    return kind.__name__


def _class_of(reason: OSError | BaseExceptionGroup[BaseException] | Enum, deep: int) -> str:
    kind = type(reason)
    if isinstance(reason, OSError):
        if reason.errno is None:
            return kind.__name__
        return f"{'OSError' if kind.__module__ == 'builtins' else kind.__name__} {reason.errno}"
    if isinstance(reason, Enum):
        return f"{kind.__name__}.{reason.name}"
    return f"{kind.__name__} of {class_of(reason.exceptions[0], deep - 1)}" if deep else kind.__name__
