"""Diagrams of a sequence: who leads where, as text that both tools read and that stays the same."""

import functools
import re
import shutil
import subprocess
from enum import IntEnum

import pytest

import hafta
from hafta import EXIT, NORMAL, ROLLBACK
from hafta.diagram import edges
from hafta.policies import Attempts, FailSequence, On


class CP(IntEnum):
    CLEAR = 0
    RECEIVED = 1
    STORED = 2


class Step(IntEnum):
    EXIT = 0
    INIT = 1
    GET_WORK = 2


DOT = shutil.which("dot")  # where it is not installed, the small reader below stands in
INIT, GET_WORK = 1, 2
RETRIES = 2
NOTHING = 0

by_global = hafta.Sequence("by_global")


@by_global.node
def open_pipe(run):
    run.checkpoint(CP.CLEAR)
    run.checkpoint(CP.RECEIVED, retries=RETRIES, left=NOTHING)
    return read


@open_pipe.rollback
def _(run, checkpoint):
    return open_pipe if checkpoint == CP.STORED else None


@by_global.node
def read(run):
    return hafta.EXIT if run.data else read


def by_closure():
    sequence = hafta.Sequence("by_closure")

    @sequence.node
    def first(run):
        return second

    @sequence.node
    def second(run):
        if run.attempt == 0:
            return first
        return EXIT

    @second.rollback
    def _(run, checkpoint):
        return run.success(first)

    return sequence


def by_name():
    sequence = hafta.Sequence("by_name")
    sequence.node(name="first")(lambda run: "second")
    sequence.node(name="second")(lambda run: run.success(EXIT))
    return sequence


def init(run):
    if run.data > RETRIES:
        return run.fail(1)
    return run.success(GET_WORK)


def get_work(run):
    for left in range(RETRIES):
        run.checkpoint(left)
    return 0


def undo(run, checkpoint):
    return INIT if checkpoint == 2 else GET_WORK


def by_number():
    return hafta.Sequence.from_nodes(
        "by_number", [(INIT, NORMAL, init), (GET_WORK, NORMAL, get_work), (GET_WORK, ROLLBACK, undo)]
    )


def enum_init(run):
    run.checkpoint(CP.STORED)
    return Step.GET_WORK


def enum_get_work(run):
    return run.success(Step.EXIT)


def by_enum():
    return hafta.Sequence.from_nodes(
        "by_enum", [(Step.INIT, NORMAL, enum_init), (Step.GET_WORK, NORMAL, enum_get_work)]
    )


def to_previous(start, to):
    return to, start, "to previous"


def told(sequence, *labels):
    """The edges, of these labels or of all."""
    found = ((str(start), "EXIT" if to is EXIT else str(to), label) for start, to, label in edges(sequence))
    return {edge for edge in found if edge[2] in labels or not labels}


