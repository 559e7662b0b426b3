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
from hafta.policies import (
    Attempts,
    CircuitBreaker,
    Deadline,
    FailSequence,
    On,
    Panic,
    Policy,
)

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


@pytest.mark.parametrize(("policy", "verdict"), [(FailSequence(), FAIL_SEQUENCE), (Panic(), PANIC)])
def test_without_a_reason_any_failure_will_do_and_nothing_else(policy, verdict):
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


def test_a_chain_that_begins_with_a_function_stays_whole_within_another():
    def mine(run, what):
        return PANIC

    asked = []
    a, b = (Named(name, asked) for name in "ab")
    assert decide(a | (mine | b), event()) == ROLL_BACK_CURRENT.after(2)
    assert asked == ["a", "b"]


@pytest.mark.parametrize("left", [Attempts(3), Attempts(3) | Attempts(4)])
def test_a_chain_ends_with_policies_only(left):
    with pytest.raises(TypeError, match=r"^unsupported operand type"):
        left | hafta.default_policy


@pytest.mark.parametrize("left", [Attempts, 3, hafta.FAIL_SEQUENCE])
def test_a_chain_begins_with_a_function_or_a_policy_that_is_made(left):
    with pytest.raises(TypeError, match=r"^unsupported operand type"):
        left | Deadline(1)


def test_certain_reasons_may_stand_before_or_behind_what_limits():
    for chain in (FailSequence(ValueError) | Attempts(3), Attempts(3) | FailSequence(ValueError)):
        assert decide(chain, event(reason=ValueError())) is FAIL_SEQUENCE
        assert decide(chain, event(reason=OSError())) is ROLL_BACK_CURRENT
        assert decide(chain, event(attempt=3, reason=OSError())) is ROLL_BACK_PREVIOUS


def test_the_base_class_wants_a_refine_of_its_own():
    with pytest.raises(NotImplementedError):
        Policy().refine(event(), EXIT)


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


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Attempts(2, then="n"), "then= of an Attempts"),
        (lambda: Deadline(2, then=node), "then= of a Deadline"),
        (lambda: CircuitBreaker(then=5), "then= of a CircuitBreaker"),
        (lambda: On(OSError, "n"), "the verdict of an On"),
    ],
)
def test_what_is_no_verdict_is_refused_where_it_is_given(make, what):
    with pytest.raises(TypeError, match=rf"^{what} is a verdict such as ROLL_BACK_PREVIOUS or proceed\(node\), not "):
        make()
