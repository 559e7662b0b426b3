"""The errors of HAFTA: one base class, few leaves; each says whose fault it is and what to do."""

from __future__ import annotations

from hafta import exits


class HaftaError(Exception):
    """Base of every error that HAFTA raises on purpose.

    `message` says what, where and which value; `hint` says what to do; `status` is the exit status of a program
    that this error ends (see hafta.exits).
    """

    status = exits.SYSTEM
    told = False  # whether the journal has it already

    def __init__(self, message: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if status is not None:
            self.status = status

    def __str__(self) -> str:
        return self.message


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

    `kind` tells the causes apart: held, full, io, read-only, permission, shared, not-a-file, damaged, newer, too-large, value, name,
    closed, forked, busy, system (docs/store.md, section 3). The message of the system, if there was one, is `__cause__`.
    """

    def __init__(self, message: str, hint: str = "", *, kind: str, status: int | None = None) -> None:
        super().__init__(message, hint, status=_STORE_STATUS.get(kind) if status is None else status)
        self.kind = kind


_STORE_STATUS = {
    "held": exits.IN_USE,
    "full": exits.NO_SPACE,
    "permission": exits.PERMISSION,
    "shared": exits.PERMISSION,
    "too-large": exits.USAGE,
    "value": exits.USAGE,
    "name": exits.USAGE,
    "damaged": exits.FAILED,
    "newer": exits.FAILED,
    "closed": exits.FAILED,
    "forked": exits.FAILED,
    "busy": exits.FAILED,
}  # all others: SYSTEM
