"""A sequence as a class: its nodes are methods, and `self` is the userdata.

    class Reader(hafta.Steps):
        @hafta.node
        def open_pipe(self, run): ...

        @open_pipe.rollback
        def close_pipe(self, run, checkpoint): ...

Underneath there is an ordinary sequence, `Reader.sequence`. Each subclass has another one, made of the nodes that it
inherits and those that it declares. Each of these sequences needs its own Node, so the class body has a declaration
(Declared). In the class or in an object (`return self.open_pipe`), its name leads to the node of that class.
"""

from __future__ import annotations

from hafta.engine.node import checked_policy
from hafta.engine.signature import check
from hafta.sequence import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, overload

    from hafta.drivers.functions import NodeMethod, PolicyFunction, PolicyMethod, RollbackMethod
    from hafta.drivers.run import Run
    from hafta.result import Result
    from hafta.sequence import DeclaredNode

    Rollback = TypeVar("Rollback", bound=RollbackMethod)
    Decide = TypeVar("Decide", bound=PolicyMethod)
    Own = TypeVar("Own", bound="Steps")

    class _SequenceOfClass:
        """What `Reader.sequence` is to type checkers: a Sequence[Reader]."""

        def __get__(self, steps: Own | None, owner: type[Own]) -> Sequence[Own]: ...


if TYPE_CHECKING:

    @overload
    def node(method: NodeMethod) -> Declared: ...
    @overload
    def node(
        *,
        name: str | None = None,
        policy: PolicyFunction[Any] | None = None,
        timeout: float | None = None,
        rollback_timeout: float | None = None,
        policy_timeout: float | None = None,
        deadline: float | None = None,
        durable: bool = False,
        requires: str | None = None,
    ) -> Callable[[NodeMethod], Declared]: ...


def node(
    method: NodeMethod | None = None,
    *,
    name: str | None = None,
    policy: PolicyFunction[Any] | None = None,
    timeout: float | None = None,
    rollback_timeout: float | None = None,
    policy_timeout: float | None = None,
    deadline: float | None = None,
    durable: bool = False,
    requires: str | None = None,
) -> Declared | Callable[[NodeMethod], Declared]:
    """Make a method of a hafta.Steps a node, with or without arguments, which are those of Sequence.node.

    Raises TypeError for a method that cannot be called as `work(self, run)`. What Sequence.node refuses raises at the
    end of the class.
    """
    options = {
        "name": name, "policy": policy, "timeout": timeout, "rollback_timeout": rollback_timeout,
        "policy_timeout": policy_timeout, "deadline": deadline, "durable": durable, "requires": requires,
    }  # fmt: skip

    def declare(normal: NodeMethod) -> Declared:
        return Declared(normal, options)

    return declare if method is None else declare(method)


