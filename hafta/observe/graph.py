"""A sequence as nodes and edges: from the file of a service, or from the sequence itself. No I/O.

The file belongs to a service and may say anything: names are bounded here, and are shown as text by those who draw.
"""

from __future__ import annotations

import json

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

SUCCESS = "success"
MOST = 500  # nodes; of edges, eight times that
LONGEST = 200  # characters of a name
EXIT = "exit"


class Edge(Frozen):
    """A way from one node to another; `to` None: the end. `count`: how often it was taken; None: not known."""

    start: str
    to: str | None
    label: str
    count: int | None = None

    @property
    def is_rollback(self) -> bool:
        """Whether it is taken after a failure."""
        return self.label != SUCCESS


class Graph(Frozen):
    """How a sequence goes. Nodes are in the order in which they were declared; the first one begins."""

    sequence: str
    fingerprint: str
    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]

    def back(self) -> list[Edge]:
        """Return the ways back to an earlier node or to the same, one for each pair, with what is known of it."""
        places = {node: place for place, node in enumerate(self.nodes)}
        found: dict[tuple[str, str], Edge] = {}
        for edge in self.edges:
            if edge.to is None or not edge.is_rollback or places[edge.to] > places[edge.start]:
                continue
            found.setdefault((edge.start, edge.to), edge)
        return list(found.values())

    def on(self) -> list[Edge]:
        """Return all other ways: to a later node, to the end, or by a success."""
        back = {(edge.start, edge.to) for edge in self.back()}
        return [edge for edge in self.edges if not (edge.is_rollback and (edge.start, edge.to) in back)]


def parse(data: bytes) -> Graph | None:
    """Return what such a file says; None for one that is not understood."""
    try:
        found = json.loads(data)
        if found["version"] != 1:
            return None
        edges = [(start, to, label) for start, to, label in found["edges"]]
        return checked(found["sequence"], found["fingerprint"], found["nodes"], edges)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def checked(sequence: Any, fingerprint: Any, nodes: Any, edges: Iterable[tuple[Any, Any, Any]]) -> Graph | None:
    """Return a graph whose texts are texts, and whose edges are between its nodes; None if it is not one."""
    ways = list(edges)
    if not isinstance(nodes, list) or len(nodes) > MOST or len(ways) > 8 * MOST:
        return None
    texts = [sequence, fingerprint, *nodes, *(label for _, _, label in ways)]
    if not all(isinstance(text, str) and len(text) <= LONGEST for text in texts) or len(set(nodes)) < len(nodes):
        return None
    known = set(nodes)
    if not all(start in known and (to is None or to in known) for start, to, _ in ways):
        return None
    return Graph(sequence, fingerprint, tuple(nodes), tuple(Edge(*way) for way in ways))


def counted(graph: Graph, counts: Mapping[tuple[str, str], int]) -> Graph:
    """Return it with how often each way back was taken: (node, node that followed) -> number.

    A way that was taken and is not in the graph is added: the code names it in a way that cannot be read from it.
    """
    pairs = {(edge.start, edge.to) for edge in graph.edges if edge.is_rollback}
    edges, told = [], set()
    for edge in graph.edges:
        pair = edge.start, edge.to
        if edge.is_rollback and edge.to is not None and pair not in told:
            told.add(pair)
            edges.append(edge.replace(count=counts.get((edge.start, edge.to), 0)))
        else:
            edges.append(edge)
    known = set(graph.nodes)
    new = [pair for pair in counts if pair not in pairs and set(pair) <= known]
    return graph.replace(edges=(*edges, *(Edge(*pair, "rolled back", counts[pair]) for pair in new)))
