"""`hafta diagram`: from what a service says about itself, or from the sequence; in every form; nothing of strangers."""

import functools
import json
import os
import re
import sys
from pathlib import Path
from unittest.mock import MagicMock
from xml.etree import ElementTree as ET
from xmlrpc.client import ServerProxy

import pytest
from processes import Child, run_python, sequence, wait_until

import hafta
from hafta import exits
from hafta.cli import diagram as command
from hafta.cli.diagram_svg import picture
from hafta.cli.diagram_text import PLAIN, lines
from hafta.cli.group import run_group
from hafta.observe.graph import Edge, Graph, checked, counted, parse
from hafta.observe.sources.published import Published, graphs_of
from hafta.observe.state import Position, Service
from hafta.policies import On
from hafta.service import published as service
from hafta.service.graphs import fingerprint, publish
from hafta.service.published import put

#: Two functions that go different ways.
HOMES = {"a": lambda run: run.success("a"), "b": lambda run: run.success("b")}
MODULE = """
import hafta
four = hafta.Sequence("four")
@four.node
def open_it(run): return run.success(read)
@four.node
def read(run): return run.success(parse)
@four.node
def parse(run): return run.success(send)
@parse.rollback
def undo(run, checkpoint): return run.success(open_it)
@four.node
def send(run): return run.success(hafta.EXIT)
"""
FOUR = Graph(
    "four", "", ("open_it", "read", "parse", "send"),
    (
        Edge("open_it", "read", "success"), Edge("read", "parse", "success"), Edge("parse", "send", "success"),
        Edge("send", None, "success"), Edge("parse", "open_it", "rolled back", 213), Edge("read", "read", "policy", 17),
        Edge("send", "parse", "to previous", 4),
    ),
)  # fmt: skip


@pytest.fixture
def four(tmp_path, monkeypatch):
    (tmp_path / "a_module_of_four.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return "a_module_of_four:four"


def test_nodes_are_a_column_and_ways_back_arcs_with_their_numbers():
    assert list(lines(FOUR, {"parse": "here for 0.4 s"})) == [
        "╭──────────▶ ○ open_it",
        "│            ▼",
        "│            ○ read  ↻ \u00d717",
        "│            ▼",
        "╰\u00d7213─╭────▶ ● parse  ◀ here for 0.4 s",
        "      │      ▼",
        "      ╰\u00d74─── ○ send  → exit",
    ]


def test_a_terminal_without_utf_8_has_the_same_in_ascii():
    assert all(line.translate(PLAIN).isascii() for line in lines(FOUR, {"read": "here"}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("class Odd:\n    @property\n    def sequence(self):\n        return 1 / 0\nfour = Odd()", "ZeroDivisionError"),
    ],
)
def test_whatever_a_module_does_when_it_is_imported_is_one_line(tmp_path, monkeypatch, capsys, text, said):
    """Such as a script that runs when it is imported, and ends there: nothing would be drawn, with status 0."""
    (tmp_path / "a_module_that_ends.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "a_module_that_ends", raising=False)
    assert run_group(["diagram", "a_module_that_ends:four"]) == exits.NOT_FOUND
    out, err = capsys.readouterr()
    assert (out, f"cannot import a_module_that_ends: {said}" in err) == ("", True)
    assert "Traceback" not in err


def test_a_module_is_imported_as_the_caller_and_drawn_in_every_form(four, capsys):
    made = {}
    for form in command.FORMS:
        assert run_group(["diagram", four, "--format", form]) == exits.OK
        made[form] = capsys.readouterr().out
    assert "n1 --> n2: success" in made["mermaid"]
    assert 'n1 -> n2 [label="success", style=solid]' in made["dot"]
    assert "▶ ○ open_it" in made["text"]
    assert ET.fromstring(made["svg"]).tag.endswith("svg")
    found = json.loads(made["json"])
    assert [one["node"] for one in found["nodes"]] == list(FOUR.nodes)
    assert {"from": "send", "to": None, "label": "success", "count": None} in found["edges"]
    rule = json.loads((Path(hafta.__file__).parent / "observe" / "diagram.schema.json").read_text())
    assert set(found) == set(rule["properties"])
    for name in ("nodes", "edges"):
        assert {key for one in found[name] for key in one} == set(rule["properties"][name]["items"]["required"])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nothing.there:x"], exits.NOT_FOUND, "cannot import nothing.there"),
        (["os:path"], exits.NOT_FOUND, "os:path is not a sequence"),
        (["os:path", "--live"], exits.USAGE, "a module is not running"),
        (["x", "--format", "gif"], exits.USAGE, "one of text, mermaid, dot, svg, json"),
        (["nobody"], exits.NOT_FOUND, "nobody does not say how it goes"),
    ],
)
def test_what_cannot_be_drawn_is_said(four, capsys, monkeypatch, tmp_path, words, status, said):
    monkeypatch.setenv("HAFTA_RUNTIME_DIR", str(tmp_path))
    assert run_group(["diagram", *words]) == status
    assert said in capsys.readouterr().err


def test_a_service_publishes_how_it_goes_once_for_a_version_of_its_code(tmp_path: Path):
    path = tmp_path / "feed-feed.graph"
    for _ in range(2):
        with Child(sequence("run.sleep(600)"), RUNTIME_DIRECTORY=str(tmp_path)) as child:
            child.wait_told("READY=1")
            wait_until(path.exists)
            made = path.stat()
    assert made.st_mode & 0o777 == 0o644
    graph = parse(path.read_bytes())
    assert (graph.sequence, len(graph.nodes)) == ("feed", 1)
    assert path.stat().st_ino == made.st_ino
    assert not list(tmp_path.glob("*.new"))