CASES = {
    "global": (lambda: by_global, {
        ("open_pipe", "read", "success"), ("open_pipe", "open_pipe", "rolled back"),
        ("read", "EXIT", "success"), ("read", "read", "success"), ("read", "read", "rolled back"),
        ("read", "open_pipe", "to previous"),
    }),
    "closure": (by_closure, {
        ("first", "second", "success"), ("first", "first", "rolled back"),
        ("second", "first", "success"), ("second", "EXIT", "success"), ("second", "first", "rolled back"),
        ("second", "first", "to previous"), ("first", "second", "to previous"),
    }),
    "name": (by_name, {
        ("first", "second", "success"), ("first", "first", "rolled back"),
        ("second", "EXIT", "success"), ("second", "second", "rolled back"), ("second", "first", "to previous"),
    }),
    "number": (by_number, {
        ("init", "get_work", "success"), ("init", "init", "rolled back"),
        ("get_work", "EXIT", "success"), ("get_work", "init", "rolled back"), ("get_work", "get_work", "rolled back"),
        ("get_work", "init", "to previous"),
    }),
    "enum": (by_enum, {
        ("init", "get_work", "success"), ("init", "init", "rolled back"),
        ("get_work", "EXIT", "success"), ("get_work", "get_work", "rolled back"), ("get_work", "init", "to previous"),
    }),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_edges_are_the_nodes_that_the_code_names_and_no_checkpoints_or_counts(case):
    make, expected = CASES[case]
    assert told(make()) == expected


def test_decorated_functions_methods_and_partials_are_looked_into():
    def logged(function):
        @functools.wraps(function)
        def wrapper(run):
            return function(run)

        return wrapper

    class Worker:
        def work(self, run):
            return "last"

    sequence = hafta.Sequence("wrapped")
    sequence.node(name="first")(logged(lambda run: "second"))
    sequence.node(name="second")(functools.partial(lambda run: "third"))
    sequence.node(name="third")(Worker().work)
    sequence.node(name="last")(print)
    assert told(sequence, "success") == {
        ("first", "second", "success"), ("second", "third", "success"), ("third", "last", "success"),
    }  # fmt: skip


def test_what_only_sounds_like_a_node_is_none():
    """Attributes of the same name, words for people, and nodes that are looked into or compared."""
    sequence = hafta.Sequence("sounds")

    @sequence.node
    def fetch(run):
        run.data.store("x")
        run.say("store")
        run.data.last = run.data.EXIT
        if run.node is store or store.name == "store":
            run.say(store.name)
        return fetch

    store = sequence.node(name="store")(lambda run: fetch)
    assert told(sequence, "success") == {("fetch", "fetch", "success"), ("store", "fetch", "success")}


class Worker:
    def __init__(self):
        self.sequence = hafta.Sequence("of_an_object")
        self.a = self.sequence.node(self.fetch)
        self.b = self.sequence.node(name="store")(self.store)

    def fetch(self, run):
        return self.b

    def store(self, run):
        return hafta.EXIT if run.attempt else run.success(self.a)


def test_nodes_that_an_object_holds_are_seen_in_its_methods():
    assert told(Worker().sequence, "success") == {
        ("fetch", "store", "success"), ("store", "fetch", "success"), ("store", "EXIT", "success"),
    }  # fmt: skip


def test_policies_lead_where_their_verdicts_do():
    sequence = hafta.Sequence("judged")
    fetch = sequence.node(name="fetch")(lambda run: store)
    attempts = Attempts(3, then=hafta.proceed(fetch)) | On(KeyError, hafta.EXIT)
    store = sequence.node(name="store", policy=attempts)(lambda run: fetch)
    check = sequence.node(name="check")(lambda run: fetch)

    @check.policy
    def _(run, event):
        if event.to is store:
            return hafta.proceed("fetch")
        return hafta.proceed(check) if run.attempt else hafta.default_policy(run, event)

    def mine(run, event):
        return hafta.EXIT

    sequence.node(name="last", policy=mine | FailSequence(OSError))(lambda run: fetch)
    assert told(sequence, "policy") == {
        ("store", "fetch", "policy"), ("store", "EXIT", "policy"),
        ("check", "fetch", "policy"), ("check", "check", "policy"), ("last", "EXIT", "policy"),
    }  # fmt: skip


LISTED = ["first"]


def test_truths_and_lists_are_no_nodes():
    sequence = hafta.Sequence("odd")
    sequence.node(name="first")(lambda run: True if LISTED else run.fail(False))
    assert told(sequence) == {("first", "first", "rolled back")}


def test_a_variable_that_is_not_bound_yet_leads_nowhere():
    sequence = hafta.Sequence("early")
    sequence.node(name="first")(lambda run: later)
    before = told(sequence)
    later = sequence.node(name="later")(lambda run: EXIT)
    assert before == {("first", "first", "rolled back")}
    assert ("first", "later", "success") in told(sequence)


MERMAID = """\
stateDiagram-v2
    state "open_pipe" as n1
    state "read" as n2
    [*] --> n1
    n1 --> n2: success
    n1 --> n1: rolled back
    n2 --> [*]: success
    n2 --> n2: success
    n2 --> n2: rolled back
    n2 --> n1: to previous
"""
GRAPHVIZ = """\
digraph "by_global" {
    start [shape=point]
    done [shape=doublecircle, label=exit]
    n1 [shape=box, style=rounded, label="open_pipe"]
    n2 [shape=box, style=rounded, label="read"]
    start -> n1
    n1 -> n2 [label="success", style=solid]
    n1 -> n1 [label="rolled back", style=dashed]
    n2 -> done [label="success", style=solid]
    n2 -> n2 [label="success", style=solid]
    n2 -> n2 [label="rolled back", style=dashed]
    n2 -> n1 [label="to previous", style=dashed]
}
"""


def test_the_texts_are_these_and_stay_the_same():
    for _ in range(2):
        assert by_global.diagram() == by_global.diagram("mermaid") == MERMAID
        assert by_global.diagram("graphviz") == GRAPHVIZ


FORMS = {  # the first and the last line, a node, an edge, and the ends that are not nodes
    "graphviz": (
        r'digraph "([^"\\]|\\.)*" \{', "}", r'    (\w+) \[\w+=\w+(, \w+=(\w+|"([^"\\]|\\.)*"))*\]',
        r'    (\w+) -> (\w+)( \[label="[\w ]+", style=(solid|dashed)\])?', set(),
    ),
    "mermaid": (
        "stateDiagram-v2", None, r'    state "[^"\n]*" as (\w+)',
        r"    (\w+|\[\*\]) --> (\w+|\[\*\])(: [\w ]+)?", {"[*]"},
    ),
}  # fmt: skip


def check_form(text, head, tail, node, edge, ends):
    """Read the small part of the language that is used here; any other line is an error."""
    first, *lines = text.splitlines()
    assert re.fullmatch(head, first)
    assert tail is None or lines.pop() == tail
    nodes, found = set(ends), set()
    for line in lines:
        if match := re.fullmatch(node, line):
            nodes.add(match[1])
        else:
            match = re.fullmatch(edge, line)
            assert match, line
            found |= {match[1], match[2]}
    assert found <= nodes


def strange():
    sequence = hafta.Sequence('a "strange" \\ name')
    sequence.node(name='say "hi" \\ ; --> [*]')(lambda run: EXIT)
    return sequence


@pytest.mark.parametrize("make", [make for make, _ in CASES.values()] + [strange, lambda: hafta.Sequence("empty")])
def test_both_texts_are_well_formed_and_name_only_nodes_that_are_declared(make):
    for form, rules in FORMS.items():
        check_form(make().diagram(form), *rules)
    if DOT is not None:
        read_by_graphviz_itself(make().diagram("graphviz"))


def read_by_graphviz_itself(text):
    done = subprocess.run([DOT, "-Tsvg"], input=text, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "<svg" in done.stdout


def test_another_form_is_refused():
    with pytest.raises(ValueError, match=r"^a diagram is one of mermaid, graphviz, not 'ascii'$"):
        by_global.diagram("ascii")
