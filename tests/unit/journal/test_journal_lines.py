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
def logs(pipe):
    sink = LogSink("client", TerminalSink("client", Output(pipe[1]), colour=False))
    yield sink
    sink.close()


def read(pipe):
    try:
        return os.read(pipe[0], 1 << 16).decode()
    except BlockingIOError:
        return ""


@pytest.mark.parametrize(
    ("event", "repeated", "colour", "shown"),
    [
        (Happened("x"), 1, False, "client: warning: It happened: x"),
        (Happened("x"), 12, False, "client: warning: It happened: x (the last of 12 alike)"),
        (Said("3 successful read(s)"), 1, False, "3 successful read(s)"),
        (SequenceSucceeded("s", 0, 1), 1, False, "client: Sequence s succeeded in 1 us"),
        (Fatal("x"), 1, True, "client: \x1b[1;31mcritical:\x1b[0m It happened: x"),
        (Happened("\x1b[2J"), 1, False, "client: warning: It happened: \\x1b[2J"),
    ],
)
def test_a_terminal_gets_one_line_with_name_and_level_where_there_is_one(pipe, event, repeated, colour, shown):
    sink = TerminalSink("client", Output(pipe[1]), colour=colour)
    assert sink.send(event, 1, repeated)
    assert (line("client", event, repeated, colour=colour), read(pipe)) == (shown, f"{shown}\n")
    sink.close()


def test_a_name_cannot_paint_the_terminal_and_every_priority_above_notice_has_a_word():
    assert TerminalSink("\x1b[2J", Output(2), colour=True)._identifier == "\\x1b[2J"
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


@pytest.mark.parametrize("imported", [False, True])
def test_where_nobody_has_imported_logging_or_set_it_up_there_is_a_line_on_stderr(logs, pipe, monkeypatch, imported):
    monkeypatch.setattr(logging.getLogger("hafta"), "propagate", False)
    if not imported:
        monkeypatch.delitem(sys.modules, "logging")
    assert logs.send(Happened("x"), 1, 1)
    assert read(pipe) == "client: warning: It happened: x\n"


def test_an_entry_that_a_level_stops_counts_as_taken(logs, pipe, caplog):
    with caplog.at_level(logging.ERROR, logger="hafta"):
        assert logs.send(Happened("x"), 1, 1)
    assert caplog.records == []
    assert read(pipe) == ""


def test_logging_is_never_imported_for_it():
    program = f"""
import sys
sys.path.insert(0, {ROOT!r})
from hafta.journal.choose import choose_sink
from hafta.journal.events import Said
assert choose_sink({{}}, 'p').send(Said('hello'), 1, 1)
heavy = {{'logging', 'socket', 'typing', 're', 'json', 'dataclasses', 'threading', 'enum', 'signal'}}
sys.exit(', '.join(heavy & set(sys.modules)) or 0)
"""
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "hello\n")
