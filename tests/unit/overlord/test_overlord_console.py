"""Output: whatever bytes, whoever reads."""

import os
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta.journal.overlord_events import OverlordStarted, UnitFailed
from hafta.overlord import console as console_module
from hafta.overlord import overlord as overlord_module
from hafta.overlord.console import OVERLORD, RESERVE, ROOM, Console, ConsoleSink
from hafta.overlord.lines import LINE_MAX, Line, Splitter


@given(st.lists(st.binary(max_size=40)))
def test_lines_come_whole_whatever_the_pieces(pieces):
    data = b"".join(pieces)
    splitter = Splitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)] + splitter.end()
    whole = Splitter()
    assert lines == whole.feed(data) + whole.end()
    assert len(lines) == len(data.split(b"\n")) - (data.endswith(b"\n") or not data)
    assert all(line.text.isprintable() or "\t" in line.text or not line.text.isascii() for line in lines)


def test_priorities_are_taken_off_and_garbage_is_shown_harmlessly():
    lines = Splitter().feed(b"<3>bad\n<9>no\n<3\nok\r\n\x1b[2J\x00\xff\xc3\xa9\n\n")
    assert [(line.text, line.priority) for line in lines] == [
        *(("bad", 3), ("<9>no", 6), ("<3", 6), ("ok", 6), ("\\x1b[2J\\x00\\xff\u00e9", 6), ("", 6)),
    ]


def test_huge_lines_come_in_pieces_that_say_so():
    splitter = Splitter()
    lines = splitter.feed(b"<3>" + b"x" * (2 * LINE_MAX + 10))
    lines += splitter.feed(b"<3>end\nnext\n")
    assert [line.continues for line in lines] == [False, True, True, False]
    assert sum(len(line.text) for line in lines) == 2 * LINE_MAX + 10 + len("<3>end") + len("next")
    assert lines[-1] == Line("next")
    assert [line.continues for line in Splitter().feed(b"y" * (LINE_MAX + 1) + b"\nz\n")] == [False, True, False]
    assert Splitter().end() == []


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_huge_line_is_not_cut_in_the_middle_of_a_character(before, end):
    text = "x" * before + "\u20ac\U0001f600" * LINE_MAX
    splitter = Splitter()
    lines = splitter.feed(text.encode() + end) + splitter.end()
    assert "".join(line.text for line in lines) == text
    assert max(len(line.text.encode()) for line in lines) <= LINE_MAX
    assert [line.continues for line in lines] == [False] + [True] * (len(lines) - 1)


def test_a_huge_line_that_is_no_text_is_cut_all_the_same():
    lines = Splitter().feed(b"\x80" * (LINE_MAX + 1) + b"\n")
    assert [line.text for line in lines] == ["\\x80" * LINE_MAX, "\\x80"]


def read_all(fd):
    data = b""
    try:
        while piece := os.read(fd, 1 << 20):
            data += piece
    except BlockingIOError:
        pass
    return data


def test_names_stand_in_a_column_and_colours_only_where_they_are_wanted(pipe):
    reader, writer = pipe
    plain = Console(writer, colour=False)
    plain.introduce(["a", "a-long-name"])
    assert plain.show("a", "x")
    assert plain.show("a-long-name", "y", 4, "+")
    plain.flush()
    assert read_all(reader).decode() == "a           | x\na-long-name + warning: y\n"
    coloured = Console(writer, colour=True)
    coloured.introduce(["a"])
    coloured.show("a", "x", 3)
    coloured.show(OVERLORD, "z")
    coloured.flush()
    assert read_all(reader).decode() == (
        "\x1b[36ma        |\x1b[0m \x1b[31merror:\x1b[0m x\n\x1b[1moverlord |\x1b[0m z\n"
    )


def test_no_name_and_no_sentence_can_act_on_a_terminal_or_forge_a_line(pipe):
    console = Console(pipe[1], colour=False)
    console.introduce(["t@\x1b[2J", "a\nb", "x" * 300])
    console.show("t@\x1b[2J", "clear")
    console.show("a\nb", "line\nforged | line", 3)
    console.show(OVERLORD, "unit c\nd is\x9b up")
    console.flush()
    assert [line.split() for line in read_all(pipe[0]).decode().splitlines()] == [
        ["t@\\x1b[2J", "|", "clear"],
        ["a\\x0ab", "|", "error:", "line\\x0aforged", "|", "line"],
        ["overlord", "|", "unit", "c\\x0ad", "is\\x9b", "up"],
    ]
    assert console_module.short("overlord.service") == "overlord.service", "it is not the overlord itself"
    assert console_module.short("a.service") == "a"


def test_the_flags_of_the_descriptor_are_left_alone(pipe):
    _, writer = pipe
    Console(writer, colour=False).flush()
    assert os.get_blocking(writer)


