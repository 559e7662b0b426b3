"""What a person reads: on a terminal, through logging, or on stderr."""

import logging
import os
import subprocess
import sys

import pytest
from journal_support import Fatal, Happened

import hafta
from hafta.journal.events import Said, SequenceSucceeded
from hafta.journal.logs import LogSink
from hafta.journal.output import Output
from hafta.journal.terminal import LEVELS, TerminalSink, line, wants_colour

ROOT = os.path.dirname(os.path.dirname(hafta.__file__))


@pytest.fixture
def pipe():
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def plain(pipe):
    sink = TerminalSink("client", Output(pipe[1]), colour=False)
    yield sink
    sink.close()


@pytest.fixture
def logs(pipe):
    sink = LogSink("client", Output(pipe[1]))
    yield sink
    sink.close()


def read(pipe):
    try:
        return os.read(pipe[0], 1 << 16).decode()
    except BlockingIOError:
        return ""


def test_a_terminal_gets_one_line_with_name_and_level(plain, pipe):
    assert plain.send(Happened("x"), 1, 1)
    assert read(pipe) == "client: warning: It happened: x\n"


def test_a_summary_says_for_how_many_it_stands(plain, pipe):
    assert plain.send(Happened("x"), 1, 12)
    assert read(pipe) == "client: warning: It happened: x (the last of 12 alike)\n"


def test_what_is_said_to_the_person_stands_alone():
    assert line("client", Said("3 successful read(s)"), 1) == "3 successful read(s)"


def test_information_has_no_level():
    assert line("client", SequenceSucceeded("s", 0, 1), 1) == "client: Sequence s succeeded in 1 us"


def test_only_the_level_is_coloured():
    assert line("client", Fatal("x"), 1, colour=True) == "client: \x1b[1;31mcritical:\x1b[0m It happened: x"


def test_an_event_cannot_paint_the_terminal():
    assert "\x1b" not in line("client", Happened("\x1b[2J"), 1)
    assert TerminalSink("\x1b[2J", Output(2), colour=True)._identifier == "\\x1b[2J"


def test_every_priority_above_notice_has_a_word():
    assert sorted(LEVELS) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
    ],
)
def test_colour_is_off_for_a_dumb_terminal_and_no_color(environ, wanted):
    assert wants_colour(environ) is wanted


def test_logging_gets_the_sentence_the_level_and_the_fields(logs, pipe, caplog):
    with caplog.at_level(logging.DEBUG, logger="hafta"):
        assert logs.send(Happened("100 %s", 3), 7, 2)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("hafta", "WARNING")
    assert record.getMessage() == "It happened: 100 %s (the last of 2 alike)"
    assert record.hafta["HAFTA_TEXT"] == "100 %s"
    assert record.hafta["HAFTA_NUMBER"] == "7"
    assert record.hafta["SYSLOG_IDENTIFIER"] == "client"
    assert read(pipe) == ""


@pytest.mark.parametrize(("event", "level"), [(Fatal("x"), "CRITICAL"), (Said("x"), "DEBUG")])
def test_priorities_become_levels(logs, caplog, event, level):
    with caplog.at_level(logging.DEBUG, logger="hafta"):
        logs.send(event, 1, 1)
    assert [record.levelname for record in caplog.records] == [level]


def test_a_program_that_never_imported_logging_gets_a_line_on_stderr(logs, pipe, monkeypatch):
    monkeypatch.delitem(sys.modules, "logging")
    assert logs.send(Happened("x"), 1, 1)
    assert read(pipe) == "client: warning: It happened: x\n"


def test_an_entry_that_a_level_stops_counts_as_taken(logs, pipe, caplog):
    with caplog.at_level(logging.ERROR, logger="hafta"):
        assert logs.send(Happened("x"), 1, 1)
    assert caplog.records == []
    assert read(pipe) == ""


def test_logging_that_nobody_set_up_leaves_a_line_on_stderr(logs, pipe, monkeypatch):
    monkeypatch.setattr(logging.getLogger("hafta"), "propagate", False)
    assert logs.send(Happened("x"), 1, 1)
    assert read(pipe) == "client: warning: It happened: x\n"


def test_logging_is_never_imported_for_it():
    program = (
        "import sys\n"
        "from hafta.journal.choose import choose_sink\n"
        "from hafta.journal.events import Said\n"
        "assert choose_sink({}, 'p').send(Said('hello'), 1, 1)\n"
        "heavy = {'logging', 'socket', 'typing', 're', 'json', 'dataclasses', 'threading', 'enum', 'signal'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {ROOT!r})\n{program}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "hello\n")
