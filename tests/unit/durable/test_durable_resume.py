"""What the next process does with what a dead one had begun: docs/durable.md, section 2."""

import pytest
from durable_support import Died, Program, at

import hafta
from hafta.drivers.resume import Interrupted
from hafta.engine.machine import Machine, Phase
from hafta.engine.place import Place, give_up, resume
from hafta.stores import codec
from hafta.testing import ProcessEnded


def test_the_rollback_function_runs_with_the_last_checkpoint_and_state_that_were_recorded(lives):
    program = Program(lives, "work")
    program.say("work", lambda run: (run.checkpoint(1, path="/a"), run.checkpoint(2, offset=7), _die())[0])
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert lives.said == [("work", 0), ("undo work", 2, {"path": "/a", "offset": 7}), ("work", 1)]


def _die():
    raise Died


def test_each_death_is_one_more_failure_in_a_row(lives):
    program = Program(lives, "work").say("work", "fail", "die", "fail", "die")
    lives.die(program.sequence)
    lives.die(program.sequence)
    result = lives.run(program.sequence)
    assert [said for said in lives.said if said[0] == "work"] == [("work", n) for n in range(5)]
    assert result
    assert [failure.kind.name for failure in result.history] == ["INTERRUPTED"]


def test_the_fifth_death_in_a_row_goes_back_to_the_previous_node(lives):
    program = Program(lives, "first", "second", durable=("first",))
    program.say("first", at(3, path="/a")).say("second", *[at(1, "die")] * 5)
    for _ in range(5):
        lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [
        ("undo second", 1, {}), ("undo first", 3, {"path": "/a"}), ("first", 0), ("second", 0),
    ]  # fmt: skip


def test_a_first_node_that_kills_five_processes_fails_the_sequence(lives):
    program = Program(lives, "work").say("work", *["die"] * 9)
    for _ in range(5):
        lives.die(program.sequence)
    result = lives.run(program.sequence)
    assert not result
    assert isinstance(result.reason, Interrupted)
    assert result.attempt == 5
    assert "process" in str(result)
    assert "died in it" in str(result)
    assert lives.record("steps") == ()


def test_a_policy_is_asked_with_interrupted_and_has_its_way(lives):
    program = Program(lives, "work", "repair", policies=("work",))
    program.say("work", at(1, "die")).say("work", hafta.proceed("repair"), function="policy")
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert lives.said == [("work", 0), ("ask work", "INTERRUPTED", 1), ("undo work", 1, {}), ("repair", 0)]


def test_the_event_carries_who_died_and_how_long_ago(lives):
    seen = []
    program = Program(lives, "work").say("work", at(4, "die", step=3))
    program.sequence.nodes["work"].policy(lambda run, event: (seen.append(event), hafta.default_policy(run, event))[1])
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    event = seen[0]
    assert (event.kind, event.attempt, event.checkpoint, event.state) == (hafta.INTERRUPTED, 1, 4, {"step": 3})
    assert event.reason.pid > 0
    assert 0 <= event.reason.age < 60
    assert event.failures == event.history
    assert [failure.kind for failure in event.failures] == [hafta.INTERRUPTED]


def test_fail_the_sequence_is_an_answer_to_a_death_and_rolls_back_first(lives):
    program = Program(lives, "work", policies=("work",)).say("work", at(1, "die"))
    program.say("work", hafta.FAIL_SEQUENCE, function="policy")
    lives.die(program.sequence)
    assert not lives.run(program.sequence)
    assert lives.said == [("work", 0), ("ask work", "INTERRUPTED", 1), ("undo work", 1, {})]
    assert lives.record("steps") == ()


def test_a_policy_that_panics_at_each_death_is_asked_with_a_growing_count(lives):
    program = Program(lives, "work", policies=("work",)).say("work", "die")
    program.say("work", *[hafta.PANIC] * 3, function="policy")
    lives.die(program.sequence)
    for _ in range(3):
        with pytest.raises(ProcessEnded):
            lives.run(program.sequence)
    assert lives.run(program.sequence)
    asked = [said for said in lives.said if said[0] == "ask work" and said[1] == "INTERRUPTED"]
    assert asked == [("ask work", "INTERRUPTED", n) for n in (1, 2, 3, 4)]


