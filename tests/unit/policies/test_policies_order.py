"""The order of ready-made policies in a chain does not matter: each order decides the same, or each is refused.

Every pair and every triple of the policies in READY, in every order, is asked about the same random events.
"""

import random
import re
from functools import reduce
from itertools import combinations, permutations
from operator import or_
from pathlib import Path

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
    Failure,
    Result,
    proceed,
)
from hafta.policies import (
    FOREVER,
    Attempts,
    Backoff,
    CircuitBreaker,
    CircuitOpen,
    Deadline,
    FailSequence,
    On,
    Panic,
    RetryAfter,
)
from hafta.testing import FakeRuntime

PAGE = Path(__file__).parents[3] / "docs" / "sequences.md"


def is_odd(reason):
    return isinstance(reason, int) and reason % 2 == 1


def is_big(reason):
    return isinstance(reason, int) and reason > 100


READY = {
    "3 attempts": lambda: Attempts(3),
    "7 attempts, then fail": lambda: Attempts(7, then=FAIL_SEQUENCE),
    "4 attempts, then another": lambda: Attempts(4, then=proceed(other)),
    "4 attempts, then the end": lambda: Attempts(4, then=EXIT),
    "attempts for ever": lambda: Attempts(FOREVER),
    "backoff": lambda: Backoff(1, cap=20, jitter=0),
    "even backoff": lambda: Backoff(6, factor=1, jitter=0),
    "retry-after": RetryAfter,
    "short retry-after": lambda: RetryAfter(cap=5),
    "deadline": lambda: Deadline(40),
    "deadline, then fail": lambda: Deadline(25, then=FAIL_SEQUENCE),
    "deadline, then elsewhere": lambda: Deadline(30, then=proceed("third")),
    "breaker": lambda: CircuitBreaker(2, within=20, cooldown=15),
    "breaker, then panic": lambda: CircuitBreaker(3, within=50, cooldown=10, then=PANIC),
    "on an error": lambda: On(OSError, proceed(other)),
    "on a near error": lambda: On(ConnectionError, ROLL_BACK_CURRENT.after(2)),
    "on the same error": lambda: On(OSError, ROLL_BACK_PREVIOUS),
    "fail at an error": lambda: FailSequence((PermissionError, KeyError)),
    "panic at an error": lambda: Panic(MemoryError),
    "on a function": lambda: On(is_odd, proceed("third")),
    "on another function": lambda: On(is_big, proceed(other)),
    "fail at a function": lambda: FailSequence(is_big),
}


def caused(error, cause):
    error.__cause__ = cause
    return error


class Busy(Exception):
    retry_after = 9


REASONS = [
    None, "no", 1, 2, 101, 102, OSError(), ConnectionResetError(), PermissionError(), KeyError(), MemoryError(), Busy(),
    ExceptionGroup("both", [ConnectionResetError(), PermissionError()]), caused(RuntimeError(), MemoryError()),
    caused(ConnectionError(), PermissionError()), Result("inner", ok=False, node="n", reason=OSError()), CircuitOpen(3),
]  # fmt: skip


def story(seed, length=30):
    """Random events of one node, on a clock that goes on."""
    chance, at, since, attempt, failures = random.Random(seed), 100.0, 100.0, 0, []
    for _ in range(length):
        kind = chance.choice([NORMAL_FAIL, NORMAL_FAIL, ROLLBACK_SUCCESS, ROLLBACK_SUCCESS, ROLLBACK_FAIL, INTERRUPTED])
        if chance.random() < 0.07:
            kind, at = NORMAL_SUCCESS, at + 30
            since, failures = at, []
        attempt = 0 if kind is NORMAL_SUCCESS else attempt + (kind in {NORMAL_FAIL, INTERRUPTED})
        at += chance.choice([0, 0.5, 3, 8])
        what = event(kind, attempt, reason=chance.choice(REASONS), at=at, since=since)
        if kind in {NORMAL_FAIL, ROLLBACK_FAIL, INTERRUPTED}:
            failures.append(Failure(node.name, kind, attempt, 0, what.reason, at))
        what._failures = tuple(failures)
        yield what


STORIES = [list(story(seed)) for seed in range(2)]


def verdicts(names):
    """What a chain of these, in this order, answers to all events; or how it is refused."""
    answers = []
    try:
        for events in STORIES[: 4 - len(names)]:  # there are many triples
            chain = reduce(or_, [READY[name]() for name in names])
            answers += [repr(decide(chain, what)) for what in events]
    except ValueError:
        return "refused"
    return answers


