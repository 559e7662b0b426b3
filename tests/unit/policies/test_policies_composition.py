"""Policies for certain reasons, and how policies compose."""

import pytest
from policy_events import decide, event, node, other, retry

import hafta
from hafta import (
    EXIT,
    FAIL_SEQUENCE,
    INTERRUPTED,
    NORMAL_FAIL,
    NORMAL_SUCCESS,
    PANIC,
    ROLL_BACK_CURRENT,
    ROLL_BACK_PREVIOUS,
    ROLLBACK_FAIL,
    ROLLBACK_SUCCESS,
    proceed,
)
from hafta.policies import Attempts, CircuitBreaker, Deadline, FailSequence, On, Panic, Policy

# On, FailSequence, Panic


@pytest.mark.parametrize(
    ("what", "matching", "not_matching"),
    [
        (OSError, TimeoutError(), ValueError()),
        ((OSError, KeyError), KeyError(), ValueError()),
        (lambda reason: reason == 101, 101, 102),
    ],
    ids=["a type", "types", "a function"],
)
def test_certain_reasons_get_a_verdict_of_their_own(what, matching, not_matching):
    assert decide(On(what, proceed(other)), event(reason=matching)) == proceed(other)
    assert decide(On(what, proceed(other)), event(reason=not_matching)) is ROLL_BACK_CURRENT
    assert decide(FailSequence(what), event(reason=matching)) is FAIL_SEQUENCE
    assert decide(Panic(what), event(reason=matching)) is PANIC


@pytest.mark.parametrize("verdict", [FAIL_SEQUENCE, PANIC])
def test_at_any_failure_is_written_as_one_attempt(verdict):
    policy = Attempts(1, then=verdict)
    assert decide(policy, event(reason=None)) is verdict
    assert retry(policy, reason=None) == proceed(node)


def test_no_type_at_all_matches_nothing():
    assert decide(FailSequence(()), event(reason=ValueError())) is ROLL_BACK_CURRENT
    assert decide(Panic(()), event(reason=ValueError())) is ROLL_BACK_CURRENT


# Composition


class Named(Policy):
    """Says that it was asked, and answers with a longer delay."""

    def __init__(self, name, asked):
        self.name, self.asked = name, asked

    def refine(self, what, verdict):
        self.asked.append(self.name)
        return verdict.after(verdict.delay + 1)


def test_policies_have_their_say_from_left_to_right_on_top_of_the_default():
    asked = []
    a, b, c = (Named(name, asked) for name in "abc")
    for chain in ((a | b) | c, a | (b | c)):
        asked.clear()
        assert decide(chain, event()) == ROLL_BACK_CURRENT.after(3)
        assert asked == ["a", "b", "c"]


def test_a_function_of_ones_own_may_begin_a_chain():
    def mine(run, what):
        asked.append("mine")
        return FAIL_SEQUENCE if what.reason == "fatal" else hafta.default_policy(run, what)

    asked = []
    a, b = (Named(name, asked) for name in "ab")
    for chain in (mine | a | b, mine | (a | b)):
        asked.clear()
        assert decide(chain, event(reason="fatal")) == FAIL_SEQUENCE.after(2)
        assert asked == ["mine", "a", "b"]


def mine(run, what):
    return PANIC


BEGINS = r"^the policy function mine begins a chain: write mine \| \.\.\. first$"


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        *((left, mine | Attempts(3), BEGINS) for left in (Attempts(3), Attempts(3) | Deadline(4), mine | Attempts(2))),
        (hafta.default_policy, mine | Attempts(3), BEGINS),
        *((left, hafta.default_policy, "^unsupported operand") for left in (Attempts(3), Attempts(3) | Attempts(4))),
        *((left, Deadline(1), "^unsupported operand type") for left in (Attempts, 3, FAIL_SEQUENCE)),
    ],
)
def test_a_function_stands_at_the_beginning_of_a_chain_and_all_else_are_policies_that_are_made(left, right, message):
    with pytest.raises(TypeError, match=message):
        left | right


def test_what_is_not_a_verdict_is_left_for_the_engine_to_refuse():
    assert decide((lambda run, what: None) | Attempts(3) | CircuitBreaker(), event()) is None


def test_certain_reasons_may_stand_before_or_behind_what_limits():
    for chain in (FailSequence(ValueError) | Attempts(3), Attempts(3) | FailSequence(ValueError)):
        assert decide(chain, event(reason=ValueError())) is FAIL_SEQUENCE
        assert decide(chain, event(reason=OSError())) is ROLL_BACK_CURRENT
        assert decide(chain, event(attempt=3, reason=OSError())) is ROLL_BACK_PREVIOUS


def test_a_policy_of_ones_own_has_its_say_between_reasons_and_limits():
    class Mine(Policy):
        def refine(self, what, verdict):
            seen.append(verdict)
            return proceed(other) if what.reason == "mine" else verdict.after(4)

    for chain in (Mine() | On(ValueError, PANIC) | Deadline(3), Deadline(3) | On(ValueError, PANIC) | Mine()):
        seen = []
        assert decide(chain, event(reason="mine")) == proceed(other)
        assert decide(chain, event(reason=ValueError())) == PANIC.after(4)
        assert decide(chain, event(reason="late by then")) is ROLL_BACK_PREVIOUS
        assert seen == [ROLL_BACK_CURRENT, PANIC, ROLL_BACK_CURRENT]


def test_a_chain_of_policies_of_ones_own_waits_for_nothing_by_itself():
    class Mine(Policy):
        def refine(self, _what, verdict):
            return verdict

    assert retry(Mine() | Mine()) == proceed(node)


def test_a_ready_made_policy_may_be_refined_in_a_class_of_ones_own():
    class Patient(Attempts):
        def refine(self, what, verdict):
            return super().refine(what, verdict).after(1)

    assert decide(Patient(3) | Deadline(10), event(attempt=2)) == ROLL_BACK_CURRENT.after(1)
    assert decide(Patient(3) | Deadline(10), event(attempt=3)) == ROLL_BACK_PREVIOUS.after(1)


def test_the_default_policy_answers_each_event():
    answers = {
        (NORMAL_SUCCESS, 0): proceed(node),
        (NORMAL_FAIL, 1): ROLL_BACK_CURRENT,
        (NORMAL_FAIL, 4): ROLL_BACK_CURRENT,
        (NORMAL_FAIL, 5): ROLL_BACK_PREVIOUS,
        (INTERRUPTED, 4): ROLL_BACK_CURRENT,
        (INTERRUPTED, 5): ROLL_BACK_PREVIOUS,
        (ROLLBACK_SUCCESS, 3): proceed(node),
        (ROLLBACK_FAIL, 1): ROLL_BACK_PREVIOUS,
    }
    assert {key: hafta.default_policy(None, event(*key)) for key in answers} == answers
    assert hafta.default_policy(None, event(NORMAL_SUCCESS, to=EXIT)) is EXIT


def test_an_event_has_the_tutorials_policy_data():
    assert event(NORMAL_SUCCESS).data is node
    assert event(reason=101).data == 101
    assert repr(event(reason=101)) == "<normal fail of <lambda>, attempt 1: 101>"
