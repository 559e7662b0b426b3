"""Where entries go is decided by what is there."""

import logging
import os
import subprocess
import sys
from contextlib import suppress

import pytest
from journal_support import Happened

from hafta.journal.choose import choose_sink
from hafta.journal.journald import JournaldSink
from hafta.journal.logs import LogSink
from hafta.journal.sink import Sink


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


@pytest.mark.parametrize("value", [None, "", "12", ":", "x:y"])
def test_not_the_journal_if_the_variable_names_another_file_or_is_malformed(files, tmp_path, value):
    """As a process has it that was started from a session under the journal, or whose output was redirected."""
    other = os.open(tmp_path, os.O_RDONLY)
    environ = stream(other) if value is None else {"JOURNAL_STREAM": value}
    sink = choose_sink(environ, "p", stderr=files[0], stdout=files[1])
    os.close(other)
    assert (type(sink), sink.structured) == (LogSink, False)


@pytest.fixture
def terminal():
    master, slave = os.openpty()
    os.set_blocking(master, False)
    yield master, slave
    os.close(master)
    os.close(slave)


def test_a_terminal_has_colours_where_the_program_has_not_set_logging_up(terminal, monkeypatch):
    monkeypatch.setattr(logging.getLogger("hafta"), "propagate", False)
    sink = choose_sink({"TERM": "xterm"}, "p", stderr=terminal[1])
    assert sink.send(Happened("x"), 1, 1)
    assert os.read(terminal[0], 100) == b"p: \x1b[33mwarning:\x1b[0m It happened: x\r\n"
    sink.close()


@pytest.mark.parametrize("name", ["hafta", ""])
def test_logging_that_the_program_sets_up_is_asked_from_the_next_event_on_also_on_a_terminal(terminal, name):
    """And set up later than the sink was chosen; nothing stands twice."""
    logger, records = logging.getLogger(name), []
    handler = logging.Handler()
    handler.emit = records.append
    sink = choose_sink({"TERM": "xterm"}, "p", stderr=terminal[1])
    logger.addHandler(handler)
    try:
        assert sink.send(Happened("x"), 7, 1)
    finally:
        logger.removeHandler(handler)
    assert [(record.name, record.getMessage(), record.hafta["HAFTA_NUMBER"]) for record in records] == [
        ("hafta", "It happened: x", "7")
    ]
    with pytest.raises(BlockingIOError):
        os.read(terminal[0], 100)
    sink.close()


PROGRAM = """
import hafta
feed = hafta.Sequence("feed")
@feed.node(policy=lambda run, event: hafta.default_policy(run, event))
def work(run):
    return hafta.EXIT if run.attempt == 1 else run.fail("no")
import logging, logging.config
{setup}
feed.call()
"""
ROLLED_BACK = "Sequence feed rolled back node work"
HANDLER = "{'class': 'logging.StreamHandler'}"
SETUPS = {
    "logging.basicConfig(format='%(name)s|%(message)s')": f"hafta|{ROLLED_BACK}",
    f"logging.config.dictConfig(dict(version=1, handlers=dict(h={HANDLER}), root=dict(handlers=['h'])))": ROLLED_BACK,
    "": f"c: warning: {ROLLED_BACK}",
    "logging.getLogger('hafta').setLevel('WARNING')": f"c: warning: {ROLLED_BACK}",
    "logging.getLogger('hafta').setLevel('ERROR')": "",
}


@pytest.mark.parametrize("setup", SETUPS)
def test_a_program_that_sets_logging_up_before_its_first_event_has_it_respected_on_a_terminal(setup, terminal):
    command = [sys.executable, "-c", PROGRAM.format(setup=setup)]
    subprocess.run(command, stderr=terminal[1], timeout=60, check=True, env={**os.environ, "TERM": "dumb"})
    printed = ""
    with suppress(BlockingIOError):
        printed = os.read(terminal[0], 4096).decode()
    assert printed.count("rolled back") == bool(SETUPS[setup])
    assert printed.replace("-c: ", "c: ").startswith(SETUPS[setup])


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
    with pytest.raises(NotImplementedError):
        Sink().send(Happened("x"), 1, 1)
    Sink().close()
