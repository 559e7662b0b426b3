"""The parent's watch over a page: from where on it judges, when it looks again, and what it finds."""

import pytest

from hafta.death import HANG, TIMEOUT, Death
from hafta.service.warm import watch as module
from hafta.service.warm.beat import ALLOWED, DUE, MARKED, OVER, RAN, SLEEPS, Page, lines
from hafta.service.warm.judge import Look


@pytest.fixture
def page():
    page = Page()
    page.clear()
    page.words[ALLOWED] = 0.05
    page.say_where(lines("feed", "work"))
    return page


@pytest.fixture
def watch(page, monkeypatch):
    """A watch that began at 9, when the worker had run for 1 s; `seen` is what the next look finds."""
    looks = [Look(9.0, "S", 1.0, 0.0)]
    monkeypatch.setattr(module, "look", lambda _pid: looks[-1])
    page.words[DUE] = 10.0
    found = module.Watch(page)
    found.begin(7)
    found.seen = looks.append
    return found


def test_an_endless_loop_after_a_long_wait_is_judged_from_the_end_of_the_wait(page, watch):
    """The parent had slept through the wait. Without the mark, the wait would count as a processor not given."""
    watch.seen(Look(10.001, "R", 1.05, 0.0))
    assert watch.look(7) is None
    watch.begin(7)
    page.words[MARKED], page.words[RAN] = 9.95, 1.0
    watch.seen(Look(9.0, "S", 1.0, 0.0))
    watch.begin(7)
    watch.seen(Look(10.001, "R", 1.05, 0.0))
    death = watch.look(7)
    assert (death.why, death.sequence, death.node) == (HANG, "feed", "work")
    assert death.detail == "no progress for 0.051 s (allowed 0.05 s), state R"


def test_a_mark_before_the_last_look_does_not_count(page, watch):
    page.words[MARKED], page.words[RAN] = 8.0, 0.0
    watch.seen(Look(10.001, "R", 1.0, 0.0))
    assert watch.look(7) is None


def test_a_starved_worker_is_looked_at_again_when_what_it_was_given_is_over(page, watch):
    page.words[MARKED], page.words[RAN] = 9.95, 1.0
    watch.seen(Look(10.001, "R", 1.01, 0.0))
    assert watch.look(7) is None
    assert watch.again == pytest.approx(10.0 + 0.041)


def test_the_time_of_a_node_is_over_whatever_its_progress(page, watch):
    page.words[OVER], page.words[DUE] = 10.0, 99.0
    page.say_timed(lines("feed", "work", "its timeout of 2 s"))
    watch.seen(Look(10.001, "R", 1.0, 0.0))
    assert watch.look(7) == Death(7, why=TIMEOUT, sequence="feed", node="work", detail="longer than its timeout of 2 s")
    page.say_where(lines("inner", "slow"))
    assert str(watch.look(7)) == "took too long in work: longer than its timeout of 2 s, in slow of sequence inner"


def test_a_function_that_comes_back_while_the_parent_looks_is_in_time(page, watch, monkeypatch):
    page.words[OVER], page.words[DUE] = 10.0, 99.0
    watch.seen(Look(10.001, "R", 1.0, 0.0))

    def comes_back():
        page.words[OVER] = 50.0
        return "feed", "next", "its timeout of 40 s"

    monkeypatch.setattr(page, "read_timed", comes_back)
    assert watch.look(7) is None
    assert watch.again == 50.0


def test_a_stop_counts_from_when_it_came_and_not_after_it_goes_on(page, watch):
    page.words[DUE] = 99.0
    watch.changed([True], 9.9)
    assert watch.again == pytest.approx(9.95)
    watch.seen(Look(10.06, "T", 1.0, 0.0))
    assert watch.look(7).why == HANG
    watch.begin(7)
    watch.changed([True, False], 10.0)
    watch.seen(Look(10.06, "S", 1.0, 0.0))
    assert watch.look(7) is None


def test_the_worker_is_told_until_when_the_parent_sleeps(page, watch):
    assert watch.sleep_until(9.5) == 9.5
    assert page.words[SLEEPS] == 9.5
    assert watch.sleep_until(50.0) == 10.0
    page.words[DUE] = 9.7
    assert watch.sleep_until(50.0) == 9.7
    watch.end()
    assert watch.sleep_until(50.0) == 50.0
