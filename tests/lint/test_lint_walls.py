"""Who may do what: only the engine writes to its machine and judges deaths, and nobody looks behind a store."""

import ast

import pytest
from lint_source import FILES, ROOT, imports, name_of

TREES = {name_of(file): ast.parse(file.read_text()) for file in FILES}
#: The overlord has machines of another kind (hafta/overlord/machine.py), one for each unit.
OUTSIDE = {name: tree for name, tree in TREES.items() if not name.startswith(("hafta/engine/", "hafta/overlord/"))}

#: The one attribute of a machine that is written outside of the engine, and where.
MARK = {("hafta/drivers/run.py", "mark")}
#: Who asks what a store is: both before the first call of it, to refuse what a program has given by mistake.
LOOKS_AT_A_STORE = {
    ("hafta/durable/checkpoints.py", "isinstance(store, type)"),
    ("hafta/durable/checkpoints.py", "getattr(store, 'claim', None)"),
    ("hafta/testing/crash.py", "isinstance(self._store, MemoryStore)"),
}
LOOKS = {"getattr", "hasattr", "isinstance", "issubclass", "setattr", "type", "vars"}


def last_name(expression):
    """Return the name that stands last in it: `machine` of `self.machine`."""
    return getattr(expression, "attr", getattr(expression, "id", "")).strip("_")


def is_machine(expression, also=()):
    return last_name(expression) == "machine" or getattr(expression, "id", None) in also


def aliases(tree):
    """Return the other names that a machine is given: `at = self.machine if ... else ...`."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and any(is_machine(part) for part in _choices(node.value))
    }


def _choices(value):
    return (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,)


def writes(tree):
    """Yield each attribute of a machine that is assigned, deleted, changed in place, or set by setattr()."""
    also = aliases(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and is_machine(node.value, also):
            yield node.attr
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) and _is_part(node.value, also):
            yield node.value.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_part(node.func.value, also):
            if node.func.attr in {"append", "clear", "pop", "popitem", "setdefault", "update"}:
                yield node.func.value.attr
        elif isinstance(node, ast.Call) and last_name(node.func) == "setattr" and is_machine(node.args[0], also):
            yield ast.unparse(node.args[1])


def _is_part(expression, also):
    return isinstance(expression, ast.Attribute) and is_machine(expression.value, also)


def test_only_the_engine_writes_to_a_machine_but_for_the_mark_of_a_checkpoint():
    assert {(name, attribute) for name, tree in OUTSIDE.items() for attribute in writes(tree)} == MARK


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("machine.phase = 1", ["phase"]),
        ("self.machine.attempt += 1", ["attempt"]),
        ("call._machine.node, x = 1, 2", ["node"]),
        ("del machine.node", ["node"]),
        ("self.conductor.machine.stack[node] = 1", ["stack"]),
        ("machine.stack.popitem()", ["stack"]),
        ("at = self.machine if x else y\nat.delay = 0", ["delay"]),
        ("setattr(machine, 'node', 1)", ["'node'"]),
        ("x = machine.phase; machine.fail(x); machine.stack.items(); other.phase = 1", []),
    ],
)
def test_a_write_is_seen_in_each_of_its_forms(code, written):
    assert list(writes(ast.parse(code))) == written


def test_only_the_engine_knows_the_limit_of_failures():
    assert [
        name for name, tree in OUTSIDE.items() for node in ast.walk(tree)
        if last_name(node) == "LIMIT" or (isinstance(node, ast.alias) and node.name == "LIMIT")
    ] == []  # fmt: skip


def test_the_conductor_names_no_observer():
    modules = {module for _, module in imports(TREES["hafta/drivers/conductor.py"], typing=True)}
    observers = ("hafta.durable", "hafta.drivers.rollbacks", "hafta.drivers.mistakes", "hafta.testing")
    assert [module for module in modules if module.startswith(observers)] == []


def looks(tree):
    """Yield each question about what a store or a claim is, or has besides its protocol."""
    for node in ast.walk(tree):
        asks = isinstance(node, ast.Call) and getattr(node.func, "id", "") in LOOKS and node.args
        if asks and last_name(node.args[0]).endswith(("store", "claim")):
            yield ast.unparse(node)


def test_stores_and_claims_are_opaque():
    assert {(name, look) for name, tree in TREES.items() for look in looks(tree)} == LOOKS_AT_A_STORE


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("getattr(self._store, 'path', '')", 1),
        ("isinstance(claim, FileClaim)", 1),
        ("hasattr(record.claim, 'more_room')", 1),
        ("getattr(self, 'claim', None); store.claim('x')", 0),
    ],
)
def test_a_look_behind_a_store_is_seen(code, found):
    assert len(list(looks(ast.parse(code)))) == found


def test_the_files_that_the_rules_name_are_there():
    assert all((ROOT / name).exists() for name, _ in MARK | LOOKS_AT_A_STORE)