def test_a_policy_that_kills_its_process_is_counted_too(lives):
    program = Program(lives, "work", policies=("work",)).say("work", "die")
    program.say("work", *["die"] * 3, function="policy")
    for _ in range(4):
        lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert ("ask work", "INTERRUPTED", 4) in lives.said


def test_died_between_nodes_nothing_is_rolled_back(lives):
    program = Program(lives, "first", "second", durable=("first",))

    def delayed(run, event):
        verdict = hafta.default_policy(run, event)
        return verdict.after(5) if event.kind is hafta.NORMAL_SUCCESS else verdict

    program.sequence.nodes["first"].policy(delayed)
    lives.run_until_it_sleeps(program.sequence)
    assert [level.phase for level in lives.record("steps")] == ["between"]
    assert lives.run(program.sequence)
    assert lives.said == [("first", 0), ("second", 0)]


def test_died_between_failures_the_count_goes_on(lives):
    program = Program(lives, "work").say("work", "fail", "fail")

    def delayed(run, event):
        verdict = hafta.default_policy(run, event)
        return verdict.after(5) if event.kind is hafta.ROLLBACK_SUCCESS and event.attempt == 2 else verdict

    program.sequence.nodes["work"].policy(delayed)
    lives.run_until_it_sleeps(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("work", 2)]


def test_died_in_a_rollback_function_it_runs_again_with_the_checkpoint_that_it_had_reached(lives):
    program = (
        Program(lives, "work").say("work", at(5, "fail", path="/a")).say("work", at(4, "die"), function="rollback")
    )
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert lives.said == [
        ("work", 0), ("undo work", 5, {"path": "/a"}), ("undo work", 4, {"path": "/a"}), ("work", 2),
    ]  # fmt: skip


def test_died_in_a_rollback_function_it_runs_again_whatever_the_verdict(lives):
    """What it had begun to undo is not undone yet: neither the last attempt nor another policy leaves it half done."""
    program = Program(lives, "first", "work", durable=("first",), policies=("work",)).say("first", at(9))
    program.say("work", at(5, "fail")).say("work", "die", function="rollback")
    program.say("work", None, hafta.ROLL_BACK_PREVIOUS, function="policy")
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said[:3] == [("ask work", "INTERRUPTED", 2), ("undo work", 5, {}), ("undo first", 9, {})]


def test_died_in_the_rollback_function_of_the_last_attempt_it_runs_again(lives):
    program = Program(lives, "first", "work", durable=("first",)).say("first", at(9))
    program.say("work", *[at(5, "fail")] * 4).say("work", None, None, None, "die", function="rollback")
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said[:2] == [("undo work", 5, {}), ("undo first", 9, {})]


def test_a_rollback_function_that_kills_every_process_is_given_up(lives):
    program = Program(lives, "first", "work", durable=("first",)).say("first", at(9))
    program.say("work", at(5, "fail")).say("work", *["die"] * 20, function="rollback")
    deaths = 0
    while ("undo first", 9, {}) not in lives.said:
        try:
            assert lives.run(program.sequence)
        except Died:
            deaths += 1
        assert deaths < 20
    assert (
        deaths == 4 + 5
    )  # the failure before them makes the four to five; then five more on the way to the previous node


def test_died_while_unwinding_the_function_runs_again_and_no_policy_is_asked(lives):
    program = Program(lives, "first", "work", durable=("first",), policies=("work",)).say("first", at(9))
    program.say("work", at(5, "fail")).say("work", hafta.ROLL_BACK_PREVIOUS, function="policy")
    program.say("work", at(6, "die"), function="rollback")
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said[:2] == [("undo work", 6, {}), ("undo first", 9, {})]


def test_died_while_unwinding_towards_another_node_that_node_comes_next(lives):
    program = Program(lives, "work", "repair it", policies=("work",))
    program.say("work", "fail").say("work", hafta.proceed("repair it"), function="policy")
    program.say("work", "die", function="rollback")
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("undo work", 0, {}), ("repair it", 0)]


