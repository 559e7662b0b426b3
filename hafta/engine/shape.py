"""What the engine and the records know of a sequence: its name, its version and its nodes."""

from __future__ import annotations

from hafta.engine.words import EXIT
from hafta.generic import Data, Generic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.engine.node import Node
    from hafta.engine.words import Verdict


class Shape(Generic[Data]):
    """A named set of nodes. hafta.Sequence adds how nodes are declared and calls are made."""

    def __init__(self, name: str, version: str = "") -> None:
        self.name = name
        self.version = version
        self.nodes: dict[str, Node[Data]] = {}
        #: Everything that may name a node: itself, its name, its number.
        self.targets: dict[Any, Node | Verdict] = {EXIT: EXIT}
        #: What decides about a record of another version of the program.
        self.orphaned_function: Callable[..., Any] | None = None