class Declared:
    """A node as it is declared in the body of a class. Its decorators add the two optional methods."""

    def __init__(self, normal: NodeMethod, options: dict[str, Any]) -> None:
        self.attribute = getattr(normal, "__name__", "")
        check(normal, "normal function", f"node {self.attribute}", is_method=True)
        if options["policy"] is not None:
            checked_policy(options["policy"], f"node {self.attribute}")
        self.normal = normal
        self.options = options
        self.rollback_method: RollbackMethod | None = None
        self.policy_method: PolicyMethod | None = None

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the name that it has in its class."""
        self.attribute = name

    def __get__(self, steps: object, owner: type) -> DeclaredNode[Any]:
        """Return the node of this class."""
        found: DeclaredNode[Any] = getattr(owner._hafta_nodes, self.attribute)  # type: ignore[attr-defined]  # noqa: SLF001
        return found

    def rollback(self, method: Rollback) -> Rollback:
        """Make this the rollback function: `def undo(self, run, checkpoint)`.

        Raises ValueError if there is one, and TypeError for a method that cannot be called so.
        """
        if self.rollback_method is not None:
            raise ValueError(f"node {self.attribute} has a rollback function already")
        check(method, "rollback function", f"node {self.attribute}", is_method=True)
        self.rollback_method = method
        return method

    def policy(self, method: Decide) -> Decide:
        """Make this the policy function: `def decide(self, run, event)`.

        Raises ValueError if there is one, and TypeError for a method that cannot be called so.
        """
        if self.policy_method is not None or self.options["policy"] is not None:
            raise ValueError(f"node {self.attribute} has a policy already")
        check(method, "policy", f"node {self.attribute}", is_method=True)
        self.policy_method = method
        return method


class Steps:
    """The base of a sequence that is written as a class. `call()` of an object runs the sequence on that object.

    `class Reader(hafta.Steps, name="reader", version="")`: the name is by default that of the class in lower case, the
    version that of Sequence. The nodes of a base class come first, so its first one is where a call starts. A node that
    a subclass declares again replaces the inherited one, with its options. A rollback or policy function that has a
    name is overridden like any method.
    Raises TypeError for an attribute that hides an inherited node, or a method of the wrong shape, and ValueError for
    what Sequence and Sequence.node refuse.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        #: The sequence of this class: for run.call, hafta.service.run, crash_everywhere, diagram().
        sequence = _SequenceOfClass()

    def __init_subclass__(cls, *, name: str = "", version: str = "", **others: Any) -> None:
        """Make the sequence of the class."""
        super().__init_subclass__(**others)
        again = vars(cls).get("sequence")  # a dataclass with slots makes its class a second time, without our arguments
        if again is not None:
            name, version = again.name, again.version
        names = _Names()
        sequence: Sequence[Any] = Sequence(name or cls.__name__.lower(), version=version)
        for attribute, declared in _declared(cls).items():
            setattr(names, attribute, _add(sequence, attribute, declared, cls, names))
        for attribute, value in (("sequence", sequence), ("_hafta_nodes", names)):
            type.__setattr__(cls, attribute, value)  # an assignment would be a second type of `sequence` to pyright

    def call(self, **how: Any) -> Result:
        """Run the sequence on this object, with the other arguments of Sequence.call."""
        return type(self).sequence.call(self, **how)

    async def call_async(self, **how: Any) -> Result:
        """Run the sequence on this object in this event loop, with the other arguments of Sequence.call_async."""
        return await type(self).sequence.call_async(self, **how)


class _Names:
    """The nodes of a class, each under the name that it has there."""


class _Method:
    """A method as a function of the engine.

    `__func__` and `__code__` show what it wraps. `__self__` shows hafta.diagram what `self.open_pipe` names in it, when
    there is no object of the class yet.
    """

    __slots__ = ("__code__", "__func__", "__name__", "__self__")

    def __init__(self, method: Callable[..., Any], names: _Names) -> None:
        self.__func__ = method
        self.__self__ = names
        self.__code__ = getattr(method, "__code__", None)
        self.__name__ = getattr(method, "__name__", "")

    def __call__(self, run: Run[Any], *rest: Any) -> Any:
        return self.__func__(run.data, run, *rest)


def _declared(cls: type) -> dict[str, Declared]:
    """Return the nodes of a class by attribute, those of its bases first."""
    found: dict[str, Declared] = {}
    for base in reversed(cls.__mro__):
        for attribute, value in vars(base).items():
            if isinstance(value, Declared):
                if value.attribute != attribute:
                    raise TypeError(f"{attribute} and {value.attribute} of class {base.__qualname__} are one node")
                found[attribute] = value
            elif attribute in found:
                raise TypeError(
                    f"{attribute} of class {base.__qualname__} hides a node: decorate it with @hafta.node too"
                )
    return found


def _add(sequence: Sequence[Any], attribute: str, declared: Declared, cls: type, names: _Names) -> DeclaredNode[Any]:
    def function(method: Callable[..., Any], kind: str) -> Any:
        method = _newest(cls, method)
        check(method, kind, f"node {attribute}", is_method=True)
        return _Method(method, names)

    options = {**declared.options, "name": declared.options["name"] or attribute}
    added: DeclaredNode[Any] = sequence.node(**options)(_Method(declared.normal, names))
    if declared.rollback_method is not None:
        added.rollback(function(declared.rollback_method, "rollback function"))
    if declared.policy_method is not None:
        added.policy(function(declared.policy_method, "policy"))
    return added


def _newest(cls: type, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return what the class has under the name of this method: a subclass may have overridden it."""
    name = getattr(method, "__name__", "_")
    under = [vars(base)[name] for base in cls.__mro__ if name in vars(base)]
    return method if name == "_" or not any(one is method for one in under) else under[0]
