"""Where entries go is decided by what is there."""

import logging
import os
import sys

import pytest
from journal_support import Happened

from hafta.journal.choose import choose_sink
from hafta.journal.journald import JournaldSink
from hafta.journal.logs import LogSink
from hafta.journal.sink import Sink
from hafta.journal.terminal import TerminalSink


@pytest.fixture
def files(tmp_path):
    """Two files in the place of stderr and stdout."""
    fds = [os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT) for name in ("stderr", "stdout")]
    yield fds
    for fd in fds:
        os.close(fd)


def stream(fd):
    status = os.fstat(fd)
    return {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


@pytest.mark.parametrize("which", [0, 1])
def test_the_journal_if_stderr_or_stdout_is_its_stream(files, which):
    sink = choose_sink(stream(files[which]), "p", stderr=files[0], stdout=files[1])
    assert isinstance(sink, JournaldSink)


def test_not_the_journal_if_the_variable_names_another_file(files, tmp_path):
    """As a process has it that was started from a session under the journal, or whose output was redirected."""
    other = os.open(tmp_path, os.O_RDONLY)
    sink = choose_sink(stream(other), "p", stderr=files[0], stdout=files[1])
    os.close(other)
    assert isinstance(sink, LogSink)
    assert not sink.structured


@pytest.mark.parametrize("value", ["", "12", ":", "x:y"])
def test_a_malformed_variable_is_no_journal(files, value):
    sink = choose_sink({"JOURNAL_STREAM": value}, "p", stderr=files[0], stdout=files[1])
    assert isinstance(sink, LogSink)


def test_a_terminal_if_stderr_is_one():
    master, slave = os.openpty()
    sink = choose_sink({"TERM": "xterm"}, "p", stderr=slave)
    assert isinstance(sink, TerminalSink)
    assert sink.send(Happened("x"), 1, 1)
    assert os.read(master, 100) == b"p: \x1b[33mwarning:\x1b[0m It happened: x\r\n"
    sink.close()
    os.close(master)
    os.close(slave)


def test_closed_descriptors_are_no_trouble(monkeypatch):
    monkeypatch.setattr(logging.getLogger("hafta"), "propagate", False)
    fd = os.open("/dev/null", os.O_RDONLY)
    os.close(fd)
    for environ in ({}, {"JOURNAL_STREAM": ""}, {"JOURNAL_STREAM": "1:2"}):
        sink = choose_sink(environ, "p", stderr=fd, stdout=fd)
        assert isinstance(sink, LogSink)
        assert not sink.send(Happened("x"), 1, 1)


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/usr/bin/hafta-client", "--once"], "hafta-client"),
        (["/usr/lib/hafta/server/__main__.py"], "server"),
        ([""], "hafta"),
        ([], "hafta"),
    ],
)
def test_the_identifier_is_the_programs_name_unless_given(files, monkeypatch, argv, name):
    monkeypatch.setattr(sys, "argv", argv)
    assert choose_sink({}, stderr=files[0], stdout=files[1])._identifier == name
    assert choose_sink({}, "given", stderr=files[0], stdout=files[1])._identifier == "given"


def test_a_bare_sink_takes_nothing():
    sink = Sink()
    with pytest.raises(NotImplementedError):
        sink.send(Happened("x"), 1, 1)
    sink.close()
