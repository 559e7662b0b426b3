"""Reporting never blocks, never raises, and never hides."""

import threading
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_support import Clock, Fatal, Happened, ListSink
from processes import in_child

from hafta.journal.events import EventsDropped
from hafta.journal.reporter import PATIENCE, RETRY, Reporter
from hafta.journal.storm import BURST, NEVER, WINDOW

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture
def reporter(sink, clock):
    return Reporter(sink, clock)


class Stop(BaseException):
    """Flies through as the service's own does."""


def storm(reporter, count, text="a"):
    for _ in range(count):
        reporter.report(Happened(text))


@pytest.mark.parametrize("closed", [False, True])
def test_entries_are_numbered_from_one_and_reporting_goes_on_after_close(reporter, sink, closed):
    reporter.report(Happened("a"))
    if closed:
        reporter.close()
    reporter.report(Happened("b"))
    assert sink.sent == [(Happened("a"), 1, 1), (Happened("b"), 2, 1)]


def test_nothing_is_due_when_nothing_is_owed(reporter, sink, clock):
    assert reporter.due == NEVER
    storm(reporter, BURST)
    assert reporter.due == NEVER
    storm(reporter, 1)
    assert reporter.due == clock() + WINDOW
    clock.time += WINDOW
    reporter.tick()
    assert reporter.due == NEVER, "also if another window has begun"
    assert len(sink.sent) == BURST + 1


@pytest.mark.parametrize("method", ["tick", "close"])
def test_a_storm_is_summed_up_at_the_tick_after_the_window_and_at_close(reporter, sink, clock, method):
    storm(reporter, BURST + 30)
    reporter.tick()
    assert len(sink.sent) == BURST
    clock.time += WINDOW if method == "tick" else 0
    getattr(reporter, method)()
    assert (sink.sent[-1], sink.closed) == ((Happened("a"), BURST + 1, 30), method == "close")


def test_a_panic_brings_what_was_counted_along(reporter, sink):
    storm(reporter, BURST + 3)
    reporter.report(Fatal("end"))
    assert sink.sent[-2:] == [(Happened("a"), BURST + 1, 3), (Fatal("end"), BURST + 2, 1)]


def test_what_is_not_taken_leaves_a_gap_and_is_told_of_when_it_works_again(reporter, sink):
    storm(reporter, 1)
    sink.takes = False
    storm(reporter, 2)
    assert reporter.dropped == 2
    sink.takes = True
    reporter.report(Happened("b"))
    assert sink.sent == [(Happened("a"), 1, 1), (Happened("b"), 4, 1), (EventsDropped(2), 5, 1)]
    assert reporter.dropped == 0
    assert reporter.due == NEVER


@pytest.mark.parametrize("method", ["tick", "close"])
def test_drops_are_told_by_a_tick_or_close_without_any_new_event(reporter, sink, clock, method):
    sink.takes = False
    storm(reporter, 1)
    assert reporter.due == clock() + RETRY
    sink.takes = True
    reporter.tick()
    assert sink.sent == []
    clock.time += RETRY if method == "tick" else 0
    getattr(reporter, method)()
    assert sink.sent == [(EventsDropped(1), 2, 1)]


def test_telling_of_drops_is_tried_once_a_retry_and_takes_no_number_until_it_goes_through(reporter, sink, clock):
    sink.takes = False
    storm(reporter, 1)
    for _ in range(3):
        clock.time += RETRY
        reporter.tick()
        reporter.tick()
    assert [event for event, _, _ in sink.refused] == [Happened("a")] + [EventsDropped(1)] * 3
    assert {number for _, number, _ in sink.refused[1:]} == {2}


def test_a_summary_that_is_not_taken_is_dropped_with_all_it_stands_for(reporter, sink):
    storm(reporter, BURST + 30)
    sink.takes = False
    reporter.close()
    assert reporter.dropped == 30


def test_a_sink_that_raises_is_a_sink_that_does_not_take_and_does_not_fail_the_close(reporter, sink, monkeypatch):
    sink.error = RuntimeError("handler of a user")
    storm(reporter, 1)
    assert reporter.dropped == 1
    monkeypatch.setattr(sink, "close", Mock(side_effect=OSError(9, "closed")))
    reporter.close()


def test_an_event_that_cannot_be_hashed_is_sent_past_the_filter(reporter, sink):
    reporter.report(Happened(["list"]))
    assert [number for _, number, _ in sink.sent] == [1]


def test_stop_in_the_middle_flies_on_and_what_was_not_sent_is_counted(reporter, sink, clock):
    storm(reporter, BURST + 30)
    clock.time += WINDOW
    sink.error = Stop()
    with pytest.raises(Stop):
        reporter.report(Happened("b"))
    assert reporter.dropped == 31
    sink.error = None
    reporter.close()  # the lock is free
    assert sink.sent[-1][0] == EventsDropped(31)


def test_stop_right_after_a_count_of_drops_was_sent_gives_no_number_twice(clock):
    class Interrupted(ListSink):
        def send(self, event, number, repeated):
            taken = super().send(event, number, repeated)
            if [number for _, number, _ in self.sent] == [2]:
                raise Stop
            return taken

    sink = Interrupted()
    reporter = Reporter(sink, clock)
    sink.takes = False
    storm(reporter, 1)
    sink.takes = True
    with pytest.raises(Stop):
        reporter.close()
    reporter.report(Fatal("end"))
    assert [number for _, number, _ in sink.sent] == [2, 3, 4]


