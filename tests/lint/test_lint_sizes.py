"""Short functions, files of a readable length, classes with little state: every exception is named, with a reason."""

import ast
from pathlib import Path
from statistics import median, quantiles

import pytest
from lint_source import FILES, ROOT, classes, functions, name_of

TESTS = sorted((ROOT / "tests").rglob("*.py"))

FILE = 400
ATTRIBUTES = 10
#: How many attributes a class may have that has more.
MORE = {
    "drill.subject.Subject": 13,  # what two managers say of a unit, each under one name
    "engine.machine.Machine": 19,  # one call, whole: nobody else writes it, and each has its sentence there
    "engine.node.Node": 13,  # what users write of one node, each under the name that they write
    "engine.words.PolicyEvent": 11,  # what happened, as policies of users read it: no part of it would have a name
    "observe.sources.published.Published": 12,  # a file of a service: a field for each key, and its owner
    "observe.state.Position": 11,  # one line of the answer, as programs read it
    "observe.state.Service": 13,  # the same
    "overlord.overlord.Overlord": 21,  # the overlord is taken apart into rooms
    "overlord.manager.Manager": 13,  # who waits for whom, and what is due: one place decides both
    "overlord.plan.Plan": 13,  # one run, whole
    "overlord.child.Launch": 13,  # all that a child needs to know, in one piece: it is a fork
    "overlord.runner.Runner": 18,  # the overlord is taken apart into rooms
    "service.warm.parent.Parent": 14,  # its parts, each a class; and the environment that a reload starts from
    "stores.file.writing.FileClaim": 16,  # seven of them are those of the protocol; which slot is next is in Slots
    "stores.leased.claim.LeasedClaim": 14,  # nine of them are those of the protocol
    "stores.protocol.Snapshot": 11,  # all that is known of a record, under one name each
    "testing.crash._Test": 12,  # the parameters of crash_everywhere, each once
    "testing.runtime.FakeRuntime": 12,  # public lists, one for each thing that a test can ask about
    "units.unit.Needs": 18,  # one field for each directive that names other units
    "units.unit.Unit": 48,  # one field for each directive of a unit file that is honoured
}


def lines(file):
    return len(Path(file).read_text().splitlines())


LENGTHS = {
    f"{name_of(file)}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
    for file in FILES
    for function in functions(ast.parse(file.read_text()))
}


def test_no_function_is_over_60_lines():
    assert {where: lines for where, lines in LENGTHS.items() if lines > 60} == {}


def test_nine_functions_of_ten_are_at_most_30_lines_and_the_median_is_about_7():
    assert len(LENGTHS) > 100
    assert quantiles(LENGTHS.values(), n=10)[-1] <= 30
    assert median(LENGTHS.values()) <= 8


def test_a_file_is_at_most_400_lines():
    assert {name_of(file): lines(file) for file in (*FILES, *TESTS) if lines(file) > FILE} == {}


def attributes(cls):
    """Return the names of what objects of a class hold: annotated fields, slots, and what its methods assign."""
    found = set()
    for node in cls.body:
        if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__slots__":
            slots = ast.literal_eval(node.value)
            found |= {slots} if isinstance(slots, str) else set(slots)
    for node in ast.walk(cls):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and getattr(node.value, "id", "") == "self"
        ):
            found.add(node.attr)
    return found


COUNTS = {
    f"{name_of(file)[len('hafta/') :].removesuffix('.py').replace('/', '.')}.{cls.name}": len(attributes(cls))
    for file in FILES
    for cls in classes(ast.parse(file.read_text()))
}


def test_a_class_has_at_most_10_attributes():
    assert {name: found for name, found in COUNTS.items() if found > MORE.get(name, ATTRIBUTES)} == {}


@pytest.mark.parametrize("name", MORE)
def test_each_class_with_more_is_still_one(name):
    assert COUNTS.get(name, 0) > ATTRIBUTES, "it has no more than others, or is gone: remove it from the list"


def test_attributes_are_counted_wherever_they_are_declared():
    source = (
        "class A(Frozen):\n    field: int\n    shared: ClassVar[int] = 0\n    __slots__ = ('slot', 'field')\n"
        "    def f(self, other):\n        self.set = other.not_ours = 1\n        self.also, local = 1, 2\n"
        "        self.count += 1\n        self.known.part = 1\n"
    )
    assert attributes(ast.parse(source).body[0]) == {"field", "slot", "set", "also", "count"}
