"""Each ready-made policy by itself: its arithmetic, and what it refuses."""

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
    FOREVER,
    Attempts,
    Backoff,
    CircuitBreaker,
    Deadline,
    RetryAfter,
)

# Attempts


@pytest.mark.parametrize("kind", [NORMAL_FAIL, INTERRUPTED])
def test_attempts_rolls_back_in_place_until_the_last_one(kind):
    answers = [decide(Attempts(7), event(kind, attempt)) for attempt in range(1, 9)]
    assert answers == [ROLL_BACK_CURRENT] * 6 + [ROLL_BACK_PREVIOUS] * 2


def test_a_single_attempt_is_never_rolled_back_in_place():
    assert decide(Attempts(1), event(attempt=1)) is ROLL_BACK_PREVIOUS


def test_attempts_for_ever_never_gives_up():
    assert decide(Attempts(FOREVER), event(attempt=10**9)) is ROLL_BACK_CURRENT


@pytest.mark.parametrize("then", [FAIL_SEQUENCE, PANIC, proceed(other)])
def test_attempts_then_does_what_it_was_told(then):
    assert decide(Attempts(2, then=then), event(attempt=2)) is then


@pytest.mark.parametrize("kind", [NORMAL_SUCCESS, ROLLBACK_SUCCESS, ROLLBACK_FAIL])
def test_attempts_leaves_other_events_to_the_default(kind):
    assert decide(Attempts(1), event(kind, 9)) == hafta.default_policy(None, event(kind, 9))


@pytest.mark.parametrize("verdict", [FAIL_SEQUENCE, PANIC, EXIT, proceed(other)])
@pytest.mark.parametrize(
    "policy",
    [Attempts(3), Deadline(1), CircuitBreaker(1, then=ROLL_BACK_PREVIOUS)],
    ids=["attempts", "deadline", "breaker"],
)
def test_a_limit_does_not_overrule_who_goes_elsewhere(policy, verdict):
    assert policy.refine(event(attempt=5, at=10), verdict) is verdict


def test_attempts_keeps_a_delay_that_stands_before_it():
    assert Attempts(3).refine(event(), ROLL_BACK_CURRENT.after(2)) == ROLL_BACK_CURRENT.after(2)


@pytest.mark.parametrize("number", [0, -1, float("nan")])
def test_there_is_at_least_one_attempt(number):
    with pytest.raises(ValueError, match=r"^a node has at least 1 attempt, not "):
        Attempts(number)


# Backoff


def test_backoff_doubles_up_to_its_cap():
    policy = Backoff(0.1, cap=1, jitter=0)
    assert [policy.delay(attempt) for attempt in range(1, 7)] == [0.1, 0.2, 0.4, 0.8, 1, 1]
    assert [retry(policy, attempt) for attempt in (1, 2)] == [proceed(node).after(0.1), proceed(node).after(0.2)]


def test_backoff_grows_by_its_factor():
    assert [Backoff(1, factor=3, cap=100, jitter=0).delay(attempt) for attempt in (1, 2, 3)] == [1, 3, 9]
    assert [Backoff(2, factor=1, jitter=0).delay(attempt) for attempt in (1, 9)] == [2, 2]


def test_backoff_does_not_overflow():
    assert Backoff(1, cap=30, jitter=0).delay(10**6) == 30
    assert Backoff(0, jitter=0).delay(10**6) == 0


def test_jitter_takes_a_part_of_the_wait_by_chance():
    chances = iter([0.0, 0.5, 0.999])
    policy = Backoff(8, factor=1, jitter=1, random=lambda: next(chances))
    assert [policy.delay(1) for _ in range(3)] == pytest.approx([8, 4, 0.008])
    assert Backoff(8, jitter=0.25, random=lambda: 1.0).delay(1) == 6


def test_without_a_generator_of_its_own_backoff_stays_within_its_bounds():
    policy = Backoff(4, factor=1)
    delays = {policy.delay(1) for _ in range(50)}
    assert len(delays) > 1
    assert all(0 <= delay <= 4 for delay in delays)