@pytest.mark.parametrize("number", [2, 3])
def test_every_order_decides_the_same_or_is_refused(number):
    for names in combinations(READY, number):
        first, *others = (verdicts(order) for order in permutations(names))
        assert others == [first] * len(others), names


def test_every_verdict_is_met_in_these_stories():
    met = {verdict.split(" after ")[0] for names in combinations(READY, 2) for verdict in verdicts(names)}
    assert {"<panic>", "<exit>", "<fail sequence>", "<roll back previous>", "<roll back current>"} <= met


REFUSED = {
    ("on an error", "on the same error"),
    ("on a function", "on another function"),
    ("on another function", "fail at a function"),
    ("4 attempts, then another", "deadline, then elsewhere"),
}


def test_these_pairs_contradict_each_other_and_no_others():
    assert {names for names in combinations(READY, 2) if verdicts(names) == "refused"} == REFUSED


@pytest.mark.parametrize(
    ("one", "other_one", "message"),
    [
        (
            Attempts(3, then=proceed("a")),
            Deadline(9, then=proceed("b")),
            "Attempts and Deadline lead to different nodes, <proceed to a> and <proceed to b>: give them",
        ),
        (
            FailSequence((OSError, KeyError)),
            On(OSError, proceed("a")),
            "two verdicts on OSError, <fail sequence> and <proceed to a>: give one of them",
        ),
        (
            On(is_odd, proceed("a")),
            On(is_big, proceed("b")),
            "two functions of the reason with different verdicts, <proceed to a> and <proceed to b>: write one",
        ),
    ],
)
def test_a_contradiction_is_refused_where_it_is_written(one, other_one, message):
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}"):
        Backoff() | one | RetryAfter() | other_one


def test_the_same_twice_is_no_contradiction():
    breaker = CircuitBreaker(2, then=PANIC)
    chain = FailSequence(OSError) | breaker | On(OSError, FAIL_SEQUENCE) | (Attempts(3) | breaker)
    assert decide(chain, event(reason=OSError())) is FAIL_SEQUENCE
    assert breaker.state(0) == "closed"  # it has counted one failure


def test_the_documented_severity_is_the_one_that_counts():
    [line] = re.findall(r"^From severe to mild: (.*)\.$", PAGE.read_text(), re.MULTILINE)
    verdicts = {"PANIC": PANIC, "FAIL_SEQUENCE": FAIL_SEQUENCE, "ROLL_BACK_PREVIOUS": ROLL_BACK_PREVIOUS,
                "`proceed`": proceed(other), "EXIT": EXIT, "ROLL_BACK_CURRENT": ROLL_BACK_CURRENT}  # fmt: skip
    ordered = [verdicts[name] for name in line.split(", ")]
    assert set(ordered) == set(verdicts.values())
    for severe, mild in combinations(ordered, 2):
        for chain in both(On(OSError, mild), On(KeyError, severe)):
            assert decide(chain, event(reason=ExceptionGroup("both", [OSError(), KeyError()]))) == severe


def both(one, two):
    return one | two, two | one


def failed(chain, **what):
    return decide(chain, event(**what))


FAIL, CURRENT, PREVIOUS = FAIL_SEQUENCE, ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS
FEW, WAITS = (Attempts(3), Attempts(10, then=FAIL)), (Deadline(10, then=FAIL), Backoff(4, factor=1, jitter=0))
LONGEST, LIMITS = (Backoff(4, jitter=0), RetryAfter()), (Attempts(3), Deadline(10, then=FAIL))
MORE = (Attempts(9), On(KeyError, PREVIOUS))
DISK = (Panic(OSError), On(lambda reason: reason.errno == 28, proceed(other)))


