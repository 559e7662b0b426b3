"""State diagrams of a sequence, made from its own tables.

Where a function goes next is code, so the edges are the nodes that its code names: a variable (global, enclosing, of a
module, an enumeration, or the object whose method it is) that is a node, unless it is only compared or an attribute of
it is read; and a node's name or number that is returned, or given to success() or proceed(). A policy object leads to
the nodes of its verdicts. "To previous" is the reverse of each edge of success.
"""

from __future__ import annotations

import dis
from enum import EnumType
from types import ModuleType

from hafta.engine.node import Node, innermost
from hafta.engine.words import EXIT, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hafta.engine.shape import Shape

    Edge = tuple[Node | Verdict, Node | Verdict, str]

_NOTHING = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL"})
_CONSTANT = frozenset({"LOAD_CONST", "LOAD_SMALL_INT", "RETURN_CONST"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_COMPARISON = frozenset({"COMPARE_OP", "CONTAINS_OP", "IS_OP"})


def diagram(sequence: Shape, form: str) -> str:
    """Return the diagram as text. Raises ValueError for a form that is neither "mermaid" nor "graphviz"."""
    names = [*map(str, sequence.nodes.values())]
    ways = [(str(start), None if to is EXIT else str(to), label) for start, to, label in edges(sequence)]
    return drawn(form, sequence.name, names, ways)


def drawn(form: str, name: str, nodes: Iterable[str], ways: Iterable[tuple[str, str | None, str]]) -> str:
    """Return the diagram of nodes and of ways between them: from, to (None: the end), label. Raises ValueError."""
    drawers = {"mermaid": _mermaid, "graphviz": _graphviz}
    if form not in drawers:
        raise ValueError(f"a diagram is one of {', '.join(drawers)}, not {form!r}")
    ids = {node: f"n{number}" for number, node in enumerate(nodes, 1)}
    return drawers[form](name, ids, ways)


def edges(sequence: Shape) -> list[Edge]:
    """Return the edges (from, to, label): "success", "rolled back", "policy" and "to previous"."""
    found: list[Edge] = []
    for node in sequence.nodes.values():
        found += [(node, to, "success") for to in _named_by(node.normal_function, sequence)]
        back = _named_by(node.rollback_function, sequence)
        found += [(node, to, "rolled back") for to in back or [node]]
        found += [(node, to, "policy") for to in _judged_by(node.policy_function, sequence)]
    successes = [(start, to) for start, to, label in found if label == "success" and start is not to]
    found += [(to, start, "to previous") for start, to in successes if isinstance(to, Node)]
    return list(dict.fromkeys(found))


def _mermaid(_name: str, ids: Mapping[str, str], ways: Iterable[tuple[str, str | None, str]]) -> str:
    lines = ["stateDiagram-v2", *(f'    state "{_quoted(node)}" as {ids[node]}' for node in ids)]
    lines += [f"    [*] --> {ids[node]}" for node in list(ids)[:1]]
    for start, to, label in ways:
        lines.append(f"    {ids[start]} --> {'[*]' if to is None else ids[to]}: {_quoted(label)}")
    return "\n".join(lines) + "\n"


def _graphviz(name: str, ids: Mapping[str, str], ways: Iterable[tuple[str, str | None, str]]) -> str:
    lines = [
        f'digraph "{_quoted(name)}" {{',
        "    start [shape=point]",
        "    done [shape=doublecircle, label=exit]",
    ]
    lines += [f'    {ids[node]} [shape=box, style=rounded, label="{_quoted(node)}"]' for node in ids]
    lines += [f"    start -> {ids[node]}" for node in list(ids)[:1]]
    for start, to, label in ways:
        style = "solid" if label == "success" else "dashed"
        target = "done" if to is None else ids[to]
        lines.append(f'    {ids[start]} -> {target} [label="{_quoted(label)}", style={style}]')
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(thing: object) -> str:
    text = "".join(char if char.isprintable() else " " for char in str(thing))
    return text.replace("\\", "\\\\").replace('"', "'")


def _named_by(function: Any, sequence: Shape) -> list[Node | Verdict]:
    """Return the nodes that a function names, each once."""
    function, owner = innermost(function)
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    steps = [step for step in dis.get_instructions(code) if step.opname not in _NOTHING]
    known = {**function.__globals__, **_enclosing(function), **dict.fromkeys(code.co_varnames + code.co_cellvars)}
    if owner is not None:
        known[code.co_varnames[0]] = owner
    values = (_value(steps, at, known) for at in range(len(steps)))
    return list(dict.fromkeys(sequence.targets[value] for value in values if _is_target(value, sequence)))


def _judged_by(policy: Any, sequence: Shape) -> list[Node | Verdict]:
    """Return the nodes that a policy names: in its code, or in the verdicts that an object of hafta.policies holds."""
    if isinstance(policy, Verdict):
        to = EXIT if policy == EXIT else policy.to
        return [sequence.targets[to]] if _is_target(to, sequence) else []
    parts = policy if isinstance(policy, tuple) else vars(policy).values() if hasattr(policy, "refine") else ()
    return _named_by(policy, sequence) + [to for part in parts for to in _judged_by(part, sequence)]


def _enclosing(function: Any) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # a variable that is not bound yet
            continue
    return found


def _value(steps: list[dis.Instruction], at: int, known: dict[str, Any]) -> Any:
    """Return what is loaded here, with its attributes, if it names a node where it stands; else None."""
    step, after = steps[at], at + 1
    value = step.argval if step.opname in _CONSTANT else _variable(step, known)
    while after < len(steps) and steps[after].opname in _ATTRIBUTE:
        value, after = _attribute(value, steps[after].argval), after + 1
    if isinstance(value, (Node, Verdict)):
        return None if steps[after].opname in _COMPARISON else value
    is_meant = steps[at - 1].argval in {"success", "proceed"} or _returns(steps, after)
    return value if is_meant else None


def _variable(step: dis.Instruction, known: dict[str, Any]) -> Any:
    is_load = step.opname.startswith(("LOAD_GLOBAL", "LOAD_DEREF", "LOAD_FAST")) and isinstance(step.argval, str)
    return known.get(step.argval) if is_load else None


def _attribute(value: Any, name: str) -> Any:
    """Return an attribute of a module, an enumeration or the object of a method, without running any code of theirs."""
    if isinstance(value, (EnumType, ModuleType)):
        return getattr(value, name, None)
    return getattr(value, "__dict__", {}).get(name)


def _returns(steps: list[dis.Instruction], after: int) -> bool:
    """Return whether what was loaded last is what the function returns."""
    following = steps[min(after, len(steps) - 1)]
    if following.opname == "JUMP_FORWARD":  # the first half of `return a if b else c`
        following = next(step for step in steps if step.offset >= following.argval)
    return following.opname == "RETURN_VALUE" or steps[after - 1].opname == "RETURN_CONST"


def _is_target(value: Any, sequence: Shape) -> bool:
    if value is None or isinstance(value, bool):
        return False
    try:
        return value in sequence.targets
    except TypeError:
        return False
