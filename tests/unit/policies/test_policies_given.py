"""What a policy cannot work with is refused where it is given, in words that name the value."""

import re
from decimal import Decimal

import pytest
from policy_events import node, other

from hafta import FAIL_SEQUENCE, ROLL_BACK_CURRENT, proceed
from hafta.policies import FOREVER, Attempts, Backoff, CircuitBreaker, Deadline, FailSequence, On, Panic, RetryAfter

INF, NAN = float("inf"), float("nan")


async def sometime(reason):
    return False


def one_by_one(_given):
    yield False


#: What takes each kind of value, and how the refusal begins.
COUNTS = {
    "the number of attempts": Attempts,
    "failures= of CircuitBreaker": CircuitBreaker,
}
TIMES = {
    "the first wait of Backoff": Backoff,
    "cap= of Backoff": lambda given: Backoff(cap=given),
    "cap= of RetryAfter": lambda given: RetryAfter(cap=given),
    "cooldown= of CircuitBreaker": lambda given: CircuitBreaker(cooldown=given),
    "a deadline": Deadline,
    "within= of CircuitBreaker": lambda given: CircuitBreaker(within=given),
}
NUMBERS = {
    "factor= of Backoff": lambda given: Backoff(factor=given),
    "jitter= of Backoff": lambda given: Backoff(jitter=given),
}
VERDICTS = {
    "then= of Attempts": lambda given: Attempts(2, then=given),
    "then= of Deadline": lambda given: Deadline(2, then=given),
    "then= of CircuitBreaker": lambda given: CircuitBreaker(then=given),
}
REASONS = {
    "On is about": lambda given: On(given, FAIL_SEQUENCE),
    "FailSequence is about": FailSequence,
    "Panic is about": Panic,
}
FUNCTIONS = {
    "random= of Backoff": lambda given: Backoff(random=given),
    "read= of RetryAfter": RetryAfter,
    "clock= of RetryAfter": lambda given: RetryAfter(clock=given),
    "what On is about": lambda given: On(given, FAIL_SEQUENCE),
}


def rows(takers, error, *given):
    return [(make, what, error, value) for what, make in takers.items() for value in given]


@pytest.mark.parametrize(
    ("make", "what", "error", "given"),
    [
        *rows(COUNTS | TIMES | NUMBERS, TypeError, True, "3", (3,), Decimal(3)),
        *rows(COUNTS, TypeError, None),
        *rows(COUNTS, ValueError, 0, -1, 2.5, 2.0, NAN, -INF),
        *rows({"failures= of CircuitBreaker": CircuitBreaker}, ValueError, FOREVER),
        *rows(TIMES | NUMBERS, ValueError, -1, NAN, INF, 10**400),
        *rows({name: TIMES[name] for name in ("a deadline", "within= of CircuitBreaker")}, ValueError, 0),
        (lambda given: Backoff(factor=given), "factor= of Backoff", ValueError, 0.5),
        (lambda given: Backoff(jitter=given), "jitter= of Backoff", ValueError, 1.5),
        *rows(VERDICTS, TypeError, "n", 5, node, FailSequence),
        *rows(VERDICTS, ValueError, ROLL_BACK_CURRENT, ROLL_BACK_CURRENT.after(3)),
        *rows({"the verdict of On": lambda given: On(OSError, given)}, TypeError, "n", None, other),
        *rows(REASONS, TypeError, "x", None, 5, int, object, OSError(), OSError | KeyError),
        *rows({"random= of Backoff": FUNCTIONS["random= of Backoff"]}, TypeError, 0.5, int),
        *rows({"read= of RetryAfter": FUNCTIONS["read= of RetryAfter"]}, TypeError, 5, "retry_after"),
        *rows(FUNCTIONS, TypeError, sometime, one_by_one),
    ],
)
def test_it_is_refused_and_named(make, what, error, given):
    with pytest.raises(error, match=rf"^{re.escape(what)}") as refused:
        make(given)
    assert repr(given) in str(refused.value)


def test_the_wrong_one_of_several_types_is_named():
    with pytest.raises(
        TypeError, match=r"^On is about exception types, or a function .*, not <class 'int'>: for other"
    ):
        On((OSError, int), FAIL_SEQUENCE)


@pytest.mark.parametrize("policy", [FailSequence, Panic])
def test_what_ends_a_call_says_for_which_reasons(policy):
    with pytest.raises(TypeError, match="what"):
        policy()


@pytest.mark.parametrize("given", [True, False, -1, NAN, INF])
def test_a_verdict_is_not_delayed_by_what_is_not_a_delay(given):
    with pytest.raises(ValueError, match=rf"^a delay is 0 or more seconds, not {given!r}$"):
        proceed(node).after(given)