@pytest.mark.parametrize(
    ("pair", "ask", "what", "answer"),
    [
        *((FEW, failed, {"attempt": n}, answer) for n, answer in ((1, CURRENT), (2, CURRENT), (3, PREVIOUS))),
        ((Attempts(FOREVER), Attempts(6)), failed, {"attempt": 5}, CURRENT),
        ((Attempts(FOREVER), Attempts(6)), failed, {"attempt": 6}, PREVIOUS),
        (WAITS, retry, {"at": 105.9, "since": 100}, proceed(node).after(4)),
        (WAITS, retry, {"at": 106, "since": 100}, FAIL),
        (LONGEST, retry, {"reason": Busy()}, proceed(node).after(9)),
        (LONGEST, retry, {"reason": None}, proceed(node).after(4)),
        (LIMITS, failed, {"attempt": 3, "at": 9}, PREVIOUS),
        (LIMITS, failed, {"attempt": 3, "at": 10}, FAIL),
        (MORE, failed, {"reason": KeyError()}, PREVIOUS),
        (MORE, failed, {"attempt": 6}, CURRENT),
        (DISK, failed, {"reason": OSError(28, "full")}, proceed(other)),
        (DISK, failed, {"reason": OSError(5, "I/O")}, PANIC),
    ],
)
def test_what_two_of_them_decide_together(pair, ask, what, answer):
    """The smaller number of attempts; no wait beyond the deadline; the longest delay; the severest of limits that are
    reached together; a reason before attempts; a function before types."""
    for chain in both(*pair):
        assert ask(chain, **what) == answer


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        (OSError(), proceed(other)),
        (ConnectionError(), FAIL_SEQUENCE),
        (ConnectionResetError(), ROLL_BACK_CURRENT),
        (ExceptionGroup("both", [OSError(), ConnectionError()]), FAIL_SEQUENCE),
        (ExceptionGroup("both", [ConnectionResetError(), OSError()]), proceed(other)),
        (caused(OSError(), ConnectionError()), proceed(other)),
        (caused(ValueError(), ConnectionError()), FAIL_SEQUENCE),
        (5, PANIC),
    ],
)
def test_the_nearest_reason_counts_and_of_equally_near_ones_the_severest_verdict(reason, verdict):
    rules = (
        On(OSError, proceed(other)),
        FailSequence(ConnectionError),
        On(ConnectionResetError, ROLL_BACK_CURRENT),
        Panic(lambda reason: reason == 5),
    )
    for order in permutations(rules):
        assert decide(reduce(or_, order), event(reason=reason)) == verdict


# Failures of the rollback function


def failed_rollback(number, before=1):
    """The rollback function has failed `number` times in a row, after `before` failed attempts."""
    earlier = [NORMAL_FAIL, ROLLBACK_FAIL, ROLLBACK_FAIL]  # another row, which does not count
    kinds = earlier + [NORMAL_FAIL] * before + [ROLLBACK_FAIL] * number
    what = event(ROLLBACK_FAIL, before, at=50)
    what._failures = tuple(Failure(node.name, kind, before, 0, "no", 50) for kind in kinds[-100:])
    return what


@pytest.mark.parametrize(
    ("policy", "answers"),
    [
        (Attempts(3), [ROLL_BACK_CURRENT, ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS]),
        (Attempts(2, then=FAIL_SEQUENCE), [ROLL_BACK_CURRENT, FAIL_SEQUENCE]),
        (Attempts(1), [ROLL_BACK_PREVIOUS]),
        (Attempts(10**6), [ROLL_BACK_CURRENT] * 99 + [ROLL_BACK_PREVIOUS] * 2),
        (Attempts(FOREVER), [ROLL_BACK_CURRENT] * 300),
        (Attempts(FOREVER) | Deadline(50), [ROLL_BACK_PREVIOUS]),
        (Attempts(9) | Backoff(1, jitter=0), [ROLL_BACK_CURRENT.after(delay) for delay in (1, 2, 4)]),
        (Attempts(9) | Backoff(1, jitter=0) | Deadline(52), [ROLL_BACK_CURRENT.after(1), ROLL_BACK_PREVIOUS]),
        (Backoff(1, jitter=0), [ROLL_BACK_PREVIOUS]),
        (Attempts(9) | FailSequence(lambda reason: reason == "no"), [FAIL_SEQUENCE]),
    ],
)
def test_a_rollback_that_fails_is_tried_again_as_often_as_the_node(policy, answers):
    what = [failed_rollback(number) for number in range(1, len(answers) + 1)]
    for each in what:
        each.reason = "no"
    assert [decide(policy, each) for each in what] == answers


@pytest.mark.parametrize("failures", [1, 4])
def test_a_rollback_that_fails_now_and_then_does_not_end_a_node(failures):
    sequence, left = hafta.Sequence("stubborn"), [failures]

    @sequence.node(policy=Attempts(FOREVER) | Backoff(1, factor=1, jitter=0))
    def work(run):
        return hafta.EXIT if run.attempt else run.fail("no")

    @work.rollback
    def _(run, checkpoint):
        left[0] -= 1
        if left[0] >= 0:
            raise OSError("cannot undo it yet")

    runtime = FakeRuntime()
    assert sequence.call(runtime=runtime)
    assert runtime.slept == [1] * (failures + 1)
