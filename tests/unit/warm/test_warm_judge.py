"""Late is not hung: what a worker was not given is given back, and no more than that."""

import pytest

from hafta.service.warm.judge import LEAST, LONGEST, TICK, Look, Verdict, judge


def verdict(state, *, now, ran=0.0, waited=0.0, due=10.0, allowed=0.2, base=9.8):
    """Judge a worker that was due at 10; `ran` and `waited` count from the look before its beat, at 9.8."""
    return judge(due, allowed, Look(base, "S", 5.0, 1.0), Look(now, state, 5.0 + ran, 1.0 + waited))


HUNG = [
    ("it sleeps, and has had its processor", "S", {"now": 10.001}),
    ("it is stopped", "T", {"now": 10.001, "waited": 0.3}),
    ("it waits for the disk", "D", {"now": 10.001}),
    ("it has run all the time", "R", {"now": 10.001, "ran": 0.2}),
    ("it lacks less than a tick", "R", {"now": 10.001, "ran": 0.198}),
    ("it cannot be read", "", {"now": 10.001}),
    ("what it was given is used up", "S", {"now": 10.3, "waited": 0.2}),
    ("it has run for its deadline, on a busy machine", "R", {"now": 10.8, "ran": 0.2}),
]
GIVEN = [
    ("it wants to run, and did not", "R", {"now": 10.001}, 0.201),
    ("it ran for half of the time", "R", {"now": 10.0, "ran": 0.1}, 0.1),
    ("it sleeps, and came late to it", "S", {"now": 10.001, "waited": 0.05}, 0.05),
    ("it ran for a moment after a long wait", "R", {"now": 10.6, "ran": 0.15}, 0.65),
    ("no more than has passed since its beat", "R", {"now": 10.001, "base": 2.0}, 0.201),
]


@pytest.mark.parametrize(("why", "state", "case"), HUNG, ids=[why for why, *_ in HUNG])
def test_it_hangs(why, state, case):
    assert verdict(state, **case).hung


@pytest.mark.parametrize(("why", "state", "case", "granted"), GIVEN, ids=[why for why, *_ in GIVEN])
def test_it_gets_more_time(why, state, case, granted):
    found = verdict(state, **case)
    assert (found.hung, found.granted, found.again) == (False, pytest.approx(granted), pytest.approx(10.0 + granted))


def test_before_it_is_late_nothing_is_judged():
    assert verdict("R", now=9.99) == Verdict(hung=False, again=10.0, granted=0.0)


@pytest.mark.parametrize(("allowed", "most"), [(0.05, LEAST), (1.0, LONGEST * 1.0)])
def test_an_endless_loop_that_gets_nothing_is_found_in_the_end(allowed, most):
    """A machine that never gives it the processor: the bound holds."""
    found, at = found_at(allowed, lambda _: 0.0)
    assert (found.hung, found.granted) == (True, most)
    assert at == pytest.approx(10.0 + most)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 1.0])
def test_an_endless_loop_is_found_when_it_has_run_for_its_deadline(share):
    """On a machine that gives it this share of a core."""
    _, at = found_at(0.05, lambda passed: passed * share)
    assert at - 9.95 == pytest.approx(0.05 / share, abs=TICK)


def found_at(allowed, ran):
    """Look at an endless loop that was due at 10 until it is found; `ran` is how long it ran after its beat."""
    start, at = 10.0 - allowed, 10.0
    base = Look(start, "R", 0.0, 0.0)
    for _ in range(1000):
        found = judge(10.0, allowed, base, Look(at, "R", ran(at - start), 0.0))
        if found.hung:
            break
        at = max(found.again, at + 1e-6)
    return found, at


def test_the_base_is_the_last_look_before_the_beat():
    """A look after the beat would hide that the worker was given nothing until then."""
    due, allowed = 10.0, 0.05
    before_the_beat, after_it = Look(9.94, "R", 1.0, 0.0), Look(9.995, "R", 1.0, 0.0)
    now = Look(10.02, "R", 1.008, 0.0)
    assert not judge(due, allowed, before_the_beat, now).hung
    assert judge(due, allowed, after_it, now).hung