@pytest.mark.parametrize(
    "what",
    [
        event(),
        event(NORMAL_SUCCESS),
        event(ROLLBACK_FAIL),
        event(ROLLBACK_SUCCESS, 0),
        event(ROLLBACK_SUCCESS, to=other),
    ],
    ids=["failure", "success", "rollback failure", "rolled back to", "going elsewhere"],
)
def test_backoff_delays_nothing_but_another_attempt(what):
    assert decide(Backoff(5, jitter=0), what) == hafta.default_policy(None, what)


def test_backoff_looks_at_where_control_goes_not_at_what_the_rollback_named():
    policy, named = Backoff(5, jitter=0), event(ROLLBACK_SUCCESS)
    assert policy.refine(named, proceed(other)) == proceed(other)
    assert policy.refine(event(ROLLBACK_SUCCESS, to=other), proceed(node)).delay == 5
    assert policy.refine(named, proceed("<lambda>")).delay == 5
    assert policy.refine(named, proceed(7)).delay == 5


def test_backoff_keeps_a_longer_delay():
    assert Backoff(5, jitter=0).refine(event(ROLLBACK_SUCCESS), proceed(node).after(60)).delay == 60


@pytest.mark.parametrize(
    "values",
    [{"first": -1}, {"factor": 0.5}, {"cap": -1}, {"cap": float("inf")}, {"jitter": 2}, {"first": float("nan")}],
)
def test_a_backoff_without_sense_is_refused(values):
    with pytest.raises(ValueError, match=r"^a backoff has first >= 0, factor >= 1, cap >= 0 and "):
        Backoff(**values)


# RetryAfter


class Busy(Exception):
    def __init__(self, retry_after):
        super().__init__("busy")
        self.retry_after = retry_after


@pytest.mark.parametrize(("told", "delay"), [(7, 7), (0.5, 0.5), (10**6, 3600), (float("inf"), 3600)])
def test_the_reason_tells_how_long_to_wait_up_to_the_cap(told, delay):
    assert retry(RetryAfter(), reason=Busy(told)).delay == delay


@pytest.mark.parametrize(
    "reason", [Busy(0), Busy(-5), Busy(float("nan")), Busy(None), Busy("soon"), ValueError(), None]
)
def test_a_reason_that_tells_no_time_changes_nothing(reason):
    assert retry(RetryAfter(), reason=reason) == proceed(node)


def test_a_function_may_read_the_time_from_the_reason():
    policy = RetryAfter(lambda reason: reason["wait"], cap=10)
    assert retry(policy, reason={"wait": 4}).delay == 4
    assert retry(policy, reason={"wait": 40}).delay == 10
    assert retry(policy, reason={"wait": None}).delay == 0
    assert retry(policy, reason={"wait": "4"}).delay == 0  # a header that nobody has turned into a number


def test_what_does_not_try_again_is_not_delayed_by_its_reason():
    assert decide(RetryAfter(), event(reason=Busy(7))) is ROLL_BACK_CURRENT


@pytest.mark.parametrize("cap", [-1, float("inf"), float("nan")])
def test_the_cap_of_a_delay_is_a_time_that_ends(cap):
    with pytest.raises(ValueError, match=r"^the cap of a delay is 0 or more seconds, not "):
        RetryAfter(cap=cap)


# Deadline


def test_a_deadline_ends_the_attempts_when_its_time_is_up():
    policy = Deadline(10)
    assert decide(policy, event(at=109.9, since=100)) is ROLL_BACK_CURRENT
    assert decide(policy, event(at=110, since=100)) is ROLL_BACK_PREVIOUS
    assert decide(Deadline(10, then=FAIL_SEQUENCE), event(at=110, since=100)) is FAIL_SEQUENCE


def test_a_deadline_begins_no_wait_that_would_end_after_it():
    policy = Backoff(4, factor=1, jitter=0) | Deadline(10, then=FAIL_SEQUENCE)
    assert retry(policy, at=105.9, since=100) == proceed(node).after(4)
    assert retry(policy, at=106, since=100) is FAIL_SEQUENCE


