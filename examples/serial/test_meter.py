"""The meter at a cable that is a pty pair: garbage, half a line, unplugged, plugged in again, killed anywhere.

Run it with `python3 -m pytest` in this directory.
"""

import termios
from itertools import count

import pytest
from cable import Cable
from meter import LONGEST, Meter, meter

import hafta
from hafta.settings import Values
from hafta.testing import FakeRuntime, crash_everywhere


class World:
    """What outlives a process: the cable, with what was sent and nobody has read yet."""

    def __init__(self, home, sent=b""):
        home.mkdir()
        self.cable = Cable(str(home / "port"))
        self.cable.send(sent)
        self.processes = []

    def data(self):
        values = {"port": self.cable.port, "speed": termios.B9600, "silence": 10}
        self.processes.append(Meter(Values(values)))
        return self.processes[-1]

    @property
    def kept(self):
        return self.processes[-1].kept

    def call(self, runtime=None):
        return meter.call(self.processes[-1], runtime=runtime or FakeRuntime())

    def end(self):
        self.cable.unplug()
        for process in self.processes:
            process.close()


@pytest.fixture
def make(tmp_path):
    """Make worlds, and end them after the test."""
    made, numbers = [], count()

    def make(sent=b""):
        made.append(World(tmp_path / str(next(numbers)), sent))
        return made[-1]

    yield make
    for world in made:
        world.end()


class Hand(FakeRuntime):
    """A runtime in which something happens to the cable: at the waits and the sleeps that come, one after the other."""

    def __init__(self, *, waits=(), sleeps=()):
        super().__init__()
        self.waits, self.sleeps = iter(waits), iter(sleeps)

    def sleep(self, seconds):
        next(self.sleeps, bool)()
        super().sleep(seconds)

    def wait(self, fd, timeout=None, *, write=False):
        next(self.waits, bool)()
        return super().wait(fd, timeout, write=write)


def test_a_line_is_a_reading_and_the_speed_is_set(make):
    world = make(b"t=21.5\r\nt=-3\n")
    process = world.data()
    assert world.call()
    assert world.call()
    assert world.kept == {"readings": 2, "bad": 0, "last": "t -3"}
    assert termios.tcgetattr(process.fd)[4:6] == [termios.B9600, termios.B9600]


@pytest.mark.parametrize("garbage", [b"\xff\x00\xfe", b"t=warm", b"", b"=1", b"t=1 t=2", b"1.5"])
def test_garbage_is_counted_and_the_next_line_is_read(make, garbage):
    world = make(garbage + b"\nt=2\n")
    world.data()
    result = world.call()
    assert (bool(result), result.failures) == (True, 1)
    assert world.kept == {"readings": 1, "bad": 1, "last": "t 2"}


def test_noise_without_an_end_takes_no_memory(make):
    world = make(b"x" * 1000)
    process = world.data()
    result = world.call(Hand(waits=[bool, lambda: world.cable.send(b"\nt=2\n")]))
    assert "without an end" in str(result.history[0].reason)
    assert (world.kept["readings"], world.kept["last"]) == (1, "t 2")
    assert 2 <= world.kept["bad"] <= 1000 / LONGEST
    assert process.come == b""


def test_twenty_bad_lines_in_a_row_open_the_port_again(make):
    world = make(b"\xfe\n" * 20)
    world.data()
    runtime = Hand(waits=[bool, lambda: world.cable.send(b"t=2\n")])
    assert world.call(runtime)
    assert runtime.path == ["open_port", *["read_line"] * 39, *["open_port"] * 2, "read_line"]
    assert world.kept == {"readings": 1, "bad": 20, "last": "t 2"}


def test_half_a_line_when_it_is_unplugged_is_not_glued_to_what_comes_after(make):
    world = make(b"t=1")

    def plug_in_again():
        world.cable.plug()
        world.cable.send(b"5\nt=2\n")

    world.data()
    runtime = Hand(waits=[bool, world.cable.unplug], sleeps=[bool, plug_in_again])
    assert world.call(runtime)
    assert world.kept == {"readings": 1, "bad": 1, "last": "t 2"}  # "5" is not a reading, and "t=15" was never sent


def test_a_port_that_is_not_there_is_waited_for(make):
    world = make()
    world.cable.unplug()
    world.data()
    runtime = Hand(sleeps=[bool, bool, world.cable.plug], waits=[lambda: world.cable.send(b"t=3\n")])
    assert world.call(runtime)
    assert len(runtime.slept) == 3
    assert world.kept == {"readings": 1, "bad": 0, "last": "t 3"}


def test_a_meter_that_is_silent_is_opened_again(make):
    world = make()
    world.data()
    runtime = Hand(waits=[bool, lambda: world.cable.send(b"t=4\n")])
    result = world.call(runtime)
    assert isinstance(result.history[0].reason, TimeoutError)
    assert runtime.clock >= world.processes[-1].silence
    assert world.kept["last"] == "t 4"


def no_line_counts_twice(world):
    """The readings are numbered: no more can have been counted than were sent up to the last one."""
    for kept in (process.kept for process in world.processes):
        assert kept["readings"] <= int(kept["last"].partition(" ")[2] or 0)


def it_has_read_on(world, result):
    assert result
    assert world.kept["readings"] > 0
    no_line_counts_twice(world)


def test_wherever_it_dies_no_line_is_counted_twice(make):
    report = crash_everywhere(
        meter, world=lambda: make(b"temperature=1\nnoise\n" + b"".join(b"temperature=%d\n" % n for n in range(2, 60))),
        data=World.data, call=three_calls, always=no_line_counts_twice, invariant=it_has_read_on,
        checkpoints=lambda store, data: hafta.Checkpoints(store, keep=data.kept),
    )  # fmt: skip
    assert report.cuts > 20


def three_calls(sequence, data, **how):
    return [sequence.call(data, **how) for _ in range(3)][-1]
