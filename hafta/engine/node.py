"""A node: one step of a sequence, with its normal, rollback and policy functions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])


class Node:
    """One step. Made by `Sequence.node`; its decorators add the two optional functions.

    `timeout` is in seconds: in asyncio the node is cancelled, which is a failure; a synchronous function cannot be
    cancelled safely, so there its waits (run.sleep, run.wait) end in time and the watchdog catches the rest.
    `durable` says that what it did outlives the process, so that it is not run again after a restart.
    """

    __slots__ = (
        "durable",
        "home",
        "id",
        "name",
        "normal_function",
        "plain",
        "policy_function",
        "rollback_function",
        "timeout",
    )

    def __init__(
        self,
        name: str,
        normal: Callable[..., Any],
        rollback: Callable[..., Any] | None = None,
        policy: Callable[..., Any] | None = None,
        *,
        id: int | None = None,  # noqa: A002 - the word for it; nothing here needs the builtin
        timeout: float | None = None,
        durable: bool = False,
    ) -> None:
        self.name = name
        self.id = id
        self.normal_function = normal
        self.rollback_function = rollback
        self.policy_function = None if policy is None else _policy(name, policy)
        self.timeout = timeout
        self.durable = durable
        self.home: object = None  # the table of the sequence that it is a node of
        self.plain = policy is None and timeout is None  # nobody but the default policy has a say

    def rollback(self, function: Function) -> Function:
        """Make this the rollback function: `def undo(run, checkpoint)`. Raises ValueError if there is one."""
        if self.rollback_function is not None:
            raise ValueError(f"node {self.name} has a rollback function already")
        self.rollback_function = function
        return function

    def policy(self, function: Function) -> Function:
        """Make this the policy function: `def decide(run, event)`.

        Raises ValueError if there is one, and TypeError for what is none.
        """
        if self.policy_function is not None:
            raise ValueError(f"node {self.name} has a policy already")
        self.policy_function = _policy(self.name, function)
        self.plain = False
        return function

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<node {self.name}>"


def _policy(node: str, policy: Function) -> Function:
    if isinstance(policy, type):
        raise TypeError(f"the policy of node {node} is the class {policy.__name__}: give one that is made of it")
    if not callable(policy):
        raise TypeError(f"the policy of node {node} is a function, or one of hafta.policies, not {policy!r}")
    return policy
