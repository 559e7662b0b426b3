"""A storm is summed up: little is sent, and nothing is lost count of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_support import KINDS, Fatal, Happened

from hafta.journal.events import Said
from hafta.journal.storm import BURST, CRITICAL, KEYS, NEVER, WINDOW, Storm

JOURNALD_BURST, JOURNALD_INTERVAL = 10_000, 30.0  # RateLimitBurst= and RateLimitIntervalSec= of journald.conf(5)


@pytest.fixture
def storm():
    return Storm()


def offer(storm, count, event, now=0.0):
    return [entry for _ in range(count) for entry in storm.offer(event, now)]


def test_the_first_alike_events_go_out_at_once_and_further_ones_are_summed_up_by_the_latest(storm):
    assert [(Happened("a"), 1)] * BURST == offer(storm, BURST, Happened("a"))
    assert offer(storm, 6, Happened("a")) == []
    assert list(storm.offer(Happened("a", attempt=5), WINDOW - 0.1)) == []
    assert storm.due == WINDOW
    assert storm.end_window(WINDOW) == [(Happened("a", attempt=5), 7)]
    for window in range(2, 6):
        assert offer(storm, 1000, Happened("a"), window * WINDOW - 1) == []
        assert len(storm.end_window(window * WINDOW)) == 1, "a storm that goes on is one entry a window"


def test_an_event_after_the_window_brings_the_summary_first(storm):
    offer(storm, BURST + 1, Happened("a"))
    assert storm.offer(Happened("b"), WINDOW) == ((Happened("a"), 1), (Happened("b"), 1))


def test_after_a_quiet_window_nothing_is_remembered(storm):
    offer(storm, BURST + 1, Happened("a"))
    storm.end_window(WINDOW)
    assert storm.due == 2 * WINDOW
    assert storm.end_window(2 * WINDOW) == []
    assert storm.due == NEVER
    assert len(offer(storm, BURST, Happened("a"), 3 * WINDOW)) == BURST


def test_slow_events_all_go_out(storm):
    for turn in range(100):
        assert list(storm.offer(Happened("a"), turn * WINDOW / BURST)) == [(Happened("a"), 1)]


def test_ever_different_events_are_summed_up_by_their_kind(storm):
    sent = [len(storm.offer(Happened(str(turn)), 0.0)) for turn in range(1000)]
    assert sent == [1] * (KEYS + BURST) + [0] * (1000 - KEYS - BURST)
    assert storm.end_window(WINDOW) == [(Happened("999"), 1000 - KEYS - BURST)]


def test_what_a_program_says_never_hides_which_node_was_rolled_back(storm):
    for turn in range(1000):
        storm.offer(Said(f"{turn} lines read"), 0.0)
    for node in "abcde":
        assert len(offer(storm, 2 * BURST, Happened(node))) == BURST
    assert [(event.text, count) for event, count in storm.end_window(WINDOW) if isinstance(event, Happened)] == [
        (node, BURST) for node in "abcde"
    ]


def test_a_panic_in_the_worst_storm_goes_out_at_once_after_what_was_counted(storm):
    for turn in range(KEYS + BURST + 5):
        storm.offer(Happened(str(turn)), 0.0)
    assert storm.offer(Fatal("end"), 0.0) == ((Happened(str(KEYS + BURST + 4)), 5), (Fatal("end"), 1))
    assert Fatal.PRIORITY == CRITICAL


def test_a_storm_that_was_flushed_is_still_a_storm_in_the_next_window(storm):
    offer(storm, BURST + 1, Happened("a"))
    with pytest.raises(TypeError, match="unhashable"):
        storm.offer(Happened(["a", "list"]), WINDOW)
    assert storm.flush(0.0) == [(Happened("a"), 1)], "what cannot be hashed counts nothing"
    assert storm.end_window(WINDOW) == []
    assert offer(storm, 1, Happened("a"), WINDOW) == []


OFFERS = st.lists(
    st.tuples(
        st.sampled_from([Happened, Fatal]),
        st.integers(0, 2 * KEYS),  # which of them
        st.integers(1, 3 * BURST),  # how often
        st.sampled_from([0.0, 0.1, WINDOW / 2, WINDOW, 5 * WINDOW]),  # how much later
        st.booleans(),  # is there a tick before?
    ),
    max_size=60,
)


@settings(deadline=None)
@given(OFFERS)
def test_what_the_entries_stand_for_adds_up_to_what_was_offered(offers):
    storm, now, offered, sent = Storm(), 0.0, 0, []
    for kind, which, times, later, tick in offers:
        now += later
        if tick and now >= storm.due:
            sent += storm.end_window(now)
        sent += offer(storm, times, kind(str(which)), now)
        offered += times
        assert len(storm._kept) <= KEYS + 2
    sent += storm.flush(0.0)
    assert offered == sum(repeated for _, repeated in sent)
    assert storm.flush(0.0) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2 * KEYS), st.integers(1, 3 * BURST), st.floats(0, 2)), max_size=80))
def test_entries_stay_below_the_bound_of_the_arithmetic(offers):
    """In any stretch of three windows, starting where it likes."""
    storm, now, times = Storm(), 0.0, []
    for which, count, later in offers:
        now += later
        times += [now] * len(offer(storm, count, Happened(str(which)), now))
    for start in times:
        assert sum(start <= time < start + 3 * WINDOW for time in times) <= 4 * (KEYS + 1) * (BURST + 1)


def test_the_bound_is_little_more_than_half_of_what_journald_takes():
    windows = JOURNALD_INTERVAL / WINDOW + 1
    assert len(KINDS) <= 56
    assert windows * (KEYS + 56) * (BURST + 1) == 5_280 < 0.55 * JOURNALD_BURST
