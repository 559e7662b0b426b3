"""The journal's sink at a real socket: nothing waits, trouble is told, and it recovers by itself."""

import os
import socket
import time
from unittest.mock import Mock

import pytest
from journal_support import Happened

from hafta.journal import journald
from hafta.journal.journald import SOCKET, JournaldSink
from hafta.journal.reporter import Reporter


@pytest.fixture
def journal(receiver):
    sink = JournaldSink("client", receiver.path)
    yield sink
    sink.close()


def fill(journal):
    """Send until the receiver's queue is full."""
    sent = 0
    while journal.send(Happened("x"), sent, 1):
        sent += 1
        assert sent < 100_000
    return sent


def test_an_entry_arrives_with_its_fields(journal, receiver):
    assert journal.send(Happened("two\nlines", 3), 17, 4)
    [fields] = receiver.entries()
    assert fields == {
        "MESSAGE": "It happened: two\nlines (the last of 4 alike)",
        "MESSAGE_ID": "f" * 32,
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "client",
        "HAFTA_EVENT": "happened",
        "HAFTA_NUMBER": "17",
        "HAFTA_REPEATED": "4",
        "HAFTA_TEXT": "two\nlines",
        "HAFTA_ATTEMPT": "3",
    }


def test_it_is_structured_and_goes_to_journalds_socket(journal):
    assert journal.structured
    assert JournaldSink("client")._path == SOCKET == "/run/systemd/journal/socket"


def test_a_full_queue_is_told_at_once_and_drains(journal, receiver):
    before = time.monotonic()
    sent = fill(journal)
    assert not journal.send(Happened("y"), 0, 1)
    assert time.monotonic() - before < 5
    assert len(receiver.entries()) == sent
    assert journal.send(Happened("y"), 0, 1)


def test_no_journald_is_told_and_a_new_one_is_found(journal, receiver):
    assert journal.send(Happened("a"), 1, 1)
    receiver.close()
    assert not journal.send(Happened("refused"), 2, 1)
    os.unlink(receiver.path)
    assert not journal.send(Happened("no such file"), 3, 1)
    receiver.open()
    assert journal.send(Happened("b"), 4, 1)
    assert [fields["HAFTA_NUMBER"] for fields in receiver.entries()] == ["4"]


def test_a_stuck_journald_costs_a_reporter_no_time_and_is_told_of(journal, receiver):
    reporter = Reporter(journal, time.monotonic)
    before = time.monotonic()
    for turn in range(1000):
        reporter.report(Happened(str(turn)))
    assert time.monotonic() - before < 5
    assert reporter.dropped
    arrived = receiver.entries()
    reporter.close()
    arrived += receiver.entries()
    told = sum(int(fields["HAFTA_COUNT"]) for fields in arrived if fields["HAFTA_EVENT"] == "events-dropped")
    got = sum(int(fields.get("HAFTA_REPEATED", "1")) for fields in arrived if fields["HAFTA_EVENT"] == "happened")
    assert told + got == 1000


@pytest.mark.parametrize("limit", [None, 1])
def test_an_entry_above_the_datagram_limit_goes_as_a_sealed_file(journal, receiver, limit):
    sender = journal._opened()
    if limit:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limit)  # the kernel's least, some 4.6 kB
    before = len(os.listdir("/proc/self/fd"))
    assert journal.send(Happened("x" * 9000), 1, 1)
    [fields] = receiver.entries()
    assert (fields["HAFTA_TEXT"], receiver.files) == ("x" * 9000, limit or 0)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_is_not_taken_is_told_and_closed(journal, receiver):
    fill(journal)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(BlockingIOError):
        journald._send_as_file(journal._socket, b"A=b\n", receiver.path)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("missing", ["memfd_create", "socket"])
def test_where_no_memory_file_or_socket_can_be_made_the_entry_is_not_taken(journal, monkeypatch, missing):
    if missing == "memfd_create":
        journal._opened().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    monkeypatch.setattr(os if missing == "memfd_create" else socket, missing, Mock(side_effect=OSError(24, "too many")))
    assert not journal.send(Happened("x" * 9000), 1, 1)


@pytest.mark.parametrize("reused", [False, True])
def test_a_socket_that_somebody_closed_is_made_anew_and_what_has_its_number_is_left_alone(journal, receiver, reused):
    journal.send(Happened("a"), 1, 1)
    number = journal._socket.fileno()
    os.close(number)
    other = os.open("/dev/null", os.O_RDONLY)
    if reused:
        assert other == number
    else:
        os.close(other)
    assert not journal.send(Happened("b"), 2, 1)
    assert journal.send(Happened("c"), 3, 1)
    assert [fields["HAFTA_TEXT"] for fields in receiver.entries()] == ["a", "c"]
    if reused:
        os.fstat(other)
        os.close(other)


def test_after_close_the_next_entry_opens_it_again(journal, receiver):
    journal.close()
    journal.send(Happened("a"), 1, 1)
    journal.close()
    journal.close()
    journal._forget()
    assert journal._socket is None
    assert journal.send(Happened("b"), 2, 1)
    assert len(receiver.entries()) == 2
