"""`hafta diagram`: how a sequence goes, where it is, and how often it went back."""

from __future__ import annotations

import os
import sys

import click

from hafta import exits
from hafta.cli.options import options
from hafta.cli.past import Past, read, since
from hafta.cli.table import put, shown
from hafta.errors import HaftaError, UsageError
from hafta.observe.graph import Edge, Graph, checked, counted
from hafta.observe.kinds import Kind
from hafta.observe.times import lasting
from hafta.settings import Program, Setting, Values, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hafta.observe.state import Service

FORMS = ("text", "mermaid", "dot", "svg", "json")
VERSION = 1  # of the JSON


def form(text: str) -> str:
    """Read a format."""
    if text not in FORMS:
        raise ValueError(f"one of {', '.join(FORMS)}")
    return text


FORMAT = Setting("format", form, "text", "as what it is printed", "|".join(FORMS), environment="")
LIVE = Setting("live", switch, default=False, help="mark the node where it is now", environment="")
USER = Setting("user", switch, default=False, help="services of this user, not of the system", environment="")
SINCE = since("", "count from the journal how often it went back since then")
PROGRAM = Program(
    "hafta diagram",
    "Draw a sequence: its nodes, where each goes, how often it went back, and where it is now.",
    (FORMAT, LIVE, SINCE, USER),
    (exits.OK, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.SYSTEM),
    "[SERVICE|SEQUENCE|MODULE:SEQUENCE]",
    {exits.NOT_FOUND: "there is no such service, sequence or module, or it does not say how it goes"},
)


@click.command(name="diagram", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("name", required=False, default="", metavar=PROGRAM.operands)
def diagram(name: str, **given: Any) -> int:
    """Find the sequence, and draw it."""
    values = read(PROGRAM, given)
    if ":" in name and not name.endswith(".service"):
        if values.live or values.since:
            raise UsageError("a module is not running: --live and --since need a service", "name the service")
        draw(_of_module(name), "", {}, values.format)
        return exits.OK
    graph, service = _of_service(name, values)
    if values.since:
        graph = counted(graph, _counts(service.unit, graph.sequence, values))
    live = _live(service, graph.sequence) if values.live else {}
    draw(graph, service.unit, live, values.format)
    return exits.OK


def draw(graph: Graph, unit: str, live: Mapping[str, str], how: str) -> None:
    """Print it."""
    if how == "json":
        import json

        put(json.dumps(document(graph, unit, live), indent=2))
    elif how == "svg":
        from hafta.cli.diagram_svg import picture

        put(picture(graph, live).removesuffix("\n"))
    elif how == "text":
        from hafta.cli.diagram_text import PLAIN, lines

        is_plain = "utf" not in (getattr(sys.stdout, "encoding", "") or "").lower()
        for line in lines(graph, live):
            put(line.translate(PLAIN) if is_plain else line)
    else:
        from hafta.diagram import drawn

        ways = [(edge.start, edge.to, _label(edge)) for edge in graph.edges]
        put(drawn("graphviz" if how == "dot" else how, graph.sequence, graph.nodes, ways).removesuffix("\n"))


def document(graph: Graph, unit: str, live: Mapping[str, str]) -> dict[str, Any]:
    """Return it as the JSON has it. Keys never vanish."""
    return {
        "version": VERSION,
        "unit": unit or None,
        "sequence": graph.sequence,
        "fingerprint": graph.fingerprint or None,
        "nodes": [{"node": node, "live": live.get(node)} for node in graph.nodes],
        "edges": [
            {"from": edge.start, "to": edge.to, "label": edge.label, "count": edge.count} for edge in graph.edges
        ],
    }


def _label(edge: Edge) -> str:
    return edge.label if edge.count is None else f"{edge.label} x{edge.count}"


def _of_service(name: str, values: Values) -> tuple[Graph, Service]:
    """Return the graph of a service or of a sequence by its name. Raises HaftaError.

    What may be believed of a service is decided where `hafta status` does so.
    """
    from hafta.cli.status import tell_missing
    from hafta.observe.sources.look import look
    from hafta.observe.sources.published import graphs_of
    from hafta.observe.sources.systemd import full_name

    seen = look((), os.environ, of_user=values.user, everything=True, log=False)
    tell_missing(seen)
    found = {
        (graph.sequence, service.unit): (graph, service)
        for service in seen.services
        for each in service.published
        for graph in graphs_of(each)
        if not name or graph.sequence == name or service.unit == full_name(name)
    }
    if not found:
        hint = "it must have been up with this version of HAFTA; without it: hafta diagram MODULE:SEQUENCE"
        what = f"{shown(name)} does not say how it goes" if name else "no service says how it goes"
        raise HaftaError(what, hint, status=exits.NOT_FOUND)
    if len(found) > 1:
        names = ", ".join(sorted(f"{sequence} of {unit}" for sequence, unit in found))
        raise UsageError(f"there are several: {shown(names)}", "name one by its sequence, or by its service")
    [one] = found.values()
    return one


def _of_module(name: str) -> Graph:
    """Import a sequence, as the caller, and return its graph. Raises HaftaError."""
    from importlib import import_module

    from hafta.diagram import edges
    from hafta.engine.shape import Shape
    from hafta.engine.words import EXIT

    module, _, attribute = name.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        shape = getattr(import_module(module), attribute, None)
        if isinstance(shape, type) or not isinstance(shape, Shape):
            shape = getattr(shape, "sequence", shape)
    except (Exception, SystemExit) as error:  # a script that runs when it is imported may end there
        what = f"cannot import {shown(module)}: {type(error).__name__}: {shown(str(error))}"
        raise HaftaError(what, "name it as for `python3 -m`, from this directory", status=exits.NOT_FOUND) from error
    if not isinstance(shape, Shape):
        raise HaftaError(f"{shown(name)} is not a sequence", "name one: MODULE:SEQUENCE", status=exits.NOT_FOUND)
    ways = [(str(start), None if to is EXIT else str(to), label) for start, to, label in edges(shape)]
    graph = checked(shape.name, "", [str(node) for node in shape.nodes.values()], ways)
    if graph is None:
        raise HaftaError(f"{shown(name)} is too large to be drawn", "draw a part of it", status=exits.NOT_FOUND)
    return graph


def _counts(unit: str, sequence: str, values: Values) -> dict[tuple[str, str], int]:
    """Return how often each way back was taken since then. Raises HaftaError if the journal cannot be read."""
    asked = Values({"user": values.user, "directory": ""})
    past = Past([unit], asked)
    found: dict[tuple[str, str], int] = {}
    entries = past.entries(since=past.walls(values.since)[0])
    past.complain()
    for entry in entries:
        fields = entry.fields
        is_own = entry.unit == unit and entry.kind in (Kind.ROLLED_BACK, Kind.ROLLBACK_FAILED)
        if is_own and fields.get("HAFTA_SEQUENCE") == sequence and (to := fields.get("HAFTA_TO_NODE")):
            pair = fields.get("HAFTA_NODE", ""), to
            found[pair] = found.get(pair, 0) + max(1, entry.number("HAFTA_REPEATED", 1))
    return found


def _live(service: Service, sequence: str) -> dict[str, str]:
    """Return what the service does now, by node: as `hafta status` sees it."""
    found = {}
    for one in service.sequences:
        if one.sequence == sequence and one.node is not None and one.live:
            spent = "" if one.seconds is None else f" for {lasting(one.seconds)}"
            doing = {"normal": "here", "next": "next"}.get(one.doing, f"here ({one.doing})")
            found[one.node] = f"{doing}{spent}"
    return found
