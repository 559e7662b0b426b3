"""Sequences: a named set of nodes with one start node, called like a function."""

from __future__ import annotations

from enum import Enum

from hafta.engine.node import Node, checked_policy
from hafta.engine.shape import Shape
from hafta.engine.signature import check, is_async, name_of
from hafta.engine.words import EXIT
from hafta.errors import IllegalMove
from hafta.generic import Data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Self, overload

    from hafta.drivers.functions import NodeFunction, PolicyFunction, RollbackFunction
    from hafta.drivers.run import Run
    from hafta.durable.checkpoints import Checkpoints
    from hafta.result import Result
    from hafta.runtime import Runtime


#: The shortest deadline, in seconds: below it, a busy machine looks like a hang.
SHORTEST = 0.05


class Function(Enum):
    """The kinds of functions in a node list."""

    NORMAL = "normal"  # does the work of a node
    ROLLBACK = "rollback"  # undoes what a failed attempt has left
    POLICY = "policy"  # decides what happens next


class DeclaredNode(Node[Data]):
    """A node as a sequence makes it: its decorators add the two optional functions."""

    __slots__ = ()

    def rollback(self, function: RollbackFunction[Data]) -> RollbackFunction[Data]:
        """Make this the rollback function: `def undo(run, checkpoint)`.

        Raises ValueError if there is one, and TypeError for a function that cannot be called so.
        """
        if self.rollback_function is not None:
            raise ValueError(f"node {self.name} has a rollback function already")
        check(function, "rollback function", f"node {self.name}")
        self.rollback_function = function
        return function

    def policy(self, function: PolicyFunction[Data]) -> PolicyFunction[Data]:
        """Make this the policy function: `def decide(run, event)`.

        Raises ValueError if there is one, and TypeError for what is not one or cannot be called so.
        """
        if self.policy_function is not None:
            raise ValueError(f"node {self.name} has a policy already")
        self.policy_function = checked_policy(function, f"node {self.name}")
        self.plain = False
        return function


