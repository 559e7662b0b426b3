"""The arrows of docs/architecture.md, section 1: which room may import from which. Annotations are free here."""

import ast

import pytest
from lint_source import FILES, ROOT, imports, is_ours, module_of

#: Every room uses these.
SMALL = {
    "boot", "causes", "death", "descriptors", "directories", "errors", "exits", "frozen", "generic", "settings",
    "trust", "version",
}  # fmt: skip
BELOW_SERVICE = {
    "drivers",
    "durable",
    "engine",
    "journal",
    "policies",
    "result",
    "runtime",
    "sequence",
    "stores",
    "systemd",
}
#: Room: the rooms that it may import from, besides itself and the small things.
MAY = {
    "engine": set(),
    "result": {"engine"},
    "diagram": {"engine"},
    "policies": {"engine", "result"},  # an inner sequence's result is a reason
    "sequence": {"engine", "diagram", "drivers", "runtime"},
    "retrying": {"engine", "result", "sequence"},
    "steps": {"engine", "sequence"},
    "drivers": {"durable", "engine", "journal", "result", "runtime"},
    "durable": {"drivers", "engine", "journal", "stores"},  # of the drivers, what an observer is
    "readiness": set(),
    "runtime": {"journal", "readiness"},
    "journal": set(),
    "systemd": set(),
    "stores": set(),
    "walk": set(),
    "fifo": {"walk"},
    "reader": {"fifo"},
    "service": BELOW_SERVICE | {"diagram", "hafta", "process"},  # of the package itself, when it began
    "server": {"service", "fifo", "systemd"},
    "client": {"service", "fifo", "reader", "policies", "hafta"},
    "process": set(),
    "units": set(),
    "control": {"journal", "units"},
    "eventlog": {"journal"},
    "observe": {"control", "durable", "engine", "eventlog", "journal", "overlord", "stores", "systemd", "units"},
    "check": {"diagram", "engine", "guard", "observe", "policies", "service", "stores", "systemd", "units"},
    "guard": {"fifo", "journal", "process", "service"},
    "overlord": {"control", "eventlog", "journal", "process", "units"},
    "drill": {"control", "journal", "observe", "process", "systemd"},
    "demo": {"control", "journal", "overlord", "process", "units"},
    "hafta": BELOW_SERVICE,
    **{small: set() for small in SMALL},
}
#: These may import anything of ours; nothing imports them, but for a program's own beginning.
TOP = {"cli", "testing"}
#: All that decisions may have of the standard library: nothing that does I/O, tells the time or logs.
PURE = {"__future__", "collections", "enum"}
#: Two things that a policy can be given otherwise, imported on first use: chance, and the wall clock for HTTP dates.
PURE_ROOMS = {"engine": PURE, "policies": PURE | {"random", "time"}, "result": PURE, "frozen": PURE, "errors": PURE}


def room_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "hafta"


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
    return module.count(".") == 1 and not path.is_dir() and not path.with_suffix(".py").exists()


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


def test_the_reader_of_imports_sees_those_in_functions_and_on_request_those_for_type_checkers():
    source = (
        "import os\nTYPE_CHECKING = False\nif TYPE_CHECKING:\n    from hafta.cli import main\nelse:\n    import re\n"
        "def f():\n    from hafta import exits, runtime as world\n    from hafta.journal.event import Event\n"
    )
    assert [module for _, module in imports(ast.parse(source))] == [
        "os", "re", "hafta.exits", "hafta.runtime", "hafta.journal.event.Event",
    ]  # fmt: skip
    assert "hafta.cli.main" in [module for _, module in imports(ast.parse(source), typing=True)]
