"""State diagrams of a sequence, made from its own tables.

Where a function goes next is code, so the edges are the nodes that its code refers to: a global or enclosing variable
that is a node, a node's name as a constant, a number that is returned or given to success(). Back to the previous node
leads the reverse of each edge of success, because the previous node is the one that control came from.
"""

from __future__ import annotations

import dis
from enum import EnumType
from types import ModuleType

from hafta.engine.node import Node
from hafta.engine.words import EXIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import CodeType
    from typing import Any

    from hafta.engine.words import Verdict
    from hafta.sequence import Sequence

    Edge = tuple[Node | Verdict, Node | Verdict, str]

_NOTHING = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL"})
_CONSTANT = frozenset({"LOAD_CONST", "LOAD_SMALL_INT", "RETURN_CONST"})


def diagram(sequence: Sequence, form: str) -> str:
    """Return the diagram as text. Raises ValueError for a form that is neither "mermaid" nor "graphviz"."""
    drawers = {"mermaid": _mermaid, "graphviz": _graphviz}
    if form not in drawers:
        raise ValueError(f"a diagram is one of {', '.join(drawers)}, not {form!r}")
    return drawers[form](sequence)


def edges(sequence: Sequence) -> list[Edge]:
    """Return the edges (from, to, label): "success", "rolled back" and "to previous"."""
    found: list[Edge] = []
    for node in sequence.nodes.values():
        found += [(node, to, "success") for to in _named_by(node.normal_function, sequence)]
        back = [] if node.rollback_function is None else _named_by(node.rollback_function, sequence)
        found += [(node, to, "rolled back") for to in back or [node]]
    successes = [(start, to) for start, to, label in found if label == "success" and start is not to]
    found += [(to, start, "to previous") for start, to in successes if isinstance(to, Node)]
    return list(dict.fromkeys(found))


def _mermaid(sequence: Sequence) -> str:
    ids = _ids(sequence)
    lines = ["stateDiagram-v2", *(f'    state "{_quoted(node)}" as {ids[node]}' for node in sequence.nodes.values())]
    lines += [f"    [*] --> {ids[node]}" for node in _first(sequence)]
    for start, to, label in edges(sequence):
        lines.append(f"    {ids[start]} --> {ids.get(to, '[*]')}: {label}")
    return "\n".join(lines) + "\n"


def _graphviz(sequence: Sequence) -> str:
    ids = {**_ids(sequence), EXIT: "done"}
    lines = [
        f'digraph "{_quoted(sequence.name)}" {{',
        "    start [shape=point]",
        "    done [shape=doublecircle, label=exit]",
    ]
    lines += [
        f'    {ids[node]} [shape=box, style=rounded, label="{_quoted(node)}"]' for node in sequence.nodes.values()
    ]
    lines += [f"    start -> {ids[node]}" for node in _first(sequence)]
    for start, to, label in edges(sequence):
        style = "solid" if label == "success" else "dashed"
        lines.append(f'    {ids[start]} -> {ids[to]} [label="{label}", style={style}]')
    return "\n".join([*lines, "}"]) + "\n"


def _ids(sequence: Sequence) -> dict[Node | Verdict, str]:
    return {node: f"n{number}" for number, node in enumerate(sequence.nodes.values(), 1)}


def _first(sequence: Sequence) -> Iterable[Node]:
    return list(sequence.nodes.values())[:1]


def _quoted(thing: object) -> str:
    return str(thing).replace("\\", "\\\\").replace('"', "'")


def _named_by(function: Any, sequence: Sequence) -> list[Node | Verdict]:
    function = _innermost(function)
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    values = [*_variables(function, code), *_constants(code, sequence), *_numbers(function, code)]
    named = [sequence.targets[value] for value in values if _is_target(value, sequence)]
    return list(dict.fromkeys(named))


def _innermost(function: Any) -> Any:
    """Return the function inside of methods, partials and decorators."""
    for name in ("__func__", "func", "__wrapped__"):
        inner = getattr(function, name, None)
        if callable(inner):
            return _innermost(inner)
    return function


def _variables(function: Any, code: CodeType) -> Iterator[Any]:
    """Yield the values of the global and enclosing variables that the code refers to, but for numbers."""
    if "EXIT" in code.co_names:  # hafta.EXIT is an attribute of a module, and so a name like any other here
        yield EXIT
    values = [*(function.__globals__.get(name) for name in code.co_names), *_enclosing(function, code).values()]
    yield from (value for value in values if not isinstance(value, int))


def _enclosing(function: Any, code: CodeType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # a variable that is not bound yet
            continue
    return found


def _constants(code: CodeType, sequence: Sequence) -> Iterator[str]:
    return (value for value in code.co_consts if isinstance(value, str) and value in sequence.nodes)


def _numbers(function: Any, code: CodeType) -> Iterator[int]:
    """Yield the numbers that are returned or given to success(): others are counts and checkpoints, not nodes."""
    steps = [step for step in dis.get_instructions(code) if step.opname not in _NOTHING]
    enclosing = _enclosing(function, code)
    for at, step in enumerate(steps):
        value, after = _read(step, function.__globals__, enclosing), at + 1
        while isinstance(value, (EnumType, ModuleType)) and steps[after].opname == "LOAD_ATTR":
            value, after = getattr(value, steps[after].argval, None), after + 1
        if isinstance(value, int) and (_returns(steps, after) or steps[at - 1].argval == "success"):
            yield value


def _returns(steps: list[dis.Instruction], after: int) -> bool:
    """Tell whether what was loaded last is what the function returns."""
    following = steps[min(after, len(steps) - 1)]
    if following.opname == "JUMP_FORWARD":  # the first half of `return a if b else c`
        following = next(step for step in steps if step.offset >= following.argval)
    return following.opname == "RETURN_VALUE" or steps[after - 1].opname == "RETURN_CONST"


def _read(step: dis.Instruction, module: Mapping[str, Any], enclosing: Mapping[str, Any]) -> Any:
    if step.opname == "LOAD_GLOBAL":
        return module.get(step.argval)
    if step.opname == "LOAD_DEREF":
        return enclosing.get(step.argval)
    return step.argval if step.opname in _CONSTANT else None


def _is_target(value: Any, sequence: Sequence) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return value in sequence.targets
    except TypeError:
        return False
