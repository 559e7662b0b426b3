"""A thousand random histories against a naive model that works second by second."""

import pytest
from observe_model import World
from observe_support import BEGIN, SECOND, UNIT

from hafta.observe.closing import close
from hafta.observe.entry import Reading
from hafta.observe.fold import Fold
from hafta.observe.intervals import Class, sums
from hafta.observe.kinds import Kind
from hafta.observe.timeline import Timeline

HISTORIES = 1_000
CHUNK = 100
#: That a wait was on purpose, or a stop for a shutdown, may be missing, too: it is down, or stopped, all the same.
LESS = [("down", "held"), ("stopped", "machine")]


def fold(world, left_out=(), begin=0):
    """Return the history by the entries, without some of them."""
    timeline = Timeline()
    reading = Reading(timeline, world.user)
    found = Fold(UNIT, BEGIN + begin * SECOND, is_user=world.user is not None)
    stopped = False
    if not begin:
        reading.last_seen(world.others[0][1])  # the clock, as it stood in the beginning
    for place, raw in enumerate(world.raws):
        if place in left_out:
            continue
        if raw.fields["MESSAGE"] == "JOURNAL" and not stopped:
            found.feed(reading.last_seen(world.last_before(place)))
        entry = reading.entry(raw)
        stopped = entry.kind is Kind.JOURNAL_STOPPED or (stopped and entry.kind is not Kind.JOURNAL_STARTED)
        found.feed(entry)
    return close(found, BEGIN + begin * SECOND, BEGIN + world.now * SECOND, world.shown(), timeline.sleeps)


def wrong(world, history, begin=0, also=()):
    """Return the seconds of which the history says what was not so, nor one of these mistakes."""
    mistakes = []
    for span in history.spans:
        first, last = -((BEGIN - span.begin) // SECOND), -((BEGIN - span.end) // SECOND)
        truth = world.truth[max(first, begin) : last] if span.what is not Class.UNKNOWN else ()
        mistakes += [
            (second, span.what.value, was)
            for second, was in enumerate(truth, max(first, begin))
            if was != span.what.value and (span.what.value, was) not in also
        ]
    return mistakes


@pytest.mark.parametrize("chunk", range(HISTORIES // CHUNK))
def test_whole_journals_are_understood(chunk):
    """Only what came before the first entry, and around a power cut, is unknown; the classes add up to the window."""
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        world = World(seed).run_on(12)
        history = fold(world)
        assert wrong(world, history) == [], seed
        assert sum(sums(history.spans).values()) == world.now * SECOND, seed
        causes = {span.part for span in history.spans if span.what is Class.UNKNOWN}
        assert causes <= {"nothing is known before", "the machine died"}, seed


@pytest.mark.parametrize("chunk", range(HISTORIES // CHUNK))
def test_what_is_missing_makes_unknown_and_never_wrong(chunk):
    """A vacuumed head, and in other histories one entry of the manager that is not there."""
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        world = World(seed).run_on(12)
        if not world.raws:
            continue
        cut = world.chance.randrange(len(world.raws))
        begin = world.times[cut]
        if world.raws[cut].wall == BEGIN + world.times[cut] * SECOND:  # times are those of the first entry's clock
            history = fold(world, range(cut), begin)
            assert wrong(world, history, begin, LESS) == [], (seed, cut)
        single = [place for place, raw in enumerate(world.raws) if world.is_managers(raw)]
        missing = world.chance.choice(single)
        assert wrong(world, fold(world, [missing]), also=LESS) == [], (seed, missing)
