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


def test_five_starts_of_the_wrong_version_change_nothing_of_a_nested_record(lives):
    inner, outer = nested(lives, "1")
    inner.say("put", at(7, "die"))
    lives.die(outer.sequence)
    for _ in range(6):
        inner, outer = nested(lives, "2")
        refused(lives, outer)
    inner, outer = nested(lives, "1")
    lives.said.clear()
    assert lives.run(outer.sequence)
    assert lives.said == [("load", 0), ("undo put", 7, {}), ("put", 1)]


@pytest.mark.parametrize("how", ["return", "fail", "raise"])
def test_a_node_that_swallows_it_does_not_go_on_past_it(lives, how):
    inner, outer = nested(lives, "1")
    inner.say("put", at(7, "die"))
    lives.die(outer.sequence)
    inner, outer = nested(lives, "2")

    def swallow(run):
        try:
            run.call(inner.sequence)
        except Orphaned as error:
            if how == "raise":
                raise ValueError("something else") from error
        return run.fail("something else") if how == "fail" else hafta.EXIT

    outer.does.clear()
    lives.said.clear()
    refused(lives, outer.say("load", swallow))
    assert lives.said == [("load", 0)]
    assert [level.node for level in lives.record("outer")] == ["load", "put"]


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])
def test_what_an_inner_orphaned_function_raises_is_no_failure_of_the_outer_node(lives, raised):
    inner, outer = nested(lives, "1")
    inner.say("put", at(7, "die"))
    lives.die(outer.sequence)
    lives.said.clear()
    inner, outer = nested(lives, "2")

    @inner.sequence.orphaned
    def decide(run, event):
        raise raised

    with pytest.raises(raised):
        lives.run(outer.sequence)
    assert lives.said == [("load", 0)]
    _, outer = nested(lives, "1")
    assert lives.run(outer.sequence)
    assert lives.said == [("load", 0), ("load", 0), ("undo put", 7, {}), ("put", 1)]


@pytest.mark.parametrize("depth", [0, 1], ids=["outermost", "inner"])
def test_a_word_of_a_newer_program_anywhere_is_refused_before_anything_runs_or_left_alone(lives, depth):
    inner, outer = nested(lives, "1")
    inner.say("put", at(7, "die"))
    lives.die(outer.sequence)
    lives.said.clear()
    with lives.store.claim("outer") as claim:
        found = codec.position(claim.last.frame, claim.last.body)
        levels = list(found.levels)
        levels[depth] = levels[depth].replace(phase="hovering")
        claim.enter(codec.frame(found.replace(levels=tuple(levels))))
        claim.write(claim.last.body)
    before = lives.record("outer")
    with pytest.raises(StoreError, match="which this program does not know") as caught:
        lives.run(outer.sequence)
    assert (caught.value.kind, lives.said) == ("newer", [])
    assert lives.run(outer.sequence, on_store_error="go on")
    assert lives.said == [("load", 0), ("put", 0)]
    assert lives.record("outer") == before


@pytest.mark.parametrize(
    ("answer", "told"),
    [(hafta.proceed("first"), "proceed to first"), (hafta.EXIT, "exit"), (hafta.FAIL_SEQUENCE, "fail sequence")],
)
def test_the_decision_is_reported_with_what_was_recorded(lives, answer, told):
    left_by(lives, "first", "second")
    new = Program(lives, "first", version="2")
    new.sequence.orphaned(lambda run, event: answer)
    result = lives.run(new.sequence, instance="")
    (event,) = lives.events("orphan-decided")
    assert (event.sequence, event.node, event.version, event.missing) == ("steps", "second", "1", "second")
    assert (event.verdict, "this is version 2" in event.reason) == (told, True)
    if answer is hafta.FAIL_SEQUENCE:
        assert (result.node, lives.events("sequence-failed")[0].node) == ("second", "second")


def test_the_function_sees_where_the_record_stood_and_may_do_what_a_node_may(lives):
    left_by(lives, "first", "second")
    new = Program(lives, "first", version="2")
    helper = Program(lives, "help", name="helper").say("help", at(1, x=2))

    @new.sequence.orphaned
    def decide(run, event):
        lives.said.append((run.node.name, event.node.name, run.recorded, run.state, run.attempt))
        run.checkpoint(8, y=3)
        run.call(helper.sequence)
        lives.said.append(lives.record("steps")[0].checkpoint)
        return hafta.proceed("first")

    assert lives.run(new.sequence)
    assert lives.said == [("second", "second", 7, {"n": 1}, 0), ("help", 0), 7, ("first", 0)]


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
