"""What the functions of a node take and return: for people who annotate, and for type checkers."""

from __future__ import annotations

from hafta.engine.node import Node
from hafta.engine.words import Ended, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeAlias

    from hafta.drivers.run import AsyncRun, Run
    from hafta.engine.words import PolicyEvent
    from hafta.generic import Data

    #: A normal function: `def work(run)`. A plain one is handed a Run, an `async def` an AsyncRun.
    NodeFunction: TypeAlias = Callable[[Run[Data]], "Outcome"] | Callable[[AsyncRun[Data]], Awaitable["Outcome"]]
    #: A rollback function: `def undo(run, checkpoint)`. Returning nothing means its own node.
    RollbackFunction: TypeAlias = (
        Callable[[Run[Data], int], "Outcome | None"] | Callable[[AsyncRun[Data], int], Awaitable["Outcome | None"]]
    )
    #: A policy function: `def decide(run, event)`; or an object of hafta.policies.
    PolicyFunction: TypeAlias = (
        Callable[[Run[Data], PolicyEvent], Verdict] | Callable[[AsyncRun[Data], PolicyEvent], Awaitable[Verdict]]
    )
    #: The same in a class (hafta.Steps), where `self` is the userdata.
    NodeMethod: TypeAlias = Callable[[Any, Run[Any]], "Outcome"] | Callable[[Any, AsyncRun[Any]], Awaitable["Outcome"]]
    RollbackMethod: TypeAlias = (
        Callable[[Any, Run[Any], int], "Outcome | None"]
        | Callable[[Any, AsyncRun[Any], int], Awaitable["Outcome | None"]]
    )
    PolicyMethod: TypeAlias = (
        Callable[[Any, Run[Any], PolicyEvent], Verdict]
        | Callable[[Any, AsyncRun[Any], PolicyEvent], Awaitable[Verdict]]
    )

#: What a normal function returns: the next node or its name, EXIT, or the value of run.success() or run.fail().
#: A rollback function may also return None. A number names a node of a node list, by run.success(number).
Outcome: TypeAlias = Node | Verdict | str | Ended
