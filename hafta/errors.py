"""The errors of HAFTA: one base class, few leaves; each says whose fault it is and what to do."""

from __future__ import annotations

from hafta import exits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.codec import Level


class HaftaError(Exception):
    """Base of every error that HAFTA raises on purpose.

    `message` says what, where and which value; `hint` says what to do; `status` is the exit status of a program
    that this error ends (see hafta.exits).
    """

    status = exits.SYSTEM
    told = False  # whether the journal has it already

    def __init__(self, message: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = str(message)  # it may be another exception
        self.hint = hint
        if status is not None:
            self.status = status

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Let other processes and copies have it as it is, whatever its class is made of."""
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
    """A setting, an option or a unit file is wrong, and only a person can mend it."""

    status = exits.USAGE


class ServiceError(HaftaError):
    """A service cannot go on; its overlord restarts it. `status` tells the causes apart."""


class StoreError(HaftaError):
    """A checkpoint store cannot do what was asked.

    `kind` tells the causes apart (docs/store.md, section 3). `final`: no program can go on from it without its store,
    for there is another holder, or it is a mistake of the program. `__cause__` is what the system said.
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
    "newer": (exits.FAILED, False),
    "too-large": (exits.USAGE, True),
    "value": (exits.USAGE, True),
    "name": (exits.USAGE, True),
    "closed": (exits.FAILED, True),
    "forked": (exits.FAILED, True),
    "busy": (exits.FAILED, True),
    "system": (exits.SYSTEM, False),
}


class Orphaned(HaftaError):
    """The record of a call was written by another version of the program; `level` is what it says."""

    status = exits.FAILED

    def __init__(self, sequence: str, level: Level, version: str, missing: list[str]) -> None:
        what = [f"it was in node {level.node} of version {level.version or '(none)'}"]
        if level.sequence != sequence:
            what.append(f"it is of sequence {level.sequence}")
        if level.version != version:
            what.append(f"this is version {version or '(none)'}")
        if missing:
            what.append(f"there is no node {', '.join(missing)} any more")
        hint = (
            "go back to the old version and let it finish; or decide with @sequence.orphaned;"
            " or look at the record and discard it: hafta checkpoints"
        )
        super().__init__(f"sequence {sequence} cannot resume: {'; '.join(what)}", hint)
        self.level = level
        self.missing = missing