def test_a_report_within_a_report_does_not_wait_for_itself(sink, clock):
    """As a signal handler makes it, in the thread that is already reporting."""

    class Curious(ListSink):
        def send(self, event, number, repeated):
            if event == Happened("outer"):
                reporter.report(Happened("inner"))
            return super().send(event, number, repeated)

    sink = Curious()
    reporter = Reporter(sink, clock)
    reporter.report(Happened("outer"))
    assert sink.sent == [(Happened("inner"), 2, 1), (Happened("outer"), 1, 1)]


def test_threads_lose_nothing_and_share_the_numbers(reporter, sink):
    def work(name):
        for turn in range(500):
            reporter.report(Happened(f"{name} {turn % 7}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reporter.close()
    assert sink.stood_for == 2000
    assert sorted(number for _, number, _ in sink.sent) == list(range(1, len(sink.sent) + 1))


class Stuck(ListSink):
    """A sink that waits with its first entry, as a handler of logging may."""

    def __init__(self):
        super().__init__()
        self.entered = threading.Event()
        self.leave = threading.Event()

    def send(self, event, number, repeated):
        if event == Happened("stuck"):
            self.entered.set()
            self.leave.wait(10)
        return super().send(event, number, repeated)


@pytest.fixture
def stuck(clock):
    """A reporter whose lock another thread holds in a sink that waits."""
    sink = Stuck()
    reporter = Reporter(sink, clock)
    thread = threading.Thread(target=reporter.report, args=(Happened("stuck"),))
    thread.start()
    assert sink.entered.wait(10)
    yield reporter, sink
    sink.leave.set()
    thread.join()


def test_a_thread_that_is_stuck_in_a_sink_is_left_alone_and_holds_no_panic_up(stuck, clock):
    reporter, sink = stuck
    clock.time += WINDOW
    reporter.tick()
    reporter.close()
    assert (sink.sent, sink.closed) == ([], 0)
    assert PATIENCE <= 0.1
    reporter.report(Fatal("end"))
    assert sink.sent == [(Fatal("end"), 2, 1)]


def test_what_was_dropped_is_told_of_once_by_all_threads_together(clock):
    """One is stuck while it tells of them; another, which could not have the lock, has something to tell, too."""

    class StuckWithCounts(Stuck):
        def send(self, event, number, repeated):
            if isinstance(event, EventsDropped) and not self.entered.is_set():
                self.entered.set()
                self.leave.wait(10)
            return super().send(event, number, repeated)

    sink = StuckWithCounts()
    reporter = Reporter(sink, clock)
    sink.takes = False
    storm(reporter, 3)
    sink.takes = True
    thread = threading.Thread(target=reporter.report, args=(Happened("b"),))
    thread.start()
    assert sink.entered.wait(10)
    reporter.report(Fatal("end"))
    sink.leave.set()
    thread.join()
    assert [event for event, _, _ in sink.sent if isinstance(event, EventsDropped)] == [EventsDropped(3)]
    assert (reporter.dropped, reporter.due) == (0, NEVER)


def test_a_reporter_that_takes_the_place_of_another_goes_on_with_its_numbers_and_owes_its_drops(reporter, sink, clock):
    storm(reporter, 2)
    sink.takes = False
    storm(reporter, 1, "lost")
    reporter.close()
    later = ListSink()
    other = Reporter(later, clock)
    other.follow(reporter)
    assert other.due == clock() + RETRY
    other.report(Happened("b"))
    assert later.sent == [(Happened("b"), 4, 1), (EventsDropped(1), 5, 1)]


def test_a_forked_child_numbers_from_one_and_does_not_repeat_what_its_parent_owes(reporter, sink, clock):
    storm(reporter, BURST + 30)
    sink.takes = False
    storm(reporter, 1, "dropped")
    sink.takes = True
    sink.sent.clear()

    def child():
        reporter.report(Happened("child"))
        reporter.close()
        return [(event.NAME, number, repeated) for event, number, repeated in sink.sent]

    assert in_child(child) == repr([("happened", 1, 1)])
    reporter.close()
    assert [(event.NAME, number, repeated) for event, number, repeated in sink.sent] == [
        ("happened", BURST + 2, 30),
        ("events-dropped", BURST + 3, 1),
    ]


@pytest.mark.parametrize("method", ["tick", "close"])
def test_a_forked_child_owes_nothing(reporter, sink, clock, method):
    storm(reporter, BURST + 30)
    clock.time += WINDOW
    sink.sent.clear()
    assert in_child(lambda: getattr(reporter, method)() or sink.sent) == "[]"


def test_a_child_forked_while_another_thread_reports_can_report(stuck):
    reporter, sink = stuck
    assert in_child(lambda: reporter.report(Happened("child")) or [number for _, number, _ in sink.sent]) == "[1]"


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 25), st.booleans(), st.sampled_from([0, 0.5, RETRY, WINDOW])),
        max_size=40,
    )
)
def test_every_event_is_sent_or_counted_whatever_the_sink_takes(steps):
    sink, clock = ListSink(), Clock()
    reporter = Reporter(sink, clock)
    reported = 0
    for which, count, takes, later in steps:
        clock.time += later
        sink.takes = takes
        reporter.tick()
        storm(reporter, count, str(which))
        reported += count
    sink.takes = True
    reporter.close()
    told = sum(event.count for event, _, _ in sink.sent if event.NAME == "events-dropped")
    assert reported == sink.stood_for + told
    missing = {number for event, number, _ in sink.refused if event.NAME != "events-dropped"}
    numbers = [number for _, number, _ in sink.sent]
    assert numbers == sorted(set(range(1, max(numbers, default=0) + 1)) - missing)
