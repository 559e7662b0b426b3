"""What may watch a driver at every step: the recorder, forced failures and cut points of hafta.testing."""

from __future__ import annotations

from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from hafta.engine.words import Kind

    class Probe(Protocol):
        """Called by the drivers. Not having one costs a comparison a step."""

        def entering(self, sequence: str, node: str, function: str) -> None:
            """Called before a function ("normal" or "rollback"); what it raises is that function's failure."""

        def step(self, step: Step) -> None:
            """Called when the policy has been asked and its verdict is carried out."""


class Step(Record):
    """One policy event and what followed from it."""

    sequence: str
    node: str
    kind: Kind
    attempt: int
    checkpoint: int
    reason: Any  # on failure
    next: str  # the node that is the current one now, or how the call ended: "done", "failed", "panicked"
