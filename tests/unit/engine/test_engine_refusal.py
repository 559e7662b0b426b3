"""A success that its policy refuses: the refusal is the reason of all that follows."""

import pytest

import hafta
from hafta.testing import FakeRuntime, ProcessEnded

REFUSED = "its policy refused its success"


def picky(*answers):
    """A sequence of one node that always succeeds, and whose policy gives these answers, then the default's."""
    sequence = hafta.Sequence("picky")
    asked = []

    @sequence.node
    def work(run):
        run.sleep(2)
        return hafta.EXIT

    @work.policy
    def _(run, event):
        asked.append(event)
        return answers[len(asked) - 1] if len(asked) <= len(answers) else hafta.default_policy(run, event)

    return sequence, asked


def test_a_refused_success_that_is_rolled_back_and_then_given_up_says_why():
    sequence, asked = picky(hafta.ROLL_BACK_CURRENT, hafta.FAIL_SEQUENCE)
    result = sequence.call(runtime=FakeRuntime())
    assert str(result) == f"picky failed at node work, attempt 0: {REFUSED}"
    assert asked[1].reason == REFUSED
    assert [(failure.kind, failure.at) for failure in result.history] == [(hafta.NORMAL_SUCCESS, 2.0)]


def test_a_refused_success_counts_as_a_failure_of_the_call_but_not_as_an_attempt():
    sequence, asked = picky(hafta.ROLL_BACK_CURRENT)
    result = sequence.call(runtime=FakeRuntime())
    assert str(result) == "picky succeeded after 1 failure"
    assert [event.attempt for event in asked] == [0, 0, 0]


@pytest.mark.parametrize("verdict", [hafta.FAIL_SEQUENCE, hafta.ROLL_BACK_PREVIOUS])
def test_a_refused_success_with_nothing_to_go_back_to_fails_the_sequence(verdict):
    sequence, _ = picky(verdict)
    runtime = FakeRuntime()
    assert sequence.call(runtime=runtime).reason == REFUSED
    assert [event.NAME for event in runtime.events] == ["rolled-back", "sequence-failed"]


def test_a_panic_at_a_success_does_not_blame_a_failure_that_was_overcome():
    sequence, _ = picky(hafta.ROLL_BACK_CURRENT, hafta.proceed("work"), hafta.PANIC)
    runtime = FakeRuntime()
    runtime.force("work", OSError(5, "of long ago"))
    with pytest.raises(ProcessEnded):
        sequence.call(runtime=runtime)
    assert runtime.events[-1].reason == REFUSED