def test_unwinding_towards_a_node_by_its_number_is_resumed(lives):
    def normal(run):
        lives.said.append("one")
        return run.fail("no")

    def policy(run, event):
        return hafta.proceed(2) if event.kind is hafta.NORMAL_FAIL else hafta.default_policy(run, event)

    def rollback(run, checkpoint):
        lives.said.append("undo")
        if lives.said.count("undo") == 1:
            raise Died

    def two(run):
        lives.said.append("two")
        return hafta.EXIT

    function = hafta.Function
    nodes = [(1, function.NORMAL, normal), (1, function.POLICY, policy), (1, function.ROLLBACK, rollback)]
    sequence = hafta.Sequence.from_nodes("numbered", [*nodes, (2, function.NORMAL, two)])
    lives.die(sequence)
    assert lives.run(sequence)
    assert lives.said == ["one", "undo", "undo", "two"]


def test_an_unwinding_that_kills_five_processes_is_given_up(lives):
    program = Program(lives, "first", "work", durable=("first",), policies=("work",)).say("first", at(9))
    program.say("work", at(5, "fail")).say("work", hafta.ROLL_BACK_PREVIOUS, function="policy")
    program.say("work", *["die"] * 5, function="rollback")
    for _ in range(5):
        lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said[0] == ("undo first", 9, {})


def test_deaths_in_one_unwinding_do_not_count_in_the_next(lives):
    program = Program(lives, "first", "work", durable=("first",), policies=("work",)).say("first", at(9))
    program.say("work", *["fail"] * 2).say("work", *[hafta.ROLL_BACK_PREVIOUS] * 2, function="policy")
    program.say("work", *["die"] * 4, None, *["die"] * 4, function="rollback")
    for _ in range(8):
        lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said[0] == ("undo work", 0, {})


def test_after_a_resumed_unwinding_the_next_one_rolls_back_as_ever(lives):
    program = Program(lives, "work", "other", policies=("work", "other"))
    program.say("work", "fail").say("work", hafta.proceed("other"), function="policy")
    program.say("work", "die", function="rollback")
    program.say("other", at(2, "fail")).say("other", hafta.proceed("work"), function="policy")
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert ("undo other", 2, {}) in lives.said


def test_process_local_nodes_on_the_stack_run_again_in_order_and_durable_ones_do_not(lives):
    program = Program(lives, "open", "lock", "read", "order", "pay", durable=("lock", "order"))
    program.say("pay", at(1, "die"))
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("open", 0), ("read", 0), ("undo pay", 1, {}), ("pay", 1)]


def test_what_a_node_that_is_taken_up_names_is_ignored(lives):
    program = Program(lives, "open", "work").say("open", None, hafta.EXIT).say("work", "die")
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert lives.said == [("open", 0), ("work", 0), ("open", 0), ("undo work", 0, {}), ("work", 1)]


def test_a_node_that_names_itself_is_taken_up_when_it_names_another(lives):
    program = Program(lives, "open", "work").say("open", None, "open", "open").say("work", "die")
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [*[("open", 0)] * 3, ("undo work", 0, {}), ("work", 1)]


def test_rolling_back_goes_on_across_a_death_with_each_nodes_own_checkpoint_and_state(lives):
    program = Program(lives, "open", "order", "pay", durable=("order",))
    program.say("open", at(1, handle=1), at(2, handle=2)).say("order", at(3, number=7))
    program.say("pay", at(4, "die", amount=5), *[at(5, "fail", amount=6)] * 4)
    program.say("order", "fail", function="rollback")
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said[:10] == [
        ("open", 0),
        ("undo pay", 4, {"amount": 5}), ("pay", 1), ("undo pay", 5, {"amount": 6}), ("pay", 2),
        ("undo pay", 5, {"amount": 6}), ("pay", 3), ("undo pay", 5, {"amount": 6}), ("pay", 4),
        ("undo pay", 5, {"amount": 6}),
    ]  # fmt: skip
    assert lives.said[10:12] == [("undo order", 3, {"number": 7}), ("undo open", 2, {"handle": 2})]


