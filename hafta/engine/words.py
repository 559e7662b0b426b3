"""The words of the engine: policy events, verdicts, failures."""

from __future__ import annotations

from enum import Enum

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.engine.node import Node

    Failures = tuple["Failure", ...] | Callable[[], tuple["Failure", ...]]


class Kind(Enum):
    """What happened: the kind of a policy event."""

    __hash__ = object.__hash__  # a member is one object; Enum's own hash is a call of Python, and four times as slow

    NORMAL_SUCCESS = "normal success"  # a normal function succeeded; the default answer is to proceed
    NORMAL_FAIL = "normal fail"  # a normal function failed; by default rolled back, the fifth time to the node before
    ROLLBACK_SUCCESS = "rollback success"  # a rollback function succeeded; by default the node that it named comes next
    ROLLBACK_FAIL = "rollback fail"  # a rollback function failed; by default the previous node is rolled back
    INTERRUPTED = "interrupted"  # the process died in a function; by default as if that function had failed
    ORPHANED = "orphaned"  # the record names a node that this program does not have


class Act(Enum):
    """What a policy can decide."""

    __hash__ = object.__hash__

    PROCEED = "proceed"
    EXIT = "exit"
    ROLL_BACK_CURRENT = "roll back current"
    ROLL_BACK_PREVIOUS = "roll back previous"
    FAIL_SEQUENCE = "fail sequence"
    PANIC = "panic"


class Verdict:
    """The answer of a policy: what to do, which node to go to, and how many seconds to wait before that."""

    __slots__ = ("act", "delay", "to")

    def __init__(self, act: Act, to: Node | str | int | None = None, delay: float = 0.0) -> None:
        self.act = act
        self.to = to  # the node to go to
        self.delay = delay  # seconds to wait before that

    def after(self, seconds: float) -> Verdict:
        """Return the same verdict, carried out after `seconds` (0 or more, finite; otherwise raises ValueError)."""
        if seconds is True or seconds is False or not 0 <= seconds < float("inf"):
            raise ValueError(f"a delay is 0 or more seconds, not {seconds!r}")
        return Verdict(self.act, self.to, seconds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verdict) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        to = "" if self.to is None else f" to {self.to}"
        wait = f" after {self.delay:g} s" if self.delay else ""
        return f"<{self.act.value}{to}{wait}>"

    def _values(self) -> tuple[object, ...]:
        return self.act, self.to, self.delay


class Ended:
    """What run.success() and run.fail() return: the function has ended, and `return run.fail(reason)` ends it."""


#: A verdict (end the sequence with success), and what a function returns instead of a next node.
EXIT = Verdict(Act.EXIT)
#: A verdict: run the rollback function of this node, and go on at the node that it names: by default the same.
ROLL_BACK_CURRENT = Verdict(Act.ROLL_BACK_CURRENT)
#: A verdict: undo this node, then run the rollback function of the node before it. The first node has none: fail.
ROLL_BACK_PREVIOUS = Verdict(Act.ROLL_BACK_PREVIOUS)
#: A verdict: undo this node, leave the visited ones as they are, and fail the sequence: the result is false.
FAIL_SEQUENCE = Verdict(Act.FAIL_SEQUENCE)
#: A verdict: end the process at once with exit status 70, because its state cannot be trusted. Nothing is undone.
PANIC = Verdict(Act.PANIC)


def checked(given: Any, what: str) -> Verdict:
    """Return `given` if it is a verdict. Raises TypeError if not; `what` names the place in the message."""
    if not isinstance(given, Verdict):
        raise TypeError(f"{what} is a verdict such as ROLL_BACK_PREVIOUS or proceed(node), not {given!r}")
    return given


def proceed(to: Node | Verdict | str | int) -> Verdict:
    """Return the verdict to continue at this node, or to exit."""
    return to if isinstance(to, Verdict) else Verdict(Act.PROCEED, to)


class Failure(Frozen):
    """One failure, as policies and results show it."""

    node: str  # its name
    kind: Kind  # what failed: the normal function, the rollback function, or the process
    attempt: int  # the node's consecutive failures, this one included
    checkpoint: int  # the last one set before the failure
    reason: Any  # the exception, or what run.fail() was given
    at: float = 0.0  # seconds on the driver's clock

    def __str__(self) -> str:
        doing = "rolling back " if self.kind is Kind.ROLLBACK_FAIL else ""
        return f"{doing}{self.node}, attempt {self.attempt}: {describe(self.reason)}"


class PolicyEvent:
    """What a policy is asked about. `failures` and `history` may be given as functions, as few policies need them."""

    __slots__ = (
        "_failures", "_history", "at", "attempt", "checkpoint", "kind", "node", "reason", "since", "state", "to",
    )  # fmt: skip

    def __init__(
        self,
        kind: Kind,
        node: Node,
        *,
        to: Node | Verdict | None = None,
        reason: Any = None,
        attempt: int = 0,
        checkpoint: int = 0,
        state: dict[str, Any] | None = None,
        failures: Failures = (),
        history: Failures = (),
        at: float = 0.0,
        since: float = 0.0,
    ) -> None:
        self.kind = kind  # what happened
        self.node = node  # to whom
        self.to = to  # on success: the next node, or EXIT
        self.reason = reason  # on failure; on ROLLBACK_SUCCESS that of the failure that was rolled back
        self.attempt = attempt  # consecutive failures of this node
        self.checkpoint = checkpoint  # the last one that this visit of the node set; 0: none
        self.state = {} if state is None else state  # what was recorded with it
        self._failures = failures
        self._history = history
        self.at = at  # now, in seconds on the driver's clock
        self.since = since  # when control came to this node

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The consecutive failures of this node and of its rollback function, from the newest 100 of the call."""
        if not isinstance(self._failures, tuple):
            self._failures = self._failures()
        return self._failures

    @property
    def history(self) -> tuple[Failure, ...]:
        """All failures of this node in this call, from the newest 100 of the call."""
        if not isinstance(self._history, tuple):
            self._history = self._history()
        return self._history

    @property
    def data(self) -> Any:
        """The tutorial's policy data: the next node on success, the reason on failure."""
        return self.to if self.kind in {Kind.NORMAL_SUCCESS, Kind.ROLLBACK_SUCCESS} else self.reason

    def __repr__(self) -> str:
        return f"<{self.kind.value} of {self.node}, attempt {self.attempt}: {self.data!r}>"


MEMBERS = 3  # how many exceptions of a group are described


def describe(reason: object) -> str:
    """Return a reason as one line of text: an exception as its message, with its type if that says more.

    Never raises: a rollback must not fail because an exception cannot be printed.
    """
    try:
        line = str(reason)
        if isinstance(reason, BaseException):
            if not (isinstance(reason, OSError) and reason.errno is not None and line):  # "[Errno 2] ..." says it
                line = f"{type(reason).__name__}: {line}".rstrip(": ")
            if isinstance(reason, BaseExceptionGroup):
                line = f"{line}: {'; '.join(map(describe, reason.exceptions[:MEMBERS]))}"
        return " ".join(line.split())
    except Exception:
        return f"{type(reason).__name__}, whose text cannot be shown"