def test_a_deadline_does_not_undo_a_success():
    assert decide(Deadline(10), event(NORMAL_SUCCESS, at=500)) == proceed(node)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_deadline_is_in_the_future(seconds):
    with pytest.raises(ValueError, match=r"^a deadline is more than 0 seconds, not "):
        Deadline(seconds)


def test_a_deadline_ends_with_something_else_than_another_attempt():
    with pytest.raises(ValueError, match=r"^a deadline ends the attempts: then= is not <roll back current>$"):
        Deadline(10, then=ROLL_BACK_CURRENT)


# CircuitBreaker


def fail(breaker, at):
    return decide(breaker, event(at=at))


def test_a_breaker_opens_after_so_many_failures_in_so_much_time():
    breaker = CircuitBreaker(3, within=10, cooldown=30)
    fail(breaker, 100)
    fail(breaker, 109)
    assert breaker.state(109) == "closed"
    assert retry(breaker, at=109) == proceed(node)
    fail(breaker, 109.9)
    assert breaker.state(109.9) == "open"


def test_failures_that_are_too_far_apart_do_not_open_it():
    breaker = CircuitBreaker(3, within=10, cooldown=30)
    for at in range(0, 1000, 5):
        fail(breaker, at)
    assert breaker.state(1000) == "closed"
    fail(breaker, 996)
    assert breaker.state(1000) == "open"


def test_an_open_breaker_holds_the_next_attempt_back_until_the_cooldown_is_over():
    breaker = CircuitBreaker(1, cooldown=30)
    fail(breaker, 100)
    assert retry(breaker, at=101) == proceed(node).after(29)
    assert retry(breaker, at=129.5) == proceed(node).after(0.5)
    assert breaker.state(130) == "half-open"
    assert retry(breaker, at=131) == proceed(node)


def test_the_success_of_the_probe_closes_it_and_forgets():
    breaker = CircuitBreaker(2, within=60, cooldown=30)
    fail(breaker, 100)
    fail(breaker, 100)
    decide(breaker, event(NORMAL_SUCCESS, at=131))
    assert breaker.state(131) == "closed"
    fail(breaker, 132)
    assert breaker.state(132) == "closed"


def test_the_failure_of_the_probe_opens_it_for_another_cooldown():
    breaker = CircuitBreaker(2, within=60, cooldown=30)
    fail(breaker, 100)
    fail(breaker, 100)
    assert breaker.state(131) == "half-open"
    fail(breaker, 131)
    assert (breaker.state(160.9), breaker.state(161)) == ("open", "half-open")


def test_a_success_while_it_is_closed_does_not_forgive():
    breaker = CircuitBreaker(2, within=60, cooldown=30)
    fail(breaker, 100)
    decide(breaker, event(NORMAL_SUCCESS, at=101))
    fail(breaker, 102)
    assert breaker.state(102) == "open"


def test_a_breaker_with_a_verdict_gives_it_at_once_while_it_is_open():
    breaker = CircuitBreaker(2, cooldown=30, then=FAIL_SEQUENCE)
    assert fail(breaker, 100) is ROLL_BACK_CURRENT
    assert fail(breaker, 101) is FAIL_SEQUENCE
    assert fail(breaker, 102) is FAIL_SEQUENCE


def test_a_breaker_with_no_cooldown_holds_nothing_back():
    breaker = CircuitBreaker(1, cooldown=0)
    fail(breaker, 100)
    assert retry(breaker, at=100) == proceed(node)


@pytest.mark.parametrize("values", [{"failures": 0}, {"within": 0}, {"cooldown": -1}])
def test_a_breaker_without_sense_is_refused(values):
    with pytest.raises(ValueError, match=r"^a circuit breaker has failures >= 1, within > 0 and cooldown >= 0, not "):
        CircuitBreaker(**values)
