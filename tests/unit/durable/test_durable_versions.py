"""Records of another version of the program: docs/durable.md, section 4."""

import pytest
from durable_support import Program, at

import hafta
from hafta.errors import Orphaned, StoreError
from hafta.stores import codec
from hafta.testing import ProcessEnded


def left_by(lives, *nodes, version="1", **options):
    """Let a process of an old version die in its last node."""
    old = (
        Program(lives, *nodes, version=version, **options)
        .say(nodes[0], at(5, path="/a"))
        .say(nodes[-1], at(7, "die", n=1))
    )
    lives.die(old.sequence)
    lives.said.clear()


def refused(lives, program):
    with pytest.raises(Orphaned) as caught:
        lives.run(program.sequence)
    return caught.value


def test_another_version_is_refused_says_what_was_recorded_and_the_record_stays(lives):
    left_by(lives, "first", "second")
    error = refused(lives, Program(lives, "first", "second", version="2"))
    assert error.message == "sequence steps cannot resume: it was in node second of version 1; this is version 2"
    assert error.hint == (
        "go back to the old version and let it finish; or decide with @sequence.orphaned; or look at the record and"
        " discard it: hafta checkpoints"
    )
    assert (error.level.node, error.level.checkpoint, error.level.state) == ("second", 7, {"n": 1})
    assert lives.said == []
    assert lives.run(Program(lives, "first", "second", version="1").sequence)
    assert ("undo second", 7, {"n": 1}) in lives.said


def test_a_version_against_none_is_another_version(lives):
    left_by(lives, "first", "second", version="")
    error = refused(lives, Program(lives, "first", "second", version="2"))
    assert "of version (none); this is version 2" in error.message


@pytest.mark.parametrize("gone", ["first", "second"])
def test_a_missing_node_is_refused_and_named(lives, gone):
    left_by(lives, "first", "second")
    nodes = [node for node in ("first", "second", "third") if node != gone]
    error = refused(lives, Program(lives, *nodes, version="1"))
    assert error.missing == [gone]
    assert f"there is no node {gone} any more" in error.message


def test_a_node_that_an_unwinding_leads_to_is_not_missed_too_late(lives):
    old = Program(lives, "first", "repair", policies=("first",))
    old.say("first", "fail").say("first", hafta.proceed("repair"), function="policy")
    old.say("first", "die", function="rollback")
    lives.die(old.sequence)
    error = refused(lives, Program(lives, "first"))
    assert error.missing == ["repair"]


def test_new_and_changed_nodes_are_no_other_version(lives):
    left_by(lives, "first", "second")
    assert lives.run(Program(lives, "zeroth", "first", "second", "third", version="1", durable=("first",)).sequence)
    assert lives.said[0] == ("undo second", 7, {"n": 1})


def test_the_programs_own_function_proceeds_to_a_node(lives):
    left_by(lives, "first", "second", durable=("first",))
    new = Program(lives, "first", "other", version="2", durable=("first",))
    events = []

    @new.sequence.orphaned
    def decide(run, event):
        events.append(event)
        return hafta.proceed("other")

    assert lives.run(new.sequence)
    assert lives.said == [("other", 0)]
    (event,) = events
    assert event.kind is hafta.ORPHANED
    assert isinstance(event.reason, Orphaned)
    assert (event.checkpoint, event.state, event.attempt) == (7, {"n": 1}, 0)


def test_it_may_use_the_state_that_was_recorded(lives):
    left_by(lives, "first", "second")
    new = Program(lives, "only", version="2")
    new.sequence.orphaned(lambda run, event: (lives.said.append(event.state), hafta.proceed("only"))[1])
    assert lives.run(new.sequence)
    assert lives.said == [{"n": 1}, ("only", 0)]


def test_process_local_nodes_that_are_still_there_are_taken_up_before(lives):
    left_by(lives, "first", "gone", "second")
    new = Program(lives, "first", "second", version="1")
    new.sequence.orphaned(lambda run, event: hafta.proceed("second"))
    assert lives.run(new.sequence)
    assert lives.said == [("first", 0), ("second", 0)]


def test_nodes_on_the_stack_that_are_still_there_are_rolled_back_to(lives):
    left_by(lives, "first", "second", durable=("first",))
    new = Program(lives, "first", "second", version="2", durable=("first",)).say("second", *["fail"] * 5)
    new.sequence.orphaned(lambda run, event: hafta.proceed("second"))
    assert lives.run(new.sequence)
    assert ("undo first", 5, {"path": "/a"}) in lives.said