class Sequence(Shape[Data]):
    """A named set of nodes. A call starts at the first one that was declared, unless it says otherwise.

    A sequence holds nothing of a call: any number of threads and tasks may call one object.
    """

    def __init__(self, name: str, *, version: str = "") -> None:
        """Make a sequence without nodes.

        `version` is compared when a durable call resumes: give a new one when the same nodes mean something else.
        """
        if not isinstance(name, str) or not name or not name.isprintable():
            raise ValueError(f"a sequence needs a printable name, not {name!r}")
        if not isinstance(version, str):  # a record would not give it back as it was
            raise TypeError(f"the version of sequence {name} is text, not {version!r}")
        super().__init__(name, version)

    @classmethod
    def from_nodes(cls, name: str, nodes: Iterable[tuple[int, Function, Callable[..., Any]]]) -> Self:
        """Make a sequence from a node list: (number, NORMAL or ROLLBACK or POLICY, function), in any order.

        A node is named after its number if that is of an IntEnum, else after its normal function. 0 stands for EXIT
        unless a node has it. The first normal function's node is the start node.
        Raises ValueError for a function that is given twice, one of another kind, and a node without a normal function.
        """
        tables: dict[Function, dict[int, Callable[..., Any]]] = {kind: {} for kind in Function}
        for number, kind, function in nodes:
            if kind not in tables:
                raise ValueError(f"node {number!r} of sequence {name}: {kind!r} is not NORMAL, ROLLBACK or POLICY")
            if number in tables[kind]:
                raise ValueError(f"node {number!r} of sequence {name} has two {kind.value} functions")
            tables[kind][number] = function
        normal, rollback, policy = tables.values()
        for number in [*rollback, *policy]:
            if number not in normal:
                raise ValueError(f"node {number!r} of sequence {name} has no normal function")
        sequence = cls(name)
        sequence.targets[0] = EXIT
        for number, function in normal.items():
            sequence._add_numbered(number, function, rollback.get(number), policy.get(number))
        return sequence

    if TYPE_CHECKING:

        @overload
        def node(self, function: NodeFunction[Data]) -> DeclaredNode[Data]: ...
        @overload
        def node(
            self,
            *,
            name: str | None = None,
            policy: PolicyFunction[Data] | None = None,
            timeout: float | None = None,
            rollback_timeout: float | None = None,
            policy_timeout: float | None = None,
            deadline: float | None = None,
            durable: bool = False,
            requires: str | None = None,
        ) -> Callable[[NodeFunction[Data]], DeclaredNode[Data]]: ...

    def node(
        self,
        function: NodeFunction[Data] | None = None,
        *,
        name: str | None = None,
        policy: PolicyFunction[Data] | None = None,
        timeout: float | None = None,
        rollback_timeout: float | None = None,
        policy_timeout: float | None = None,
        deadline: float | None = None,
        durable: bool = False,
        requires: str | None = None,
    ) -> DeclaredNode[Data] | Callable[[NodeFunction[Data]], DeclaredNode[Data]]:
        """Declare a node by its normal function, as a decorator with or without arguments.

        `policy` is a policy function or one of hafta.policies; the timeouts and `deadline` are in seconds (see Node).
        Raises ValueError for a second node of the same name, a timeout that is not more than 0, a deadline below 0.05,
        and what is required but is not "host"; TypeError for what is not a policy, and a function that cannot be called
        as `work(run)`.
        """

        def declare(normal: NodeFunction[Data]) -> DeclaredNode[Data]:
            name_ = name or name_of(normal)
            made = DeclaredNode(
                name_, normal, None, policy, timeout=timeout, deadline=deadline, durable=durable,
                rollback_timeout=rollback_timeout, policy_timeout=policy_timeout, requires=requires,
            )  # fmt: skip
            return self._add(made)

        return declare if function is None else declare(function)

    def orphaned(self, decide: PolicyFunction[Data]) -> PolicyFunction[Data]:
        """Make this the function that is asked when a record was written by another version of the program.

        `def decide(run, event)`: the event is of kind ORPHANED; its reason is an Orphaned that says what was recorded.
        It answers proceed(node), EXIT, FAIL_SEQUENCE or PANIC. Without such a function the call raises Orphaned.
        Raises TypeError for a function that cannot be called like that.
        """
        check(decide, "orphaned function", f"sequence {self.name}")
        self.orphaned_function = decide
        return decide

    def call(
        self,
        data: Data | None = None,
        *,
        start: object = None,
        runtime: Runtime | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> Result:
        """Run the sequence to its end and return how it went. `data` is the userdata: `run.data` in every function.

        With `checkpoints` (hafta.Checkpoints) the call is recorded, and resumes what an earlier process of the same
        sequence and instance had begun (docs/durable.md).

        A sequence with asynchronous functions runs in its own event loop. A failure is not an exception but a Result
        that is false. Raises IllegalMove for a mistake in the program, StoreError, and Orphaned.
        """
        return self._call(data, start, runtime, checkpoints, None)

    async def call_async(
        self,
        data: Data | None = None,
        *,
        start: object = None,
        runtime: Runtime | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> Result:
        """Run the sequence in this event loop. Its functions may be `async def` or plain."""
        return await self._call_async(data, start, runtime, checkpoints, None)

    def call_within(self, run: Run[Any], data: Data | None, *, start: object = None) -> Result:
        """Run the sequence inside of a node of another: what `run.call` does."""
        return self._call(data, start, run.runtime, None, run)

    async def call_async_within(self, run: Run[Any], data: Data | None, *, start: object = None) -> Result:
        """Run the sequence inside of a node of another: what `await run.call` does."""
        return await self._call_async(data, start, run.runtime, None, run)

    def _call(
        self, data: Any, start: object, runtime: Runtime | None, checkpoints: Checkpoints | None, outer: Run | None
    ) -> Result:
        from hafta import runtime as world
        from hafta.drivers.blocking import drive
        from hafta.drivers.call import Call

        if self.is_async:
            runtime = runtime or world.current()
            _refuse_loop(self, outer)
            coroutine = self._call_async(data, start, runtime, checkpoints, outer)
            try:
                return runtime.run_async(coroutine)
            finally:
                coroutine.close()  # without a warning, if a stop came before it began
        start = self._start(start)
        with Call(self, data, start=start, runtime=runtime, checkpoints=checkpoints, outer=outer) as call:
            drive(call.open())
            return call.result()

    async def _call_async(
        self, data: Any, start: object, runtime: Runtime | None, checkpoints: Checkpoints | None, outer: Run | None
    ) -> Result:
        from hafta.drivers.aio import drive
        from hafta.drivers.call import Call
        from hafta.drivers.run import AsyncRun

        with Call(
            self, data, start=self._start(start), runtime=runtime, checkpoints=checkpoints, outer=outer,
            run_class=AsyncRun,
        ) as call:  # fmt: skip
            await drive(call.open())
            return call.result()

    @property
    def is_async(self) -> bool:
        """Whether any of its functions is `async def`."""
        functions = (
            function
            for node in self.nodes.values()
            for function in (node.normal_function, node.rollback_function, node.policy_function)
        )
        return any(is_async(function) for function in functions)

    def diagram(self, form: str = "mermaid") -> str:
        """Return its state diagram as text for Mermaid or Graphviz ("mermaid", "graphviz")."""
        from hafta.diagram import diagram

        return diagram(self, form)

    def close(self) -> None:
        """Let go of the nodes and of everything that their functions hold. A call after this raises IllegalMove."""
        self.nodes.clear()
        self.targets.clear()

    def __repr__(self) -> str:
        return f"<sequence {self.name}: {', '.join(self.nodes)}>"

    def _start(self, start: object) -> object:
        if start is not None:
            return start
        if not self.nodes:
            raise IllegalMove(
                f"sequence {self.name} has no node", "declare one with @sequence.node; a closed sequence has none"
            )
        return next(iter(self.nodes.values()))

    def _add_numbered(
        self,
        number: int,
        normal: Callable[..., Any],
        rollback: Callable[..., Any] | None,
        policy: Callable[..., Any] | None,
    ) -> None:
        name = number.name.lower() if isinstance(number, Enum) else name_of(normal)
        self.targets[number] = self._add(DeclaredNode(name, normal, rollback, policy, id=number))

    def _add(self, node: DeclaredNode[Data]) -> DeclaredNode[Data]:
        if not isinstance(node.name, str) or not node.name.isprintable():
            raise ValueError(f"a node needs a printable name, not {node.name!r}")
        check(node.normal_function, "normal function", f"node {node.name}")
        if node.rollback_function is not None:
            check(node.rollback_function, "rollback function", f"node {node.name}")
        if node.name in self.nodes:
            raise ValueError(f"sequence {self.name} already has a node {node.name}")
        if node.requires not in {None, "host"}:
            raise ValueError(f'what node {node.name} requires is "host" or nothing, not {node.requires!r}')
        for what in ("timeout", "rollback_timeout", "policy_timeout"):
            seconds = getattr(node, what)
            if seconds is not None and not (isinstance(seconds, (int, float)) and seconds > 0):
                raise ValueError(f"the {what} of node {node.name} is more than 0 seconds, not {seconds!r}")
        if node.deadline is not None and not (isinstance(node.deadline, (int, float)) and node.deadline >= SHORTEST):
            raise ValueError(f"the deadline of node {node.name} is {SHORTEST} s or more, not {node.deadline!r}")
        self.nodes[node.name] = node
        node.home = self.targets
        self.targets[node.name] = self.targets[node] = node
        return node


def _refuse_loop(sequence: Sequence, outer: Run | None) -> None:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    hint = f"make node {outer.node} `async def`, and await run.call()" if outer else "await sequence.call_async()"
    raise IllegalMove(f"sequence {sequence.name} is asynchronous", hint)
