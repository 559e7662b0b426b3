"""The arrows of docs/architecture.md, section 1: which room may import from which. Annotations are free."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "hafta").rglob("*.py"))

SMALL = {"record", "directories", "errors", "exits", "settings", "version"}  # every room uses these
BELOW_SERVICE = {"drivers", "engine", "journal", "policies", "result", "runtime", "sequence", "stores", "systemd"}
#: Room: the rooms that it may import from, besides itself and the small things.
MAY = {
    "engine": set(),
    "result": {"engine"},
    "diagram": {"engine"},
    "policies": {"engine"},
    "sequence": {"engine", "diagram", "drivers", "runtime"},
    "drivers": {"engine", "journal", "result", "runtime", "stores"},
    "readiness": set(),
    "runtime": {"journal", "readiness"},
    "journal": set(),
    "systemd": set(),
    "stores": set(),
    "walk": set(),
    "fifo": {"walk"},
    "reader": {"fifo"},
    "service": BELOW_SERVICE,
    "server": {"service", "fifo"},
    "client": {"service", "fifo", "reader", "policies", "hafta"},
    "overlord": {"journal", "systemd"},
    "hafta": BELOW_SERVICE,
    **{small: set() for small in SMALL},
}
#: These may import anything of ours; nothing imports them, but for a program's own beginning.
TOP = {"cli", "testing"}
#: All that decisions may have of the standard library: nothing that does I/O, tells the time or logs.
PURE = {"__future__", "collections", "enum"}
PURE_ROOMS = {"engine": PURE, "policies": PURE | {"random"}, "result": PURE, "record": PURE, "errors": PURE}


def room_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "hafta"


def module_of(file):
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree):
    """Yield (line, module) of each import that runs, at the top or inside of a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from imports(ast.Module(node.orelse, []))
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "hafta":
            yield from ((node.lineno, f"hafta.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: name the module in full"
            yield node.lineno, node.module
        yield from imports(node)


def is_ours(module):
    return module.split(".")[0] == "hafta"


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_an_import_follows_the_arrows(file):
    room = room_of(module_of(file))
    if room in TOP:
        return
    assert room in MAY, f"docs/architecture.md and this table want a row for hafta/{room}"
    allowed = MAY[room] | SMALL | {room}
    against = [
        f"{file.relative_to(ROOT)}:{line}: {module}"
        for line, module in imports(ast.parse(file.read_text()))
        if is_ours(module) and room_of(module) not in allowed and not is_public_name(module)
    ]
    assert against == []


def is_public_name(module):
    """`from hafta import exits` names a module, `from hafta import Sequence` what the package gives."""
    path = ROOT.joinpath(*module.split("."))
    return not path.is_dir() and not path.with_suffix(".py").exists()


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_what_decides_imports_nothing_that_does_io_or_knows_the_time(room):
    used = {
        module.split(".")[0]
        for file in FILES
        if room_of(module_of(file)) == room
        for _, module in imports(ast.parse(file.read_text()))
        if not is_ours(module)
    }
    assert used <= PURE_ROOMS[room]


def test_the_table_of_rooms_has_no_row_without_a_room():
    rooms = {room_of(module_of(file)) for file in FILES}
    assert set(MAY) | TOP == rooms


def test_each_room_has_a_row_in_the_architecture():
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text[text.index("| room |") : text.index("`tests/lint/` holds the arrows")]
    missing = [room for room in {*MAY, *TOP} - {"hafta"} if f"{room}/`" not in table and f"{room}.py`" not in table]
    assert missing == []


def test_the_reader_of_imports_sees_those_in_functions_and_not_those_for_type_checkers():
    source = (
        "import os\nTYPE_CHECKING = False\nif TYPE_CHECKING:\n    from hafta.cli import main\nelse:\n    import re\n"
        "def f():\n    from hafta import exits, runtime as world\n    from hafta.journal.event import Event\n"
    )
    assert [module for _, module in imports(ast.parse(source))] == [
        "os", "re", "hafta.exits", "hafta.runtime", "hafta.journal.event",
    ]  # fmt: skip
