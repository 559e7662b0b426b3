"""Records of another version of the program: docs/durable-rules.md, section 4."""

import pytest
from durable_support import Program, at

import hafta
from hafta.durable import codec
from hafta.errors import Orphaned, StoreError


def left_by(lives, *nodes, version="1"):
    """Let a process of an old version die in its last node."""
    first, last = nodes[0].rstrip("*"), nodes[-1]
    lives.die(Program(lives, *nodes, does={first: at(5, path="/a"), last: at(7, "die", n=1)}, version=version).sequence)
    lives.said.clear()


def new(lives, *nodes, answer=None, version="2", **does):
    """Return the program of a new version, whose orphaned function, if it has one, writes down that it is asked."""
    program = Program(lives, *nodes, does=does, version=version)
    if answer is not None:
        program.sequence.orphaned(lambda _run, _event: (lives.said.append(("asked",)), answer)[1])
    return program


def refused(lives, program):
    with pytest.raises(Orphaned) as caught:
        lives.run(program.sequence)
    return caught.value


def test_another_version_is_refused_says_what_was_recorded_and_the_record_stays(lives):
    left_by(lives, "first", "second")
    error = refused(lives, new(lives, "first", "second"))
    assert error.message == "sequence steps cannot resume: it was in node second of version 1; this is version 2"
    assert error.hint == (
        "go back to the old version and let it finish; or decide with @sequence.orphaned; or look at the record and"
        " discard it: hafta checkpoints"
    )
    assert (error.position.node, error.position.checkpoint, error.position.state) == ("second", 7, {"n": 1})
    assert lives.said == []
    assert lives.run(new(lives, "first", "second", version="1").sequence)
    assert ("undo second", 7, {"n": 1}) in lives.said


@pytest.mark.parametrize(
    ("old", "version", "nodes", "message", "missing"),
    [
        ("", "2", ("first", "second"), "of version (none); this is version 2", []),
        ("1", "1", ("second", "third"), "this version has no node first", ["first"]),
        ("1", "1", ("first", "third"), "this version has no node second", ["second"]),
    ],
)
def test_a_version_against_none_and_a_missing_node_are_refused_and_named(lives, old, version, nodes, message, missing):
    left_by(lives, "first", "second", version=old)
    error = refused(lives, new(lives, *nodes, version=version))
    assert message in error.message
    assert error.missing == missing


def test_a_node_that_an_unwinding_leads_to_is_not_missed_too_late(lives):
    does = {"first": "fail", "ask first": hafta.proceed("repair"), "undo first": "die"}
    lives.die(Program(lives, "first?", "repair", does=does).sequence)
    assert refused(lives, Program(lives, "first")).missing == ["repair"]


def test_new_and_changed_nodes_are_no_other_version(lives):
    left_by(lives, "first", "second")
    assert lives.run(new(lives, "zeroth", "first*", "second", "third", version="1").sequence)
    assert lives.said[0] == ("undo second", 7, {"n": 1})


GO, FAIL = hafta.proceed("second"), hafta.FAIL_SEQUENCE


@pytest.mark.parametrize(
    ("old", "nodes", "does", "answer", "told"),
    [
        ("first* second", "first* other", {}, hafta.proceed("other"), "asked, other 0"),
        ("first gone second", "first second", {}, GO, "asked, first 0, second 0"),
        (
            "first* second", "first* second", {"second": ["fail"] * 5}, GO,
            "asked" + "".join(f", second {n}, undo second 0 {{}}" for n in range(5))
            + ", undo first 5 path='/a', first 0, second 0",
        ),
        ("first second", "first", {}, hafta.EXIT, "asked"),
        ("first second", "first", {}, FAIL, "asked"),
    ],
    ids=["proceed", "local nodes that are there run again before", "visited nodes are rolled back to", "exit", "fail"],
)  # fmt: skip
def test_the_programs_own_function_decides(lives, old, nodes, does, answer, told):
    left_by(lives, *old.split())
    result = lives.run(
        new(lives, *nodes.split(), answer=answer, version="1" if "gone" in old else "2", **does).sequence
    )
    assert (lives.told, result.ok) == (told, answer is not FAIL)
    assert result.ok or isinstance(result.reason, Orphaned)
    assert lives.record("steps") == ()


def test_what_was_decided_holds_for_the_next_process(lives):
    left_by(lives, "first*", "second")
    program = new(lives, "first*", "second", answer=GO, second=at(3, "die"))
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert lives.told == "asked, second 0, undo second 3 {}, second 1"


def test_panic_ends_the_process_and_the_record_stays(lives):
    left_by(lives, "first", "second")
    lives.ends(new(lives, "first", answer=hafta.PANIC).sequence, "panic")
    assert lives.record("steps")[0].version == "1"


