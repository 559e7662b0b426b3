"""A sequence as a picture: its nodes in a column, ways back as arcs on the left, other ways on the right."""

from __future__ import annotations

from html import escape

from hafta.cli.table import shown
from hafta.observe.graph import EXIT, SUCCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafta.observe.graph import Edge, Graph

STYLE = """\
svg { --page: #ffffff; --text: #1b1f24; --line: #6b7280; --back: #b3261e; --live: #1a6b35; --box: #f3f4f6;
  background: var(--page); }
@media (prefers-color-scheme: dark) { svg { --page: #14171c; --text: #e8eaed; --line: #8b95a3; --back: #ff8a80;
  --live: #6fd08c; --box: #1f242c; } }
text { fill: var(--text); font: 13px system-ui, sans-serif; } rect { fill: var(--box); stroke: var(--line); }
path { fill: none; stroke: var(--line); } .back { stroke: var(--back); stroke-dasharray: 4 3; }
.count, .here { paint-order: stroke; stroke: var(--page); stroke-width: 4px; } .count { fill: var(--back); }
.live { stroke: var(--live); stroke-width: 3; } .here { fill: var(--live); }
"""
STEP, TALL, TOP, LETTER, LANE = 64, 34, 24, 8, 34


def picture(graph: Graph, live: Mapping[str, str]) -> str:
    """Return the SVG. `live`: what a node that is being worked on does."""
    names = [*map(shown, graph.nodes)]
    wide = max([len(name) for name in names], default=4) * LETTER + 32
    back = sorted(graph.back(), key=lambda edge: _span(graph, edge))
    on = [edge for edge in graph.on() if not _is_next(graph, edge)]
    left = LANE * (len(back) + 1) + 16
    more = max([len(shown(text)) for text in live.values()], default=0) * LETTER
    width = left + wide + LANE * (len(on) + 1) + 16 + more
    height = TOP + STEP * (len(names) + 1)
    label = escape(shown(f"Sequence {graph.sequence}: {len(names)} nodes, {len(back)} ways back"))
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}"><title>{label}</title>'
    parts = [
        f"{head}<style>{STYLE}</style>",
        *_arcs(graph, back, left, -1),
        *_arcs(graph, on, left + wide, 1),
        *_boxes(graph, live, left, wide, LANE * (len(on) + 1)),
        f'<text x="{left + wide / 2}" y="{TOP + STEP * len(names) + TALL / 2 + 4}" text-anchor="middle">{EXIT}</text>',
    ]
    return "\n".join([*parts, "</svg>\n"])


def _boxes(graph: Graph, live: Mapping[str, str], left: int, wide: int, far: int) -> Iterator[str]:
    middle = left + wide / 2
    for place, node in enumerate(graph.nodes):
        y = TOP + STEP * place
        kind = ' class="live"' if node in live else ""
        yield f'<rect{kind} x="{left}" y="{y}" width="{wide}" height="{TALL}" rx="6"/>'
        yield f'<text x="{middle}" y="{y + 22}" text-anchor="middle">{escape(shown(node))}</text>'
        if node in live:
            yield f'<text class="here" x="{left + wide + far}" y="{y + 22}">{escape(shown(live[node]))}</text>'
        if any(_is_next(graph, edge) for edge in graph.edges if edge.start == node):
            yield f'<path d="M{middle} {y + TALL}V{y + STEP - 1}m-4 -6l4 6l4 -6"/>'


def _arcs(graph: Graph, edges: list[Edge], x: int, side: int) -> Iterator[str]:
    """Yield the arcs on one side of the column, the short ones near it."""
    for lane, edge in enumerate(sorted(edges, key=lambda edge: _span(graph, edge)), 1):
        begin = TOP + STEP * graph.nodes.index(edge.start) + TALL / 2 + 7
        end = TOP + STEP * (len(graph.nodes) if edge.to is None else graph.nodes.index(edge.to)) + TALL / 2 - 7
        far = x + side * LANE * lane
        kind = ' class="back"' if edge.is_rollback else ""
        title = escape(shown(f"{edge.start} to {edge.to or EXIT}: {edge.label}"))
        tip = f"m{7 * side} -4l{-7 * side} 4l{7 * side} 4"
        way = f"M{x} {begin}C{far} {begin} {far} {end} {x} {end}{tip}"
        yield f'<path{kind} d="{way}"><title>{title}</title></path>'
        if edge.count is not None:
            anchor = "end" if side < 0 else "start"
            at = x + side * LANE * lane * 0.75 + 4 * side
            yield (
                f'<text class="count" x="{at}" y="{(begin + end) / 2 + 4}" text-anchor="{anchor}">{edge.count:,}</text>'
            )


def _span(graph: Graph, edge: Edge) -> int:
    to = len(graph.nodes) if edge.to is None else graph.nodes.index(edge.to)
    return abs(to - graph.nodes.index(edge.start))


def _is_next(graph: Graph, edge: Edge) -> bool:
    place = graph.nodes.index(edge.start) + 1
    after = graph.nodes[place] if place < len(graph.nodes) else None
    return edge.label == SUCCESS and edge.to == after
