"""What can be recorded, and how what cannot is named: docs/durable-rules.md, section 5."""

import re
from contextlib import suppress

import pytest
from durable_support import Died, Program, at, claimed_or_held

import hafta
from hafta.errors import StoreError
from hafta.stores import FileStore, MemoryStore


@pytest.mark.parametrize(
    ("number", "state", "kind", "message"),
    [
        (1, {"handle": object()}, "value", "handle: a value of type object cannot be recorded"),
        (1, {"deep": {"inside": {1, 2}}}, "value", "deep.inside: a value of type set cannot be recorded"),
        (1, {"many": {1: 2}}, "value", "many: the key 1 is not a str"),
        (1, {"small": 1, "contents": "x" * 5000}, "too-large", "the largest is 'contents' with 5005"),
        (2**70, {}, "value", f"checkpoint {2**70} does not fit into 64 bits"),
    ],
)
def test_what_cannot_be_recorded_is_named_and_is_no_failure_of_the_node(lives, number, state, kind, message):
    error = lives.refused(Program(lives, "work", does={"work": at(number, **state)}), on_error="go on")
    assert (error.kind, lives.told) == (kind, "work 0")
    assert message in error.message
    assert error.message == message or kind == "too-large" or not state


def test_a_state_for_which_visited_nodes_leave_no_room_says_so(lives):
    nodes = [f"node{n}" for n in range(20)]
    error = lives.refused(Program(lives, *nodes, does={node: at(1, path=node * 60) for node in nodes}, name="many"))
    assert error.kind == "too-large"
    assert "the largest is 'path' with" in error.message
    assert "where the sequence stands takes" in error.message
    assert "record less" in error.hint


def test_states_that_are_too_large_together_name_the_largest_of_all_nodes(lives):
    inner = Program(lives, *[f"a_node_{n:03}" for n in range(80)], name="inner")
    does = {"first": at(1, n=1, path="x" * 3000), "second": [lambda run: run.call(inner.sequence)]}
    error = lives.refused(Program(lives, "first", "second", name="s", does=does), on_error="go on")
    assert error.kind == "too-large"
    assert "with the states of all visited nodes" in error.message
    assert "most is for the state 'path' of node first: 3005" in error.message
    assert "record less" in error.hint


@pytest.mark.parametrize("policy", [hafta.ROLL_BACK_CURRENT, hafta.ROLL_BACK_PREVIOUS, hafta.FAIL_SEQUENCE])
def test_the_largest_state_that_may_be_recorded_fits_also_while_it_is_rolled_back_and_after_a_death_there(policy):
    undone = []

    def live(store, size):
        sequence = hafta.Sequence("s")
        sequence.node(lambda run: "a_node_of_a_very_long_name", name="first")

        @sequence.node(name="a_node_of_a_very_long_name", policy=lambda run, event: policy)
        def work(run):
            run.checkpoint(1, fits=bytes(size))
            raise Died

        @work.rollback
        def undo(run, checkpoint):
            undone.append(len(run.state["fits"]))
            raise Died

        with pytest.raises(Died):
            sequence.call(checkpoints=hafta.Checkpoints(store))

    for size in range(1000, 0, -1):
        store = MemoryStore(capacity=1000)
        with suppress(StoreError):
            live(store, size)
            break
    for _ in range(2):
        live(store, size)
    assert undone == [size] * 2


def test_a_sequence_of_very_many_nodes_can_be_recorded_and_too_many_are_told(lives):
    many, too_many = (Program(lives, *[f"a_node_{n:03}" for n in range(count)], name="many") for count in (150, 300))
    assert lives.run(many.sequence)
    error = lives.refused(too_many)
    assert error.kind == "too-large"
    assert "most is for the names of the 300 nodes of sequence many: 4505" in error.message


@pytest.mark.parametrize("held", [False, True], ids=["claimed", "held"])
@pytest.mark.parametrize("state", [{}, {"contents": "x" * 3000}], ids=["position", "state"])
def test_a_hint_says_how_this_very_store_has_more_room(lives, held, state):
    nodes = [f"a_node_{n:03}" for n in range(300 if not state else 100)]
    with claimed_or_held(lives.store, held) as store:
        error = lives.refused(Program(lives, *nodes, does={"a_node_000": at(1, **state)}), store=store)
    files = "discard the record, because its size cannot change, and make the store with a larger slot_size"
    memory = "or make the store with a larger capacity"
    assert error.hint.endswith(files if isinstance(lives.store, FileStore) else memory)


def test_a_kept_value_that_cannot_be_recorded_is_named_as_the_caller_knows_it(lives):
    assert (
        "most is for the kept value 'records'"
        in lives.refused(Program(lives, "work"), keep={"records": "x" * 5000}).message
    )


def test_every_value_that_can_be_recorded_comes_back(lives):
    state = {
        "none": None, "yes": True, "no": False, "int": -5, "large": 2**100, "float": 0.1, "text": "ä\0\ud800",
        "bytes": bytes(range(256)), "list": [1, [2, "x"]], "tuple": (1, ("x", [])), "dict": {"a": {"b": [None]}}, "": 1,
    }  # fmt: skip
    program = Program(lives, "work", does={"work": at(1, "die", **state)})
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert lives.said[1] == ("undo work", 1, state)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"level": "disk"}, ValueError, 'level is "process" or "power", not \'disk\''),
        ({"on_error": "ignore"}, ValueError, 'on_error is "fail", "go on" or a function, not \'ignore\''),
        ({"level": ["power"]}, ValueError, 'level is "process" or "power", not [\'power\']'),
        ({"on_error": {"go on": 1}}, ValueError, 'on_error is "fail", "go on" or a function, not'),
        ({"store": "dir"}, TypeError, "such as hafta.stores.FileStore(), not 'dir'"),
        ({"store": FileStore}, TypeError, "hafta.stores.FileStore(), not <class 'hafta.stores.file.files.FileStore'>"),
        ({"instance": 5}, TypeError, "instance is a name (a str), not 5"),
        ({"keep": {1: 2}}, TypeError, "keep is a dict of values by their names (each a str), not {1: 2}"),
        ({"keep": ["n"]}, TypeError, "keep is a dict of values by their names (each a str), not ['n']"),
    ],
)
def test_what_is_of_no_use_is_named_before_anything_runs(lives, given, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        lives.run(Program(lives, "work").sequence, **given)
    assert lives.said == []
