"""What the documents show is what there is: every block of code runs, every table and name is checked."""

import os
import re
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from processes import PATIENCE, Child

import hafta
from hafta import exits
from hafta.service import holdoff

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
GETSTART = ROOT / "examples" / "getstart"
MINE = [
    "README.md",
    "docs/tutorial.md",
    "docs/porting.md",
    "docs/services.md",
    "docs/guard.md",
    "docs/units.md",
    "docs/packages.md",
    "docs/typing.md",
    "docs/architecture.md",
    "docs/classes.md",
    "docs/coming-from.md",
    "docs/durable.md",
    "docs/durable-rules.md",
    "examples/aio/README.md",
    "examples/getstart/README.md",
    "examples/guarded/README.md",
    "examples/README.md",
    "examples/ha/README.md",
    "examples/ingest/README.md",
    "examples/poller/README.md",
    "examples/queue/README.md",
    "examples/serial/README.md",
]


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def rows(text: str, heading: str) -> Iterator[list[str]]:
    """Yield the cells of the table's rows below this heading."""
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    for line in table[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def squeezed(code: str) -> str:
    return re.sub(r"\n{2,}", "\n", code).strip()


def test_the_tutorial_shows_the_example_whole_and_in_order():
    server, *client = blocks((DOCS / "tutorial.md").read_text(), "python")
    assert server.strip() == (GETSTART / "server.py").read_text().strip()
    code = (GETSTART / "client.py").read_text().partition('"""\n\n')[2]
    assert squeezed("\n".join(client)) == squeezed(code)


def test_the_tutorials_diagram_is_the_sequences():
    client = runpy.run_path(str(GETSTART / "client.py"))["client"]
    [shown] = blocks((DOCS / "tutorial.md").read_text(), "mermaid")
    assert shown.strip() == client.diagram().strip()


C_NAMES = [
    "HC_NewSequence", "HC_CallSequence", "HC_DeleteSequence", "HC_NormalSuccess", "HC_NormalFail", "HC_RollBackSuccess",
    "HC_RollBackFail", "HC_RollBackCurrent", "HC_RollBackPrev", "HC_DefaultPolicy", "HC_Checkpoint", "HC_Panic",
    "HC_Strerror", "HC_Sequence_t", "HC_NodelistNode_t", "HC_NORMALFUNC", "HC_ROLLBACKFUNC", "HC_POLICYFUNC",
    "HC_LISTEND", "HC_PolicyEvent_t", "HC_NORMALFAIL",
]  # fmt: skip
PORTING = (DOCS / "porting.md").read_text()
TABLE = [*rows(PORTING, "Functions"), *rows(PORTING, "Types and constants")]


def resolve(name: str) -> None:
    """Find a dotted name; attributes that only instances have are found in the class's slots or fields."""
    first, *rest = name.split(".")
    assert first == "hafta"
    found: object = hafta
    for part in rest:
        known = {*getattr(found, "_fields", ()), *getattr(found, "__slots__", ())}
        assert hasattr(found, part) or part in known, name
        found = getattr(found, part, None)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_each_row_of_the_porting_table_names_something_that_exists(row: list[str]):
    names = re.findall(r"`(hafta\.[\w.]+)", " ".join(row[1:]))
    assert names or row[1] == "not needed"
    for name in names:
        resolve(name)


@pytest.mark.parametrize("name", C_NAMES)
def test_each_name_of_the_c_library_has_a_row(name: str):
    assert [row for row in TABLE if re.search(rf"`{name}\b", row[0])]
    with pytest.raises(AssertionError, match=r"hafta\.Sequence\.rewind"):
        resolve("hafta.Sequence.rewind")


def printed(program: Path, pipe: Path) -> list[str]:
    """Return what this client prints about the example's server."""
    environ = {"PIPE": str(pipe), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with Child([str(GETSTART / "server.py")], PAUSE="0.002", SEED="76", **environ) as server:
        while not pipe.exists():
            assert server.process.poll() is None
        with Child([str(program)], **environ) as client:
            status, out, _ = client.finish()
    assert status == 0
    return out.splitlines()


def test_the_node_list_of_the_porting_guide_does_what_the_example_does(tmp_path: Path):
    [code] = blocks(PORTING, "python")
    (tmp_path / "client.py").write_text(code)
    ported = printed(tmp_path / "client.py", tmp_path / "pipe1")
    assert ported == printed(GETSTART / "client.py", tmp_path / "pipe2")
    assert "policy_data = T" in ported


SERVICES = (DOCS / "services.md").read_text()


def test_the_table_of_statuses_is_that_of_the_programs():
    names = {value: name for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    expected = [[str(value), f"`{names[value]}`", meaning] for value, meaning in exits.MEANING.items()]
    assert list(rows(SERVICES, "How it ends")) == expected


def test_the_table_of_delays_is_the_arithmetic():
    [row] = rows(SERVICES, "Crashes in a row")
    assert row[1:] == [f"{holdoff.delay(number):g}" for number in (0, *range(6, 13))]
    assert (holdoff.delay(5), holdoff.delay(12), holdoff.delay(99)) == (0, holdoff.CAP, holdoff.CAP)
    assert f"A run of {holdoff.STABLE:g} s" in SERVICES
    assert f"waits {holdoff.UNCOUNTED:g} s" in SERVICES
    assert "`StartLimitBurst=40` in 10 s" in SERVICES
    unit = (ROOT / "units" / "hafta-server.service").read_text()
    assert "StartLimitIntervalSec=10\nStartLimitBurst=40\n" in unit


@pytest.fixture
def mirror(tmp_path: Path) -> list[str]:
    """Return the command of the service that the guide shows, with its two directories."""
    [code] = blocks(SERVICES, "python")
    (tmp_path / "mirror.py").write_text(code)
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    return [str(tmp_path / "mirror.py"), "--source", str(tmp_path / "in"), "--target", str(tmp_path / "out")]


def test_the_service_of_the_guide_copies_and_takes_up_what_a_crash_has_left(tmp_path: Path, mirror: list[str]):
    for name in ("one", "two"):
        (tmp_path / "in" / name).write_text(name * 1000)
    (tmp_path / "out" / ".one.part").write_text("half of o")
    with Child(mirror, "--once", PYTHONPATH=str(ROOT)) as child:
        status, out, err = child.finish()
    assert (status, out) == (0, "copied one\nSequence was: mirror succeeded after 1 failure\n")
    assert "rolled back node copy from checkpoint 1, attempt 1, next node copy: [Errno 17] File exists" in err
    with Child(mirror, "--once", PYTHONPATH=str(ROOT)) as child:
        assert child.finish()[1] == "copied two\nSequence was: mirror succeeded\n"
    assert sorted(os.listdir(tmp_path / "out")) == ["one", "two"]
    assert (tmp_path / "out" / "two").read_text() == "two" * 1000


def test_the_unit_of_the_guide_is_one(tmp_path: Path, mirror: list[str]):
    [unit] = blocks(SERVICES, "ini")
    here = {"/opt/mirror/mirror.py": mirror[0], "/srv/": f"{tmp_path}/", "/usr/bin/python3": sys.executable}
    for there, place in here.items():
        unit = unit.replace(there, place)
    (tmp_path / "mirror.service").write_text(unit)
    (tmp_path / "in" / "one").write_text("one")
    with TemporaryDirectory(prefix="ho") as short:
        places = ["--unit-path", str(tmp_path), "--runtime-dir", f"{short}/run", "--state-dir", f"{short}/state"]
        command = ["-m", "hafta.overlord", *places, "mirror.service"]
        with open(f"{short}/said", "w+") as said, Child(command, out=said, err=said, PYTHONPATH=str(ROOT)) as child:
            end, text = time.monotonic() + PATIENCE, ""
            while not ("Unit mirror.service is ready" in text and "copied one" in text):
                assert time.monotonic() < end, text
                text = Path(said.name).read_text()
            assert child.stop()[0] == 0
            assert "does not honour" not in Path(said.name).read_text()
    assert (tmp_path / "out" / "one").read_text() == "one"


@pytest.mark.parametrize("file", MINE)
def test_links_lead_somewhere_and_paths_and_public_names_exist(file: str):
    from importlib.util import find_spec

    text = (ROOT / file).read_text()
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", prose):
        assert "://" in target or (ROOT / file).parent.joinpath(target).exists(), target
    for path in re.findall(r"`((?:hafta|units|examples|docs|tests)/[\w./@-]+)`", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(hafta(?:\.\w+)+)", text):
        module, _, attribute = name.rpartition(".")
        if name.startswith(("hafta.service.", "hafta.policies.", "hafta.settings.")):
            assert hasattr(__import__(module, fromlist=[attribute]), attribute), name
        elif name not in {"hafta.service", "hafta.target"} and not find_spec(name if name.count(".") == 1 else "hafta"):
            resolve(name)


def test_the_readme_begins_with_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "    make run\n    make test\n" in text
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make ([a-z-]+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
