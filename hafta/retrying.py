"""One function that is retried by a policy, without a sequence.

Underneath there is a sequence of one node, and both are named after the function. So it makes the same journal entries,
its waits feed the watchdog of a service, and tests force its failures by its name.
"""

from __future__ import annotations

from functools import wraps

from hafta.engine.node import checked_policy
from hafta.engine.signature import is_async, is_generator, name_of
from hafta.engine.words import EXIT
from hafta.errors import IllegalMove
from hafta.result import Result, SequenceFailed
from hafta.sequence import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, ParamSpec, TypeVar

    from hafta.drivers.functions import PolicyFunction
    from hafta.drivers.run import Run
    from hafta.engine.words import Verdict

    P = ParamSpec("P")
    R = TypeVar("R")


def retried(policy: PolicyFunction[Any], *, name: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Retry a function, `def` or `async def`, as this policy decides: `@hafta.retried(Attempts(3) | Backoff(1))`.

    The function takes its arguments and returns its value as usual. When the policy gives up, the exception of the last
    attempt is raised as it is. A policy that answers EXIT to a failure makes the function return None.
    `name` is what the journal calls it; by default that is the function's name.
    Raises TypeError for what is not a policy, and for what is not a function or is a generator function. The decorated
    function raises SequenceFailed if the last failure was not an exception, or was that of a sequence.
    """
    checked_policy(policy, "@hafta.retried")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if not callable(function):
            raise TypeError(f"@hafta.retried is for a function, not {function!r}: a classmethod goes above it")
        if is_generator(function):
            raise TypeError(f"@hafta.retried is not for a generator function: {function.__qualname__}")
        make = _awaited if is_async(function) else _plain
        return make(function, Sequence(name or name_of(function)), policy)  # type: ignore[no-any-return]

    return decorate


def _plain(function: Any, sequence: Sequence[Any], policy: Any) -> Any:
    sequence.node(name=sequence.name, policy=policy)(_Attempt(function))

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        one = _Call(args, kwargs)
        return _outcome(sequence.call(one), one)

    return call


def _awaited(function: Any, sequence: Sequence[Any], policy: Any) -> Any:
    sequence.node(name=sequence.name, policy=policy)(_AwaitedAttempt(function))

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        one = _Call(args, kwargs)
        return _outcome(await sequence.call_async(one), one)

    return call


class _Call:
    """One call of the function, over all of its attempts: the userdata of the sequence."""

    __slots__ = ("args", "kwargs", "value")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs
        self.value: Any = None


class _Attempt:
    """The normal function of the one node. `__func__` and `__code__` show what it wraps."""

    __slots__ = ("__code__", "__func__")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__func__ = function
        self.__code__ = getattr(function, "__code__", None)

    def __call__(self, run: Run[_Call]) -> Verdict:
        one = run.data
        one.value = value = self.__func__(*one.args, **one.kwargs)
        if hasattr(value, "cr_frame"):
            value.close()
            hint = "put @hafta.retried on the `async def` itself"
            raise IllegalMove(f"{run.node} returned a coroutine, which cannot be retried", hint)
        return EXIT


class _AwaitedAttempt(_Attempt):
    """The same for an `async def`."""

    __slots__ = ()

    def __call__(self, run: Run[_Call]) -> Coroutine[Any, Any, Verdict]:  # type: ignore[override]
        return self._attempt(run.data)

    async def _attempt(self, one: _Call) -> Verdict:
        one.value = await self.__func__(*one.args, **one.kwargs)
        return EXIT


def _outcome(result: Result, one: _Call) -> Any:
    """Return the value, or raise the exception of the last attempt."""
    if result.ok:
        return one.value
    error = _error(result)
    del result, one
    try:
        raise error
    finally:
        del error  # otherwise its traceback would hold this frame, and this frame the exception


def _error(result: Result) -> BaseException:
    reason = result.reason
    if isinstance(reason, BaseException):
        return reason
    return SequenceFailed(reason if isinstance(reason, Result) else result)