@pytest.mark.parametrize("answer", [None, "first", hafta.ROLL_BACK_CURRENT, hafta.ROLL_BACK_PREVIOUS])
def test_any_other_answer_is_a_mistake_of_the_program(lives, answer):
    left_by(lives, "first", "second")
    program = new(lives, "first")
    program.sequence.orphaned(lambda run, event: answer)
    with pytest.raises(hafta.IllegalMove, match="the orphaned function answered") as caught:
        lives.run(program.sequence)
    assert caught.value.hint == "answer proceed(node), EXIT, FAIL_SEQUENCE or PANIC"
    assert lives.record("steps")[0].version == "1"


def nested(lives, version="2", *, node="put"):
    inner = Program(lives, node, name="inner", version=version)
    return Program(lives, "load", name="outer", inner=inner, does={"load": ["call"] * 3})


@pytest.fixture
def left_inside(lives):
    """A process of version 1 has died in the inner sequence. Return its program, which no longer dies."""
    old = nested(lives, "1")
    old.inner.say("put", at(7, "die"))
    lives.die(old.sequence)
    lives.said.clear()
    return old


def test_an_inner_sequence_of_another_version_is_no_failure_of_the_outer_node_however_often(lives, left_inside):
    for _ in range(6):
        lives.said.clear()
        error = refused(lives, nested(lives))
        assert error.message == "sequence inner cannot resume: it was in node put of version 1; this is version 2"
        assert lives.told == "load 0"
        assert [level.sequence for level in lives.record("outer")] == ["outer", "inner"]
    lives.said.clear()
    assert lives.run(left_inside.sequence)
    assert lives.told == "load 0, undo put 7 {}, put 1"


def test_the_inner_sequences_own_function_decides_about_it(lives, left_inside):
    outer = nested(lives, node="store")
    outer.inner.sequence.orphaned(lambda run, event: hafta.proceed("store"))
    assert lives.run(outer.sequence)
    assert lives.told == "load 0, store 0"


@pytest.mark.parametrize("how", ["return", "fail", "raise"])
def test_a_node_that_swallows_it_does_not_go_on_past_it(lives, left_inside, how):
    outer = nested(lives)

    def swallow(run):
        try:
            run.call(outer.inner.sequence)
        except Orphaned as error:
            if how == "raise":
                raise ValueError("something else") from error
        return run.fail("something else") if how == "fail" else hafta.EXIT

    outer.does["load"] = [swallow]
    refused(lives, outer)
    assert lives.told == "load 0"
    assert [level.node for level in lives.record("outer")] == ["load", "put"]


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])
def test_what_an_inner_orphaned_function_raises_is_no_failure_of_the_outer_node(lives, left_inside, raised):
    outer = nested(lives)

    @outer.inner.sequence.orphaned
    def decide(run, event):
        raise raised

    with pytest.raises(raised):
        lives.run(outer.sequence)
    assert lives.run(left_inside.sequence)
    assert lives.told == "load 0, load 0, undo put 7 {}, put 1"


def test_a_record_of_another_format_is_refused_before_anything_runs_or_left_alone(lives, left_inside, monkeypatch):
    before = lives.record("outer")
    monkeypatch.setattr(codec.origin, "FORMATS", (3, 4))
    with pytest.raises(StoreError, match="the record has format 2, and this program reads 3 to 4") as caught:
        lives.run(left_inside.sequence)
    assert (caught.value.kind, lives.said) == ("format", [])
    assert lives.run(left_inside.sequence, on_error="go on")
    monkeypatch.undo()
    assert lives.told == "load 0, put 0"
    assert lives.record("outer") == before


@pytest.mark.parametrize(
    ("answer", "told"),
    [(hafta.proceed("first"), "proceed to first"), (hafta.EXIT, "exit"), (hafta.FAIL_SEQUENCE, "fail sequence")],
)
def test_the_decision_is_reported_with_what_was_recorded(lives, answer, told):
    left_by(lives, "first", "second")
    result = lives.run(new(lives, "first", answer=answer).sequence)
    (event,) = lives.events("orphan-decided")
    assert (event.sequence, event.node, event.version, event.missing) == ("steps", "second", "1", "second")
    assert (event.verdict, "this is version 2" in event.reason) == (told, True)
    if answer is FAIL:
        assert (result.node, lives.events("sequence-failed")[0].node) == ("second", "second")


def test_the_function_sees_where_the_record_stood_and_may_do_what_a_node_may(lives):
    left_by(lives, "first", "second")
    program = new(lives, "first")
    helper = Program(lives, "help", name="helper", does={"help": at(1, x=2)})

    @program.sequence.orphaned
    def decide(run, event):
        assert (event.kind, type(event.reason)) == (hafta.ORPHANED, Orphaned)
        assert (event.checkpoint, event.state, event.attempt) == (7, {"n": 1}, 0)
        lives.said.append((run.node.name, event.node.name, run.recorded, run.state, run.attempt))
        run.checkpoint(8, y=3)
        run.call(helper.sequence)
        lives.said.append((lives.record("steps")[0].checkpoint,))
        return hafta.proceed("first")

    assert lives.run(program.sequence)
    assert lives.told == "second second 7 n=1 0, help 0, 7, first 0"