def shape(text):
    names = {"hafta": hafta}
    exec(compile(text, "four.py", "exec"), names)
    return names["four"]


def test_the_file_is_written_again_only_if_the_code_has_changed(tmp_path):
    first, same = shape(MODULE), shape(MODULE)
    other = shape(MODULE.replace("return run.success(parse)", "return run.success(send)"))
    assert fingerprint(first) == fingerprint(same) != fingerprint(other)
    publish(str(tmp_path / "x"), first, put)
    path = tmp_path / "x-four.graph"
    before = path.stat().st_ino
    publish(str(tmp_path / "x"), same, put)
    assert path.stat().st_ino == before
    publish(str(tmp_path / "x"), other, put)
    assert parse(path.read_bytes()).fingerprint == fingerprint(other)
    assert os.listdir(tmp_path) == ["x-four.graph"]


def test_a_restart_finds_the_same_code_whatever_the_order_of_its_sets():
    program = """
import hafta
from hafta.policies import On
from hafta.service import published as service
from hafta.service.graphs import fingerprint
one = hafta.Sequence("one")
@one.node
def work(run): return hafta.EXIT if run.data in {"a", "b", "c", "d", "e"} else work
print(fingerprint(one))
"""
    assert len({run_python(program, PYTHONHASHSEED=str(seed)).stdout for seed in range(1, 5)}) == 1


def counted_in(function):
    @functools.wraps(function)
    def inner(run):
        return function(run)

    return inner


@pytest.mark.parametrize(
    "leads_to",
    [
        lambda name: {"policy": On(KeyError, hafta.proceed(name))},
        lambda name: {"normal": functools.partial(HOMES[name])},
        lambda name: {"normal": counted_in(HOMES[name])},
    ],
    ids=["a policy", "a partial", "a decorator"],
)
def test_the_file_is_written_again_if_what_changed_is_inside_of_an_object(leads_to):
    def made(name):
        found = {"normal": HOMES["a"], "policy": None, **leads_to(name)}
        one = hafta.Sequence("one")
        one.node(found["normal"], name="a", policy=found["policy"])
        one.node(HOMES["a"], name="b")
        return fingerprint(one)

    assert made("a") == made("a") != made("b")


@pytest.mark.parametrize("function", [MagicMock(), ServerProxy("http://127.0.0.1:1/").work], ids=["mock", "proxy"])
def test_a_function_that_cannot_be_drawn_does_not_keep_its_service_from_its_work(tmp_path, function):
    one = hafta.Sequence("one")
    one.node(function, name="work")
    service.Published("x", {"RUNTIME_DIRECTORY": str(tmp_path)}).draw(one)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a/b", "x" * 200])
def test_no_name_of_a_sequence_leads_to_another_directory(tmp_path, name):
    publish(str(tmp_path / "x"), hafta.Sequence(name), put)
    assert os.listdir(tmp_path) == []
    assert list(graphs_of(Published(str(tmp_path / "x.hafta"), "x", "", "", 1, (name,)))) == []


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b'{"version": 2}', b'{"version":1,"sequence":1,"fingerprint":"","nodes":[],"edges":[]}',
        b'{"version":1,"sequence":"s","fingerprint":"","nodes":["a"],"edges":[["a","b","x"]]}',
        b'{"version":1,"sequence":"s","fingerprint":"","nodes":["a","a"],"edges":[]}', b"[" * 100_000,
        b'{"version":1,"sequence":"s","fingerprint":"","nodes":[{}],"edges":[]}',
        b'{"version":1,"sequence":"s","fingerprint":"","nodes":"ab","edges":[]}',
    ],
)  # fmt: skip
def test_what_is_not_a_graph_is_none(data):
    assert parse(data) is None


HOSTILE = '<script>alert(1)</script>"]; --> x\n\x1b[31m'


def test_names_of_strangers_are_text_in_every_form(capsys):
    graph = checked(HOSTILE, "", [HOSTILE, "b"], [(HOSTILE, "b", "success"), ("b", HOSTILE, HOSTILE)])
    for form in command.FORMS:
        command.draw(graph, "", {"b": HOSTILE}, form)
        out = capsys.readouterr().out
        assert "\x1b" not in out
        if form in {"mermaid", "dot"}:
            assert not re.search(r'^\s*script|"\]; --> x$', out, re.MULTILINE)
    root = ET.fromstring(picture(graph, {"b": HOSTILE}))
    assert not [one for one in root.iter() if one.tag.endswith("script")]


def test_a_way_that_was_taken_and_not_read_from_the_code_is_added():
    found = counted(FOUR, {("parse", "open_it"): 3, ("send", "open_it"): 2, ("gone", "read"): 1})
    assert {(one.start, one.to): one.count for one in found.edges if one.count is not None} == {
        ("parse", "open_it"): 3, ("read", "read"): 0, ("send", "parse"): 0, ("send", "open_it"): 2,
    }  # fmt: skip


def test_the_node_where_it_is_comes_from_what_status_sees():
    at = {"sequence": "four", "instance": "", "checkpoint": 0, "checkpoint_name": None, "attempt": 0, "age": None}
    here = Position(**at, node="parse", doing="rollback", seconds=0.4, live=True, source="record")
    dead = Position(**at, node="read", doing="normal", seconds=None, live=False, source="record")
    service = Service("a.service", "systemd", "up", (), None, None, {}, None, None, (here, dead))
    assert command._live(service, "four") == {"parse": "here (rollback) for 0.4 s"}
