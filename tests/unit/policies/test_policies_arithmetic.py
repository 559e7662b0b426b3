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
from hafta.policies import FOREVER, Attempts, Backoff, CircuitBreaker, Deadline

CURRENT, PREVIOUS = ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS

# Attempts


@pytest.mark.parametrize("kind", [NORMAL_FAIL, INTERRUPTED])
@pytest.mark.parametrize(
    ("policy", "attempts", "answers"),
    [
        (Attempts(7), range(1, 9), [CURRENT] * 6 + [PREVIOUS] * 2),
        (Attempts(1), [1], [PREVIOUS]),
        (Attempts(FOREVER), [10**9], [CURRENT]),
        *((Attempts(2, then=then), [2], [then]) for then in (FAIL_SEQUENCE, PANIC, proceed(other))),
    ],
)
def test_attempts_rolls_back_in_place_until_the_last_one_then_does_what_it_was_told(kind, policy, attempts, answers):
    assert [decide(policy, event(kind, attempt)) for attempt in attempts] == answers


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


# Backoff


@pytest.mark.parametrize(
    ("policy", "attempts", "delays"),
    [
        (Backoff(0.1, cap=1, jitter=0), range(1, 7), [0.1, 0.2, 0.4, 0.8, 1, 1]),
        (Backoff(1, factor=3, cap=100, jitter=0), range(1, 4), [1, 3, 9]),
        (Backoff(2, factor=1, jitter=0), [1, 9], [2, 2]),
        (Backoff(1, cap=30, jitter=0), [10**6], [30]),
        (Backoff(0, jitter=0), [10**6], [0]),
    ],
    ids=["doubles up to its cap", "grows by its factor", "stays with a factor of 1", "does not overflow", "nor from 0"],
)
def test_backoff_waits_longer_each_time(policy, attempts, delays):
    assert [policy.delay(attempt) for attempt in attempts] == delays
    assert [retry(policy, attempt) for attempt in attempts] == [proceed(node).after(delay) for delay in delays]


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


# Deadline: with waits, see test_policies_order.py


def test_a_deadline_ends_the_attempts_when_its_time_is_up_and_does_not_undo_a_success():
    assert decide(Deadline(10), event(at=109.9, since=100)) is CURRENT
    assert decide(Deadline(10), event(at=110, since=100)) is PREVIOUS
    assert decide(Deadline(10, then=FAIL_SEQUENCE), event(at=110, since=100)) is FAIL_SEQUENCE
    assert decide(Deadline(10), event(NORMAL_SUCCESS, at=500)) == proceed(node)


# CircuitBreaker


BREAKERS = {  # the breaker; then, one after the other: when, and a failure, a success, its state, or its answer's delay
    "it opens after so many failures in so much time": (
        CircuitBreaker(3, within=10, cooldown=30),
        [(100, "fail"), (109, "fail"), (109, "closed"), (109, 0), (109.9, "fail"), (109.9, "open")],
    ),
    "failures that are too far apart do not open it": (
        CircuitBreaker(3, within=10, cooldown=30),
        [*((at, "fail") for at in range(0, 1000, 5)), (1000, "closed"), (996, "fail"), (1000, "open")],
    ),
    "open, it holds the next attempt back until the cooldown is over": (
        CircuitBreaker(1, cooldown=30), [(100, "fail"), (101, 29), (129.5, 0.5), (130, "half-open"), (131, 0)],
    ),
    "the success of the probe closes it and forgets": (
        CircuitBreaker(2, within=60, cooldown=30),
        [(100, "fail"), (100, "fail"), (131, "success"), (131, "closed"), (132, "fail"), (132, "closed")],
    ),
    "the failure of the probe opens it for another cooldown": (
        CircuitBreaker(2, within=60, cooldown=30),
        [(100, "fail"), (100, "fail"), (131, "half-open"), (131, "fail"), (160.9, "open"), (161, "half-open")],
    ),
    "a success while it is closed does not forgive": (
        CircuitBreaker(2, within=60, cooldown=30), [(100, "fail"), (101, "success"), (102, "fail"), (102, "open")],
    ),
    "unless told otherwise, five failures within a minute hold it back for half a minute": (
        CircuitBreaker(),
        [(at, "fail") for at in (100, 101, 102, 103)] + [(103, "closed"), (104, "fail"), (104, 30), (134, "half-open")],
    ),
    "without a cooldown it holds nothing back": (CircuitBreaker(1, cooldown=0), [(100, "fail"), (100, 0)]),
}  # fmt: skip


def fail(breaker, at):
    return decide(breaker, event(at=at))


@pytest.mark.parametrize(("breaker", "steps"), BREAKERS.values(), ids=BREAKERS)
def test_a_circuit_breaker(breaker, steps):
    for at, what in steps:
        if what == "fail":
            fail(breaker, at)
        elif what == "success":
            decide(breaker, event(NORMAL_SUCCESS, at=at))
        elif isinstance(what, str):
            assert (at, breaker.state(at)) == (at, what)
        else:
            assert (at, retry(breaker, at=at)) == (at, proceed(node).after(what))


def test_a_breaker_with_a_verdict_gives_it_at_once_while_it_is_open():
    breaker = CircuitBreaker(2, cooldown=30, then=FAIL_SEQUENCE)
    assert [fail(breaker, at) for at in (100, 101, 102)] == [CURRENT, FAIL_SEQUENCE, FAIL_SEQUENCE]
