"""Mermaid's diagrams of sequences as pictures: a page of ours loads no program that would draw them."""

from __future__ import annotations

import re
from typing import NamedTuple

STATE = re.compile(r'^\s*state "(.*)" as (\w+)$', flags=re.MULTILINE)
WAY = re.compile(r"^\s*(\[\*\]|\w+) --> (\[\*\]|\w+)(?:: (.*))?$", flags=re.MULTILINE)


class Picture(NamedTuple):
    """A picture, and what stands in its place for those who do not see it."""

    svg: str
    label: str


def drawn(diagram: str) -> Picture:
    """Return the picture of what `Sequence.diagram()` printed."""
    from hafta.cli.diagram_svg import picture
    from hafta.observe.graph import Edge, Graph

    names = {short: name for name, short in STATE.findall(diagram)}
    ways = [(start, to, label) for start, to, label in WAY.findall(diagram) if start != "[*]"]
    edges = tuple(Edge(names[start], names.get(to), label) for start, to, label in ways)
    graph = Graph("", "", tuple(names.values()), edges)
    spoken = "; ".join(f"{edge.start} to {edge.to or 'the end'}: {edge.label}" for edge in edges)
    return Picture(picture(graph, {}), f"A sequence of the nodes {', '.join(names.values())}. {spoken}")
