"""A node: one step of a sequence, with its normal, rollback and policy functions."""

from __future__ import annotations

from hafta.engine.signature import check
from hafta.generic import Data, Generic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Node(Generic[Data]):
    """One step, as the engine knows it. hafta.Sequence adds the decorators that give it its two optional functions.

    `timeout` is in seconds: in asyncio the node is cancelled, which is a failure; a synchronous function cannot be
    cancelled safely, so there its waits (run.sleep, run.wait) end in time. One that does not return is ended by a warm
    parent, with its process, and fails in the next one; without such a parent only the watchdog catches it.
    `rollback_timeout` and `policy_timeout` are the same for the two optional functions; a policy that does not answer
    in time ends the call. `deadline` is the longest time without progress that a warm parent allows the functions of
    this node, in seconds.
    `durable` says that what the node did outlives the process, so that it does not run again after a restart.
    `requires="host"` says that what the node did, or needs, is on the disk of its host: while it is the current node or
    a visited one, no other host that shares the store takes the sequence over.
    """

    __slots__ = (
        "deadline",
        "durable",
        "home",
        "id",
        "name",
        "normal_function",
        "plain",
        "policy_function",
        "policy_timeout",
        "requires",
        "rollback_function",
        "rollback_timeout",
        "timeout",
    )

    def __init__(
        self,
        name: str,
        normal: Callable[..., Any],
        rollback: Callable[..., Any] | None = None,
        policy: Callable[..., Any] | None = None,
        *,
        id: int | None = None,  # noqa: A002 - the right word; nothing here needs the builtin
        timeout: float | None = None,
        durable: bool = False,
        deadline: float | None = None,
        rollback_timeout: float | None = None,
        policy_timeout: float | None = None,
        requires: str | None = None,
    ) -> None:
        self.name = name
        self.id = id
        self.normal_function = normal
        self.rollback_function = rollback
        self.policy_function = None if policy is None else checked_policy(policy, f"node {name}")
        self.timeout = timeout
        self.rollback_timeout = rollback_timeout
        self.policy_timeout = policy_timeout
        self.durable = durable
        self.deadline = deadline
        self.requires = requires
        self.home: object = None  # the targets of the sequence that has this node
        self.plain = policy is None and timeout is None  # only the default policy judges it

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<node {self.name}>"


def checked_policy(policy: Callable[..., Any], of: str) -> Callable[..., Any]:
    """Return what was given as the policy of something, such as "node fetch". Raises TypeError if it is not one."""
    if isinstance(policy, type):
        raise TypeError(f"the policy of {of} is the class {policy.__name__}: give an instance of it")
    if not callable(policy):
        raise TypeError(f"the policy of {of} is a function, or one of hafta.policies, not {policy!r}")
    check(policy, "policy", of)
    return policy


def innermost(function: Any) -> tuple[Any, object]:
    """Return the function inside of methods, partials and decorators, and the object whose method it is, if any."""
    for name in ("__func__", "func", "__wrapped__"):
        inner = getattr(function, name, None)
        if callable(inner):
            deepest, owner = innermost(inner)
            return deepest, getattr(function, "__self__", owner)
    return function, None
