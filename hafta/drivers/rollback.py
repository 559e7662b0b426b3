"""A rollback function that runs, for its journal entry."""

from __future__ import annotations

from hafta.engine.machine import Phase
from hafta.engine.words import Kind, describe
from hafta.journal.events import RollbackFailed, RolledBack  # now: a failure may be that no file can be opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.engine.machine import Machine


class Rollback:
    """A rollback function that runs, for its journal entry."""

    def __init__(self, machine: Machine, now: float) -> None:
        self._node = machine.node
        self._checkpoint = machine.checkpoint
        self._attempt = machine.attempt
        self._reason = machine.reason
        self._unwinding = machine.phase is Phase.UNWIND
        self._started = now
        self._took = 0.0
        self._failed = False

    def ended(self, machine: Machine, now: float) -> None:
        """Note how it ended."""
        self._took = now - self._started
        self._failed = machine.kind is Kind.ROLLBACK_FAIL
        if self._failed:
            self._reason = machine.newest_reason

    def event(self, sequence: str, to_node: str) -> RolledBack | RollbackFailed:
        """Return the entry, now that it is known where control goes."""
        return (RollbackFailed if self._failed else RolledBack)(
            sequence,
            self._node.name,
            self._checkpoint,
            describe(self._reason),
            self._attempt,
            to_node=to_node,
            duration_usec=round(self._took * 1_000_000),
            unwinding=self._unwinding or None,
            code=_code(self._node.normal_function),
        )


def _code(function: Any) -> tuple[str, int, str] | None:
    """Return where a node function stands: CODE_FILE, CODE_LINE and CODE_FUNC of the journal."""
    code = getattr(function, "__code__", None)
    return None if code is None else (code.co_filename, code.co_firstlineno, code.co_qualname)
