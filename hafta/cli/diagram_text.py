"""A sequence as lines of text: its nodes in a column, ways back as arcs on the left, other ways on the right."""

from __future__ import annotations

from hafta.cli.table import shown
from hafta.observe.graph import EXIT, SUCCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafta.observe.graph import Edge, Graph

#: For a terminal without UTF-8.
PLAIN = str.maketrans("│─┼╭╰▶▼↻→⇢●○◀×", "|-++`>v@>>*o<x")  # noqa: RUF001 - as above


def lines(graph: Graph, live: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines. `live`: what a node that is being worked on does."""
    places = {node: 2 * place for place, node in enumerate(graph.nodes)}
    arcs = [edge for edge in graph.back() if edge.to != edge.start]
    left = _arcs(arcs, places, 2 * len(graph.nodes))
    nexts = dict(zip(graph.nodes, graph.nodes[1:], strict=False))
    on = graph.on()
    for place, node in enumerate(graph.nodes):
        mark = "●" if node in live else "○"
        what = [f"{mark} {shown(node)}", *_ways(graph, on, node, nexts.get(node))]
        if node in live:
            what.append(f"◀ {shown(live[node])}")
        yield f"{left[2 * place]}{'  '.join(what)}"
        goes_on = any(edge.to == nexts.get(node) for edge in on if edge.start == node and edge.label == SUCCESS)
        if place + 1 < len(graph.nodes):
            yield f"{left[2 * place + 1]}{'▼' if goes_on else ' '}".rstrip()


def _ways(graph: Graph, on: list[Edge], node: str, after: str | None) -> Iterator[str]:
    """Yield where a node goes, but to the one below it and back."""
    again = next((edge for edge in graph.back() if edge.start == edge.to == node), None)
    if again is not None:
        yield "↻" if again.count is None else f"↻ ×{again.count:,}"  # noqa: RUF001 - the sign of a number of times
    for edge in on:
        if edge.start == node and (edge.to != after or edge.label != SUCCESS or after is None):
            arrow = "→" if edge.label == SUCCESS else "⇢"
            why = "" if edge.label == SUCCESS else f" ({shown(edge.label)})"
            yield f"{arrow} {EXIT if edge.to is None else shown(edge.to)}{why}"


def _arcs(arcs: list[Edge], places: Mapping[str, int], rows: int) -> list[str]:
    """Return what stands to the left of each row."""
    lanes = _lanes(arcs, places)
    labels = ["" if edge.count is None else f"×{edge.count:,}" for edge in arcs]  # noqa: RUF001
    wide = max([len(label) for label in labels], default=0) + 2
    width = wide * (max(lanes) + 1) + 1 if arcs else 0
    grid = [[" "] * width for _ in range(rows)]
    for edge, lane, label in zip(arcs, lanes, labels, strict=True):
        assert edge.to is not None
        top, bottom = places[edge.to], places[edge.start]
        column = width - 1 - wide * (lane + 1)
        for row in range(top + 1, bottom):
            grid[row][column] = "┼" if grid[row][column] == "─" else "│"
        for row, corner, end in ((top, "╭", "▶"), (bottom, "╰", "─")):
            for at in range(column + 1, width - 1):
                grid[row][at] = "┼" if grid[row][at] in "│┼" else "─"
            grid[row][column], grid[row][width - 2] = corner, end
        for at, char in enumerate(label, column + 1):
            grid[bottom][at] = char
    return ["".join(row) for row in grid]


def _lanes(arcs: list[Edge], places: Mapping[str, int]) -> list[int]:
    """Return the lane of each arc: short ones near the nodes, and no two that meet in one lane."""
    spans = [(places[edge.to or ""], places[edge.start]) for edge in arcs]
    taken: list[list[tuple[int, int]]] = []
    lanes = [0] * len(arcs)
    for place in sorted(range(len(arcs)), key=lambda at: spans[at][1] - spans[at][0]):
        top, bottom = spans[place]
        lane = next(
            (at for at, others in enumerate(taken) if all(bottom < one or top > two for one, two in others)), len(taken)
        )
        if lane == len(taken):
            taken.append([])
        taken[lane].append((top, bottom))
        lanes[place] = lane
    return lanes
