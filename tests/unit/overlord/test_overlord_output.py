"""What a service writes is read in pieces that hold nobody up, also where each byte of it is a line."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

import pytest

from hafta.overlord import output as module
from hafta.overlord.console import ROOM, Console
from hafta.overlord.output import SIZE, Output
from hafta.process.loop import Loop
from hafta.units.streams import Standard


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
    yield reader, writer
    with suppress(OSError):
        os.close(writer)


def test_what_is_read_in_one_turn_is_bounded(pipe):
    reader, writer = pipe
    shown = []
    output = Output(reader, Loop(lambda _: None, lambda _: None), shown.append, Standard())
    os.write(writer, b"\n" * 100_000)
    output.read()
    assert len(shown) == SIZE
    output.close()


def test_a_dead_process_s_rest_is_drained_for_a_moment_and_then_in_turn(pipe, monkeypatch):
    """The last line, without its newline, is shown once, when it is the last."""
    monkeypatch.setattr(module, "DRAIN", 0.0)
    reader, writer = pipe
    shown = []
    output = Output(reader, Loop(lambda _: None, lambda _: None), lambda line: shown.append(line.text), Standard())
    os.write(writer, b"\n" * (3 * SIZE) + b"last")
    output.drain()
    assert shown == [""] * SIZE
    for _ in range(3):
        output.read()
    assert shown == [""] * (3 * SIZE)
    output.drain()
    assert shown[-1] == "last"
    output.close()


def test_what_fits_in_a_moment_is_drained_at_once(pipe):
    reader, writer = pipe
    shown = []
    output = Output(reader, Loop(lambda _: None, lambda _: None), lambda line: shown.append(line.text), Standard())
    os.write(writer, b"one line of some length\n" * 300 + b"last")
    output.drain()
    assert (len(shown), shown[-1]) == (301, "last")
    output.close()


def test_output_is_shown_until_its_last_writer_is_gone(pipe):
    reader, writer = pipe
    shown = []
    loop = Loop(lambda _: None, lambda _: None)
    output = Output(reader, loop, lambda line: shown.append(line.text), Standard())
    output.read()
    os.write(writer, b"one\ntw")
    loop.turn()
    output.drain()
    assert shown == ["one", "tw"]
    os.write(writer, b"o\nthree")
    os.close(writer)
    output.drain()
    assert not output.is_open
    assert shown == ["one", "tw", "o", "three"]
    output.read()
    output.close()
    loop.close()


def test_lines_that_a_file_has_no_room_for_in_one_turn_are_counted_in_it_and_nothing_waits_for_the_file(tmp_path):
    with (tmp_path / "log").open("wb") as file:
        console, loop = Console(file.fileno(), colour=False), Loop(lambda _: None, lambda _: None)
        shown = sum(console.show("a", "x" * 1000) for _ in range(ROOM // 500))
        console.flush_in(loop)
        assert not loop.is_watching(console)
        loop.close()
    lines = (tmp_path / "log").read_text().splitlines()
    told = f"{ROOM // 500 - shown} lines of a dropped: the output could not be written in time"
    assert (len(lines), lines[-1]) == (shown + 1, f"overlord | warning: {told}")
