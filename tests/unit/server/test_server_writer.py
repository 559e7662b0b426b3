"""The writer against real pipes and a clock that moves only when it sleeps."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_streams import Clock, whole_records

from hafta import exits, fifo
from hafta.errors import ServiceError
from hafta.server.source import GOOD, Source
from hafta.server.writer import LONGEST, SHARE, SHORTEST, Writer


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    path = str(tmp_path / "pipe")
    fifo.make(path, 0o600)
    return path


@pytest.fixture
def reader(pipe: str) -> Iterator[int]:
    fd = fifo.open_reader(pipe)
    yield fd
    os.close(fd)


def failure(writer: Writer) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        writer.run()
    return caught.value


class TestWaitingForAReader:
    def run(self, pipe: str, seconds: float) -> Clock:
        readers: list[int] = []

        def arrive() -> None:
            if clock.time - 100 >= seconds and not readers:
                readers.append(fifo.open_reader(pipe))

        clock = Clock(on_sleep=arrive)
        Writer(clock, pipe, Source(0, count=1), 0).run()
        assert os.read(readers[0], 99) == GOOD
        os.close(readers[0])
        return clock

    def test_the_service_is_ready_before_and_says_what_it_waits_for(self, pipe: str):
        clock = self.run(pipe, 1.0)
        assert clock.readies == [f"waiting for a reader on {pipe}"]
        assert clock.said[:2] == [f"waiting for a reader on {pipe}", f"writing to {pipe}, as fast as possible"]

    @pytest.mark.parametrize("seconds", [0.0, 0.02, 0.3, 1.0, 10.0])
    def test_it_adds_at_most_a_twentieth_of_the_wait_and_at_most_a_quarter_of_a_second(self, pipe: str, seconds: float):
        waited = self.run(pipe, seconds).time - 100
        assert waited - seconds <= max(SHORTEST, min(LONGEST, waited / SHARE)) + 1e-9

    def test_a_long_wait_costs_four_tries_a_second(self, pipe: str):
        assert len(self.run(pipe, 100.0).sleeps) < 100 * 4 + 150

    def test_a_pipe_that_goes_away_meanwhile_is_an_error(self, pipe: str):
        clock = Clock(on_sleep=lambda: os.unlink(pipe))
        error = failure(Writer(clock, pipe, Source(0), 0))
        assert (error.message, error.status) == (f"there is no pipe at {pipe}", exits.NOT_FOUND)


class TestPace:
    def test_one_record_per_interval_on_a_steady_grid(self, pipe: str, reader: int):
        times = []

        def tick() -> None:
            times.append((round(clock.time - 100, 6), len(os.read(reader, 999))))
            clock.time += 0.25  # writing and reading take time

        clock = Clock(on_sleep=tick)
        Writer(clock, pipe, Source(0, count=5), 2.0).run()
        assert times == [(2.0, 26), (4.0, 26), (6.0, 26), (8.0, 26), (10.0, 26)]
        assert clock.sleeps == [2.0, 1.75, 1.75, 1.75, 1.75]

    def test_after_a_stall_there_is_no_burst(self, pipe: str, reader: int):
        def stall() -> None:
            if len(clock.sleeps) == 2:
                clock.time += 10.5

        clock = Clock(on_sleep=stall)
        Writer(clock, pipe, Source(0, count=5), 1.0).run()
        assert clock.sleeps == [1.0, 1.0, 0.5, 1.0, 1.0]
        assert whole_records(os.read(reader, 999)) == (5, 0)

    def test_the_interval_changes_no_byte(self, pipe: str, reader: int):
        streams = []
        for interval in (0, 0.5, 30):
            Writer(Clock(), pipe, Source(3, seed=5, count=300), interval).run()
            streams.append(os.read(reader, 1 << 16))
        assert streams[0] == streams[1] == streams[2]
        assert whole_records(streams[0])[0] == 300


class TestAReaderThatDoesNotRead:
    def test_it_is_waited_for_and_loses_nothing(self, pipe: str, reader: int):
        got = []

        def drain() -> None:
            got.append(os.read(reader, 30_000))

        clock = Clock(on_wait=drain)
        Writer(clock, pipe, Source(25, seed=1, count=20_000), 0).run()
        stream = b"".join(got) + os.read(reader, 1 << 20)
        source = Source(25, seed=1, count=20_000)
        assert stream == b"".join(iter(lambda: source.take()[0], b""))
        assert len(got) > 5

    def test_after_a_second_status_says_so(self, pipe: str, reader: int):
        seen = []

        def look() -> None:
            seen.append(clock.described())
            clock.time += 1.0
            seen.append(clock.described())
            os.read(reader, 1 << 20)

        clock = Clock(on_wait=look)
        Writer(clock, pipe, Source(0, count=3000), 0).run()
        assert seen == [
            "2,512 records written (0 bad), as fast as possible",
            f"2,512 records written (0 bad), waiting: the reader of {pipe} does not read",
        ]

    def test_when_it_goes_away_the_wait_ends(self, pipe: str):
        fd = fifo.open_reader(pipe)
        clock = Clock(on_wait=lambda: os.close(fd))
        assert failure(Writer(clock, pipe, Source(0), 0)).status == exits.READER_GONE


class TestEnds:
    @pytest.mark.usefixtures("reader")
    def test_a_write_that_fails_ends_it(self, pipe: str, monkeypatch: pytest.MonkeyPatch):
        def fail(*_args: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "write", fail)
        error = failure(Writer(Clock(), pipe, Source(0), 0))
        assert (error.message, error.status) == (f"cannot write to {pipe}: Input/output error", exits.SYSTEM)

    def test_of_two_that_wait_the_second_to_find_the_reader_ends(self, pipe: str):
        held: list[int] = []

        def the_first_finds_it() -> None:
            held.extend((fifo.open_reader(pipe), fifo.open_writer(pipe)))

        error = failure(Writer(Clock(on_sleep=the_first_finds_it), pipe, Source(0), 0))
        assert error.status == exits.IN_USE
        assert fifo.read(held[0], 1) is None, "nothing was written"
        for fd in held:
            os.close(fd)

    @pytest.mark.usefixtures("reader")
    @pytest.mark.parametrize(
        ("count", "rate", "text"), [(1, 0, "1 record written (0 bad)"), (1234, 1, "1,234 records written (1,234 bad)")]
    )
    def test_when_the_count_is_reached_it_says_what_it_wrote(self, pipe: str, count: int, rate: int, text: str):
        clock = Clock()
        Writer(clock, pipe, Source(rate, count=count), 0).run()
        assert (clock.said[-1], clock.moves > 0) == (text, True)


def test_status_tells_count_bad_ones_and_speed(pipe: str, reader: int):
    seen = []
    clock = Clock(on_sleep=lambda: seen.append(clock.described()))
    Writer(clock, pipe, Source(1, count=2), 0.25).run()
    assert clock.readies == ["0 records written (0 bad), one per 0.25 s"]
    assert seen[0] == "1 record written (1 bad), one per 0.25 s"
    assert whole_records(os.read(reader, 999)) == (2, 2)
