"""Sequences: a named set of nodes with one start node, called like a function."""

from __future__ import annotations

from enum import Enum

from hafta.engine.node import Node
from hafta.engine.words import EXIT
from hafta.errors import IllegalMove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any, Self, TypeVar, overload

    from hafta.drivers.durability import Durability
    from hafta.drivers.ledger import OnError
    from hafta.drivers.run import Run
    from hafta.engine.words import PolicyEvent, Verdict
    from hafta.result import Result
    from hafta.runtime import Runtime
    from hafta.stores.protocol import Store

    F = TypeVar("F", bound=Callable[..., Verdict])

#: The flag of a code object that `async def` sets (inspect.CO_COROUTINE, without importing inspect).
_CO_COROUTINE = 0x80
#: The defaults of a call's instance=, level=, on_store_error= and keep=.
_AS_IF_NOT_ASKED = ("", "process", "fail", None)


class Function(Enum):
    """The kinds of functions in a node list."""

    NORMAL = "normal"
    ROLLBACK = "rollback"
    POLICY = "policy"


class Sequence:
    """A named set of nodes; the first one declared is where a call starts, unless it says otherwise.

    Sequences are independent and hold nothing of a call, so that one object may be called by many threads and tasks.
    """

    def __init__(self, name: str, *, version: str = "") -> None:
        """Make a sequence without nodes.

        `version` is compared when a durable call resumes: give a new one when the same nodes mean something else.
        """
        if not isinstance(name, str) or not name or not name.isprintable():
            raise ValueError(f"a sequence needs a printable name, not {name!r}")
        if not isinstance(version, str):  # it would not come back from a record as it was
            raise TypeError(f"the version of sequence {name} is text, not {version!r}")
        self.name = name
        self.version = version
        self.orphaned_function: Callable[[Run, PolicyEvent], Verdict] | None = None
        self.nodes: dict[str, Node] = {}
        #: Everything that may name a node: itself, its name, its number.
        self.targets: dict[Any, Node | Verdict] = {EXIT: EXIT, 0: EXIT}

    @classmethod
    def from_nodes(cls, name: str, nodes: Iterable[tuple[int, Function, Callable[..., Any]]]) -> Self:
        """Make a sequence from a node list: (number, NORMAL or ROLLBACK or POLICY, function), in any order.

        A node is named after its number if that is of an IntEnum, else after its normal function. 0 stands for EXIT
        unless a node has it. The first normal function's node is the start node.
        Raises ValueError for a function given twice or of no such kind, or a node without a normal function.
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
        for number, function in normal.items():
            sequence._add_numbered(number, function, rollback.get(number), policy.get(number))
        return sequence

    if TYPE_CHECKING:

        @overload
        def node(self, function: Callable[..., Any]) -> Node: ...
        @overload
        def node(
            self,
            *,
            name: str | None = None,
            policy: Callable[..., Any] | None = None,
            timeout: float | None = None,
            durable: bool = False,
        ) -> Callable[[Callable[..., Any]], Node]: ...

    def node(
        self,
        function: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        policy: Callable[..., Any] | None = None,
        timeout: float | None = None,
        durable: bool = False,
    ) -> Node | Callable[[Callable[..., Any]], Node]:
        """Declare a node by its normal function, as a decorator with or without arguments.

        `policy` is a policy function or one of hafta.policies; `timeout` is in seconds (see Node).
        Raises ValueError for a second node of the same name, or a timeout that is not more than 0, and TypeError for a
        policy that is none.
        """

        def declare(normal: Callable[..., Any]) -> Node:
            return self._add(Node(name or _name(normal), normal, None, policy, timeout=timeout, durable=durable))

        return declare if function is None else declare(function)

    def orphaned(self, decide: F) -> F:
        """Make this the function that is asked when a record was written by another version of the program.

        `def decide(run, event)`, the event being of kind ORPHANED, its reason an Orphaned that says what was recorded.
        It answers proceed(node), EXIT, FAIL_SEQUENCE or PANIC. Without one, the call raises Orphaned.
        """
        self.orphaned_function = decide
        return decide

    def call(
        self,
        data: Any = None,
        *,
        start: object = None,
        runtime: Runtime | None = None,
        store: Store | None = None,
        instance: str = "",
        level: str = "process",
        on_store_error: str | OnError = "fail",
        keep: dict[str, Any] | None = None,
    ) -> Result:
        """Run the sequence to its end and say how that was. `data` is the userdata: `run.data` in every function.

        With a store (hafta.stores.FileStore) the call is durable: it resumes what a dead process of the same sequence
        and instance had begun. `level` says what a checkpoint survives, a death of the "process" or a "power" cut;
        `on_store_error` is "fail", "go on" or a function that is given the StoreError and returns whether to go on
        (docs/durable.md). `keep` is a dict of small values that belong to no visit of a node: it is recorded with every
        record, and has the recorded values again when a call resumes, or begins after one that has ended.

        A sequence with asynchronous functions is run in an event loop of its own. A failure is no exception but a
        Result that is false. Raises IllegalMove for a mistake in the program, StoreError, and Orphaned.
        """
        durability = _durability(store, instance, level, on_store_error, keep)
        return self._call(data, start, runtime, durability, None)

    async def call_async(
        self,
        data: Any = None,
        *,
        start: object = None,
        runtime: Runtime | None = None,
        store: Store | None = None,
        instance: str = "",
        level: str = "process",
        on_store_error: str | OnError = "fail",
        keep: dict[str, Any] | None = None,
    ) -> Result:
        """Run the sequence in this event loop: what is `async def` is awaited, plain functions work, too."""
        durability = _durability(store, instance, level, on_store_error, keep)
        return await self._call_async(data, start, runtime, durability, None)

    def call_within(self, run: Run, data: Any, *, start: object = None) -> Result:
        """Run the sequence inside of a node of another: what `run.call` does."""
        return self._call(data, start, run.runtime, None, run)

    async def call_async_within(self, run: Run, data: Any, *, start: object = None) -> Result:
        """Run the sequence inside of a node of another: what `await run.call` does."""
        return await self._call_async(data, start, run.runtime, None, run)

    def _call(
        self, data: Any, start: object, runtime: Runtime | None, durability: Durability | None, outer: Run | None
    ) -> Result:
        from hafta import runtime as world
        from hafta.drivers.blocking import drive, take_up
        from hafta.drivers.call import Call

        if self.is_async:
            runtime = runtime or world.current()
            return _in_a_loop(self, runtime, self._call_async(data, start, runtime, durability, outer), outer)
        call = Call(self, data, start=self._start(start), runtime=runtime, durability=durability, outer=outer)
        with call as conductor:
            if take_up(conductor, call.take_up):
                conductor.taken_up_all()
                drive(conductor)
            return conductor.result()

    async def _call_async(
        self, data: Any, start: object, runtime: Runtime | None, durability: Durability | None, outer: Run | None
    ) -> Result:
        from hafta.drivers.aio import drive, take_up
        from hafta.drivers.call import Call
        from hafta.drivers.run import AsyncRun

        start = self._start(start)
        call = Call(self, data, start=start, runtime=runtime, durability=durability, outer=outer, run_class=AsyncRun)
        with call as conductor:
            if await take_up(conductor, call.take_up):
                conductor.taken_up_all()
                await drive(conductor)
            return conductor.result()

    @property
    def is_async(self) -> bool:
        """Whether any of its functions is `async def`."""
        functions = (
            function
            for node in self.nodes.values()
            for function in (node.normal_function, node.rollback_function, node.policy_function)
        )
        return any(_is_async(function) for function in functions)

    def diagram(self, form: str = "mermaid") -> str:
        """Return its state diagram as text for Mermaid or Graphviz ("mermaid", "graphviz")."""
        from hafta.diagram import diagram

        return diagram(self, form)

    def close(self) -> None:
        """Let go of its nodes and all that their functions hold. A call after this raises IllegalMove."""
        self.nodes.clear()
        self.targets.clear()

    def __repr__(self) -> str:
        return f"<sequence {self.name}: {', '.join(self.nodes)}>"

    def _start(self, start: object) -> object:
        if start is not None:
            return start
        if not self.nodes:
            raise IllegalMove(f"sequence {self.name} has no node", "declare one with @sequence.node, before close()")
        return next(iter(self.nodes.values()))

    def _add_numbered(
        self,
        number: int,
        normal: Callable[..., Any],
        rollback: Callable[..., Any] | None,
        policy: Callable[..., Any] | None,
    ) -> None:
        name = number.name.lower() if isinstance(number, Enum) else _name(normal)
        self.targets[number] = self._add(Node(name, normal, rollback, policy, id=number))

    def _add(self, node: Node) -> Node:
        if not isinstance(node.name, str) or not node.name.isprintable():
            raise ValueError(f"a node needs a printable name, not {node.name!r}")
        if node.name in self.nodes:
            raise ValueError(f"sequence {self.name} has a node {node.name} already")
        if node.timeout is not None and not (isinstance(node.timeout, (int, float)) and node.timeout > 0):
            raise ValueError(f"the timeout of node {node.name} is more than 0 seconds, not {node.timeout!r}")
        self.nodes[node.name] = node
        node.home = self.targets
        self.targets[node.name] = self.targets[node] = node
        return node


def _in_a_loop(sequence: Sequence, runtime: Runtime, call: Coroutine[Any, Any, Result], outer: Run | None) -> Result:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return runtime.run_async(call)
    call.close()
    hint = f"make node {outer.node} `async def`, and await run.call()" if outer else "await sequence.call_async()"
    raise IllegalMove(f"sequence {sequence.name} is asynchronous", hint)


def _durability(store: Store | None, *how: Any) -> Durability | None:
    if store is None and how == _AS_IF_NOT_ASKED:
        return None
    from hafta.drivers.durability import durability

    return durability(store, *how)


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", None)
    if not name:
        raise ValueError(f"{function!r} has no name for its node: give one with name=")
    return str(name)


def _is_async(function: object) -> bool:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code is not None and bool(code.co_flags & _CO_COROUTINE)