def test_a_node_that_is_taken_up_fails_and_is_retried_by_its_own_policy(lives):
    program = Program(lives, "open", "work", policies=("open",)).say("open", None, at(1, "fail"), "fail")
    program.say("work", "die")
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert [said for said in lives.said if said[0] != "ask open"] == [
        ("open", 0), ("undo open", 1, {}), ("open", 1), ("undo open", 0, {}), ("open", 2),
        ("undo work", 0, {}), ("work", 1),
    ]  # fmt: skip


def test_failures_of_nodes_that_are_taken_up_are_told_and_counted_with_all_others(lives):
    program = Program(lives, "open", "lock", "work").say("open", None, "fail", "fail").say("lock", None, "fail")
    lives.die(program.say("work", "die", "fail").sequence)
    result = lives.run(program.sequence)
    assert [failure.node for failure in result.history] == ["work", "open", "open", "lock", "work"]
    assert result.failures == len(lives.events("rolled-back")) == 5


def test_the_consecutive_failures_of_a_resumed_node_are_its_own(lives):
    seen = []
    program = Program(lives, "open", "work").say("open", None, "fail").say("work", "die")

    @program.sequence.nodes["work"].policy
    def judge(run, event):
        seen.append([failure.node for failure in event.failures])
        return hafta.default_policy(run, event)

    lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert seen[0] == ["work"]


def test_a_rollback_that_names_an_earlier_node_takes_up_from_there(lives):
    program = Program(lives, "connect", "login", "work")
    program.say("login", None, "fail").say("login", "connect", function="rollback").say("work", "die")
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [
        ("connect", 0), ("login", 0), ("undo login", 0, {}), ("connect", 0), ("login", 0), ("undo work", 0, {}),
        ("work", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("away", ["work", hafta.EXIT])
def test_a_node_whose_rollback_leads_elsewhere_cannot_be_taken_up(lives, away):
    program = Program(lives, "open", "work").say("open", None, "fail").say("open", away, function="rollback")
    program.say("work", at(1, "die"))
    lives.die(program.sequence)
    result = lives.run(program.sequence)
    assert not result
    assert (result.node, result.reason) == ("open", "open fails")
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("open", 0), ("undo work", 1, {}), ("work", 1)]


def test_taking_up_fails_the_call_fails_the_record_stays_and_no_death_is_counted(lives):
    program = Program(lives, "open", "work").say("open", None, *["fail"] * 15).say("work", at(1, "die", path="/a"))
    lives.die(program.sequence)
    for _ in range(3):
        result = lives.run(program.sequence)
        assert (bool(result), result.node, result.reason, result.attempt) == (False, "open", "open fails", 5)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("open", 0), ("undo work", 1, {"path": "/a"}), ("work", 1)]


def test_a_death_while_taking_up_counts_as_one_of_the_interrupted_node(lives):
    program = Program(lives, "open", "work").say("open", None, "die", "die").say("work", at(1, "die"))
    for _ in range(3):
        lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("open", 0), ("undo work", 1, {}), ("work", 3)]


def test_five_deaths_while_taking_up_unwind_the_interrupted_node_without(lives):
    program = Program(lives, "open", "lock", "work", durable=("lock",)).say("lock", at(3))
    program.say("open", None, *["die"] * 5).say("work", at(1, "die"))
    for _ in range(6):
        lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [
        ("undo work", 1, {}),
        ("open", 0),  # taken up before the rollback function of the previous node, which may need it
        ("undo lock", 3, {}), ("lock", 0), ("work", 0),
    ]  # fmt: skip


def test_what_cannot_be_taken_up_at_all_ends_the_sequence(lives):
    program = Program(lives, "open", "lock", "work", durable=("lock",))
    program.say("open", None, *["die"] * 50).say("work", "die")
    for deaths in range(50):  # noqa: B007 - asked for below
        try:
            result = lives.run(program.sequence)
        except Died:
            continue
        break
    assert not result
    assert deaths == 1 + 5 + 5 + 5  # in work; before work, before lock; then as its own failures
    assert [said for said in lives.said if said[0].startswith("undo")][-1] == ("undo open", 0, {})


