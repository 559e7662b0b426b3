"""No module imports, over whatever others, itself. Annotations count: they tell who must know whom."""

import ast

import pytest
from lint_source import FILES, imports, is_ours, module_of

MODULES = {module_of(file): file for file in FILES}

#: Imports that close a circle, and why they still do.
KNOWN = {
    ("hafta.overlord.context", "hafta.overlord.runner"): "the overlord is taken apart into rooms",
    ("hafta.overlord.tell", "hafta.overlord.runner"): "the overlord is taken apart into rooms",
}


def module_in(name):
    """Return the module that is imported: `hafta.exits` of `hafta.exits.OK`."""
    return name if name in MODULES else name.rpartition(".")[0]


GRAPH = {
    module: {module_in(name) for _, name in imports(ast.parse(file.read_text()), typing=True) if is_ours(name)}
    for module, file in MODULES.items()
}


def circle(graph):
    """Return the modules of a circle in their order, or nothing if there is none."""
    ended, way = set(), []

    def walk(module):
        if module in way:
            return [*way[way.index(module) :], module]
        if module in ended:
            return []
        way.append(module)
        found = next(filter(None, map(walk, sorted(graph.get(module, ())))), [])
        way.pop()
        ended.add(module)
        return found

    return next(filter(None, map(walk, sorted(graph))), [])


def without(graph, edges):
    return {one: {other for other in others if (one, other) not in edges} for one, others in graph.items()}


def test_there_is_no_circle_of_imports():
    assert " -> ".join(circle(without(GRAPH, KNOWN))) == ""


@pytest.mark.parametrize("edge", KNOWN, ids=" to ".join)
def test_each_exception_still_closes_a_circle(edge):
    others = without(GRAPH, set(KNOWN) - {edge})
    assert edge[1] in GRAPH.get(edge[0], ()), "this import is gone: remove the exception"
    assert circle(others) != [], "this circle is gone: remove the exception"


def test_a_circle_is_found_whatever_leads_to_it():
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
