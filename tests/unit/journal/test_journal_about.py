"""What each entry of a process says about it: the run of its unit, and which copy of the service it is."""

import os

import pytest

from hafta.journal.choose import choose_sink
from hafta.journal.durable_events import StoreTrouble
from hafta.journal.events import EventsDropped, Said
from hafta.journal.journald import JournaldSink
from hafta.journal.reporter import Reporter
from hafta.journal.storm import BURST

RUN = "0123456789abcdef" * 2


def stream(fd: int) -> str:
    info = os.fstat(fd)
    return f"{info.st_dev}:{info.st_ino}"


@pytest.fixture
def fields(receiver, monkeypatch):
    """A function that sends an event as a service with these variables, and returns the fields that arrive."""
    monkeypatch.setattr("hafta.journal.journald.JournaldSink.__init__.__defaults__", (receiver.path,))

    def send(event, about=None, **environ):
        sink = choose_sink({"JOURNAL_STREAM": stream(2), **environ}, "p", about)
        reporter = Reporter(sink, lambda: 0.0)
        reporter.report(event)
        reporter.close()
        [entry] = receiver.entries()
        return entry

    return send


@pytest.mark.parametrize("invocation", [RUN, "", "0123", RUN.upper(), f"{RUN}\n"])
def test_the_run_of_the_unit_is_in_each_entry_if_it_is_one(fields, invocation):
    found = fields(EventsDropped(1), INVOCATION_ID=invocation).get("HAFTA_INVOCATION")
    assert found == (RUN if invocation == RUN else None)


def test_what_a_process_learns_about_itself_later_is_in_its_entries_and_the_event_s_own_field_wins(fields):
    about = {}
    assert "HAFTA_INSTANCE" not in fields(EventsDropped(1), about)
    about["HAFTA_INSTANCE"] = "b"
    assert fields(EventsDropped(1), about, INVOCATION_ID=RUN)["HAFTA_INSTANCE"] == "b"
    assert about["HAFTA_INVOCATION"] == RUN
    assert fields(StoreTrouble("s", "c", "/x", "no", "it went on"), about)["HAFTA_INSTANCE"] == "c"


def test_what_a_program_prints_has_no_number(fields):
    assert "HAFTA_NUMBER" not in fields(Said("hello"))
    assert fields(EventsDropped(1))["HAFTA_NUMBER"] == "1"


def test_a_summary_says_how_long_before_it_the_first_of_its_events_was(receiver):
    now = 100.0
    reporter = Reporter(JournaldSink("p", receiver.path), lambda: now)
    for _ in range(BURST + 5):
        reporter.report(EventsDropped(1))
        now += 0.5
    reporter.close()
    *single, summary = receiver.entries()
    assert [entry.get("HAFTA_FIRST_USEC") for entry in single] == [None] * BURST
    assert (summary["HAFTA_REPEATED"], summary["HAFTA_FIRST_USEC"]) == ("5", "2500000")