def test_a_retry_for_ever_policy_is_overruled_by_five_deaths_while_taking_up(lives):
    program = Program(lives, "open", "work").say("open", None, *["die"] * 5).say("work", "die")

    def for_ever(run, event):
        return hafta.ROLL_BACK_CURRENT if event.kind is hafta.INTERRUPTED else hafta.default_policy(run, event)

    program.sequence.nodes["work"].policy(for_ever)
    for _ in range(6):
        lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said[:3] == [("undo work", 0, {}), ("undo open", 0, {}), ("open", 0)]


def test_a_node_that_had_not_begun_is_not_rolled_back_when_taking_up_is_given_up(lives):
    program = Program(lives, "open", "work").say("open", None, *["die"] * 5)

    def delayed(run, event):
        verdict = hafta.default_policy(run, event)
        return verdict.after(5) if event.kind is hafta.NORMAL_SUCCESS else verdict

    program.sequence.nodes["open"].policy(delayed)
    lives.run_until_it_sleeps(program.sequence)
    for _ in range(5):
        lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("undo open", 0, {}), ("open", 0), ("work", 0)]


def test_five_deaths_while_taking_up_before_an_unwinding_goes_on_unwind_without(lives):
    program = Program(lives, "open", "lock", "work", durable=("lock",), policies=("work",)).say("lock", at(3))
    program.say("work", at(1, "fail")).say("work", hafta.ROLL_BACK_PREVIOUS, function="policy")
    program.say("work", "die", function="rollback").say("open", None, *["die"] * 5)
    for _ in range(6):
        lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said[:3] == [("undo work", 1, {}), ("open", 0), ("undo lock", 3, {})]


def test_the_age_of_a_record_from_before_a_reboot_is_by_the_wall_clock(lives):
    program = Program(lives, "work").say("work", at(1, "die"))
    lives.die(program.sequence)
    saved = lives.store.peek("steps").saved
    before = codec.position(saved.frame, saved.body)
    old = before.replace(boot="another", boottime=before.boottime + 10_000, entered=before.entered - 3600)
    with lives.store.claim("steps") as claim:
        claim.enter(codec.frame(old))
        claim.write(saved.body)
    assert lives.run(program.sequence)
    (event,) = lives.events("resumed")
    assert 3600e6 <= event.age_usec < 3700e6


def test_a_machine_that_has_begun_cannot_resume():
    node = hafta.Sequence("steps").node(name="work")(lambda run: hafta.EXIT)
    machine = Machine(node.home)
    machine.start(node)
    for begin in (resume, give_up):
        with pytest.raises(hafta.IllegalMove, match="cannot resume at work: the sequence runs the normal function"):
            begin(machine, Place(node, Phase.NORMAL), "died")


def test_after_the_end_the_next_call_begins_anew(lives):
    program = Program(lives, "first", "second").say("second", "die")
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("first", 0), ("second", 0)]
    assert lives.record("steps") == ()


def test_every_resume_is_reported(lives):
    program = Program(lives, "open", "work").say("work", at(7, "die"))
    lives.die(program.sequence, instance="a")
    assert lives.events("resumed") == []
    assert lives.run(program.sequence, instance="a")
    (event,) = lives.events("resumed")
    assert (event.sequence, event.node, event.checkpoint, event.attempt, event.instance) == ("steps", "work", 7, 1, "a")
    assert event.age_usec >= 0
    (rolled,) = lives.events("rolled-back")
    assert "died in it" in rolled.reason


def test_a_start_node_does_not_count_when_there_is_something_to_resume(lives):
    program = Program(lives, "first", "second", durable=("first",)).say("second", "die")
    lives.die(program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence, start="first")
    assert lives.said == [("undo second", 0, {}), ("second", 1)]


def test_a_call_that_cannot_start_gives_its_claim_up(lives):
    program = Program(lives, "work")
    for _ in range(2):
        with pytest.raises(hafta.IllegalMove, match="nowhere"):
            lives.run(program.sequence, start="nowhere")
    assert lives.run(program.sequence)


def test_the_time_of_a_deadline_begins_anew_in_the_next_process(lives):
    program = Program(lives, "work").say("work", "die")
    seen = []
    program.sequence.nodes["work"].policy(lambda run, event: (seen.append(event), hafta.default_policy(run, event))[1])
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert [event.at - event.since for event in seen] == [0, 0, 0]