def test_what_was_decided_holds_for_the_next_process(lives):
    left_by(lives, "first", "second", durable=("first",))
    new = Program(lives, "first", "second", version="2", durable=("first",)).say("second", at(3, "die"))
    asked = []
    new.sequence.orphaned(lambda run, event: (asked.append(1), hafta.proceed("second"))[1])
    lives.die(new.sequence)
    assert lives.run(new.sequence)
    assert asked == [1]
    assert lives.said == [("second", 0), ("undo second", 3, {}), ("second", 1)]


def test_exit_ends_it_and_the_record(lives):
    left_by(lives, "first", "second")
    new = Program(lives, "first", version="2")
    new.sequence.orphaned(lambda run, event: hafta.EXIT)
    assert lives.run(new.sequence)
    assert lives.said == []
    assert lives.record("steps") == ()


def test_fail_ends_it_with_the_reason(lives):
    left_by(lives, "first", "second")
    new = Program(lives, "first", version="2")
    new.sequence.orphaned(lambda run, event: hafta.FAIL_SEQUENCE)
    result = lives.run(new.sequence)
    assert not result
    assert isinstance(result.reason, Orphaned)
    assert lives.said == []
    assert lives.record("steps") == ()


def test_panic_ends_the_process_and_the_record_stays(lives):
    left_by(lives, "first", "second")
    new = Program(lives, "first", version="2")
    new.sequence.orphaned(lambda run, event: hafta.PANIC)
    with pytest.raises(ProcessEnded):
        lives.run(new.sequence)
    assert lives.record("steps")[0].version == "1"


@pytest.mark.parametrize("answer", [None, "first", hafta.ROLL_BACK_CURRENT, hafta.ROLL_BACK_PREVIOUS])
def test_any_other_answer_is_a_mistake_of_the_program(lives, answer):
    left_by(lives, "first", "second")
    new = Program(lives, "first", version="2")
    new.sequence.orphaned(lambda run, event: answer)
    with pytest.raises(hafta.IllegalMove, match="the orphaned function of sequence steps answered") as caught:
        lives.run(new.sequence)
    assert caught.value.hint == "answer proceed(node), EXIT, FAIL_SEQUENCE or PANIC"
    assert lives.record("steps")[0].version == "1"
    assert lives.store.claim("steps").last is not None


def nested(lives, version, *, inner_node="put"):
    inner = Program(lives, inner_node, name="inner", version=version)
    outer = Program(lives, "load", name="outer")
    outer.say("load", *[lambda run: run.call(inner.sequence) and None] * 3)
    return inner, outer


def test_an_inner_sequence_of_another_version_is_no_failure_of_the_outer_node(lives):
    inner, outer = nested(lives, "1")
    inner.say("put", at(7, "die"))
    lives.die(outer.sequence)
    lives.said.clear()
    _, outer = nested(lives, "2")
    error = refused(lives, outer)
    assert error.message == "sequence inner cannot resume: it was in node put of version 1; this is version 2"
    assert lives.said == [("load", 0)]
    assert [level.sequence for level in lives.record("outer")] == ["outer", "inner"]


def test_the_inner_sequences_own_function_decides_about_it(lives):
    inner, outer = nested(lives, "1")
    inner.say("put", at(7, "die"))
    lives.die(outer.sequence)
    lives.said.clear()
    inner, outer = nested(lives, "2", inner_node="store")
    inner.sequence.orphaned(lambda run, event: hafta.proceed("store"))
    assert lives.run(outer.sequence)
    assert lives.said == [("load", 0), ("store", 0)]


@pytest.mark.parametrize("phase", ["hovering", "unwind", "unwind x PROCEED a", "taking-up", "again no normal", ""])
def test_words_of_a_newer_program_are_refused_not_guessed(lives, phase):
    program = Program(lives, "work")
    level = codec.Level("steps", "", ("work",), "work", phase)
    with lives.store.claim("steps") as claim:
        claim.enter(codec.frame(codec.Position((level,), 0.0, 0.0, "", 1)))
        claim.write(codec.body(0, {}, 1000))
    with pytest.raises(StoreError, match="which this program does not know") as caught:
        lives.run(program.sequence)
    assert caught.value.kind == "newer"
    assert lives.said == []