def test_a_stuck_reader_costs_lines_that_are_counted_and_told_of(pipe):
    reader, writer = pipe
    console = Console(writer, colour=False)
    shown = sum(console.show("a", "x" * 1000) for _ in range(1000))
    console.flush()
    assert console.waiting
    assert console.fileno() == writer
    assert shown * 1010 <= ROOM
    assert console.show(OVERLORD, "still heard")
    assert not console.show("a", "dropped until that has been told of")
    assert not all(console.show(OVERLORD, "y" * 1000) for _ in range(2 * RESERVE // 1000))
    text = b""
    while console.waiting:
        text += read_all(reader)
        console.flush()
    text += read_all(reader)
    told = f"overlord | warning: {1001 - shown} lines of a dropped: the output could not be written in time"
    assert told in text.decode()
    assert b"still heard" in text
    assert console.show("a", "again")


def test_one_dropped_line_is_told_of_as_one(pipe):
    reader, writer = pipe
    console = Console(writer, colour=False)
    while console.show("a", "x" * 10_000):
        pass
    while console.waiting:
        console.flush()
        text = read_all(reader)
    assert b"1 line of a dropped" in text


def test_a_reader_that_has_gone_costs_everything_without_a_word(pipe):
    reader, writer = pipe
    console = Console(writer, colour=False)
    os.close(reader)
    console.show("a", "x")
    console.flush()
    assert not console.waiting
    assert not console.show("a", "y")


def test_a_closed_descriptor_is_no_error(pipe):
    _, writer = pipe
    os.close(writer)
    console = Console(writer, colour=False)
    console.show("a", "x")
    console.flush()
    assert not console.show("a", "y")


def test_a_socket_is_written_without_waiting_and_without_sigpipe():
    ours, theirs = socket.socketpair()
    console = Console(ours.fileno(), colour=False)
    while console.show("a", "x" * 1000):
        console.flush()
    assert console.waiting
    assert theirs.recv(10) == b"a        |"
    theirs.close()
    console.finish(0.1)
    assert not console.waiting
    ours.close()


def test_a_file_is_simply_written(tmp_path):
    fd = os.open(tmp_path / "f", os.O_WRONLY | os.O_CREAT)
    console = Console(fd, colour=False)
    console.show("a", "x")
    console.flush()
    os.close(fd)
    assert (tmp_path / "f").read_text() == "a        | x\n"


def test_a_file_on_a_full_disk_is_written_again_when_there_is_room(tmp_path):
    fd = os.open("/dev/full", os.O_WRONLY)
    console = Console(fd, colour=False)
    console.show("a", "x")
    console.flush()
    assert not console.waiting, "no selector tells when there is room"
    while console.show("a", "y" * 10_000):
        pass
    file = os.open(tmp_path / "f", os.O_WRONLY | os.O_CREAT)
    os.dup2(file, fd)
    console.flush()
    console.finish(0.1)
    os.close(file)
    os.close(fd)
    first, *_, last = (tmp_path / "f").read_text().splitlines()
    assert first == "a        | x"
    assert last == "overlord | warning: 1 line of a dropped: the output could not be written in time"


def test_at_the_end_a_full_disk_is_not_waited_for():
    fd = os.open("/dev/full", os.O_WRONLY)
    console = Console(fd, colour=False)
    console.show("a", "x")
    begun = time.monotonic()
    console.finish(30)
    assert time.monotonic() - begun < 25
    os.close(fd)


def test_what_cannot_be_opened_again_is_polled(pipe, monkeypatch):
    reader, writer = pipe
    monkeypatch.setattr(console_module.os, "open", lambda *_: (_ for _ in ()).throw(PermissionError()))
    console = Console(writer, colour=False)
    console.show("a", "x" * 10_000)
    console.flush()
    assert len(read_all(reader)) == 10_012
    while console.show("a", "x" * 1000):
        console.flush()
    assert console.waiting


def test_at_the_end_a_slow_reader_gets_its_time_and_a_stuck_one_not_more(pipe):
    _, writer = pipe
    console = Console(writer, colour=False)
    while console.show("a", "x" * 1000):
        pass
    begun = time.monotonic()
    console.finish(0.1)
    assert 0.1 <= time.monotonic() - begun < 5
    assert console.waiting


def test_events_stand_among_the_lines_and_tell_when_there_is_no_room(pipe):
    reader, writer = pipe
    console = Console(writer, colour=False)
    sink = ConsoleSink(console)
    assert sink.send(OverlordStarted(2), 1, 1)
    assert sink.send(UnitFailed("a", "why"), 2, 3)
    sink.close()
    console.flush()
    assert read_all(reader).decode() == (
        "overlord | Overlord started with 2 units\noverlord | error: Unit a failed: why (the last of 3 alike)\n"
    )
    while sink.send(OverlordStarted(2), 1, 1):
        pass


def test_under_systemd_events_go_to_the_journal(pipe, tmp_path):
    _, writer = pipe
    console = Console(writer, colour=False)
    assert isinstance(overlord_module.choose({}, console), ConsoleSink)
    status = os.fstat(2)
    sink = overlord_module.choose({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}, console)
    assert sink.structured
    sink.close()
