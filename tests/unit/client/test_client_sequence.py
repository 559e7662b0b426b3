"""The client's sequence does and says what the tutorial's does. Its time moves by sleeping, its pipe is real."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hafta import fifo
from hafta.client import CP, PROGRAM, Data, client, try_again
from hafta.journal.events import Recovered, RolledBack
from hafta.reader import BadData
from hafta.server.source import BAD, GOOD
from hafta.settings import parse
from hafta.testing import FakeRuntime

OPEN_FAILED = "Open failed! Perhaps the server died?"
BAD_ONE = ["policy_data = T", "Some bad data"]
BAD_TWO = ["policy_data = o", "Some bad data"]
GONE = object()  # the server dies


class Enough(BaseException):
    """The test has seen enough."""


class World(FakeRuntime):
    """A runtime in which a server does the next thing of its list whenever the client waits for it.

    `meanwhile` comes before it, `then` after it, and `on_sleep` when the client sleeps.
    """

    def __init__(self, path: Path, acts: list[object], on_sleep: Callable[[int], None] = lambda _: None) -> None:
        super().__init__()
        self.pipe, self.acts, self.on_sleep = path, list(acts), on_sleep
        self.writer: int | None = None
        self.meanwhile: Callable[[list[object]], object] = lambda _acts: None
        self.then: Callable[[float | None, bool], object] = lambda _timeout, _ready: None

    def wait(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:
        self.meanwhile(self.acts)
        if self.acts and (act := self.acts.pop(0)) is not None:
            self.act(act)
        ready = super().wait(fd, timeout, write=write)
        self.then(timeout, ready)
        return ready

    def act(self, act: object) -> None:
        if self.writer is None:
            self.writer = os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
        if act is GONE:
            self.close()
        else:
            os.write(self.writer, act)

    def replace_pipe(self) -> None:
        """Let another pipe take the place of this one."""
        self.pipe.unlink(missing_ok=True)
        os.mkfifo(self.pipe, 0o600)

    def close(self) -> None:
        if self.writer is not None:
            os.close(self.writer)
        self.writer = None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.on_sleep(len(self.slept))


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe", 0o600)
    return tmp_path / "pipe"


def data_for(pipe: Path, *options: str) -> Data:
    return Data(parse(PROGRAM, ["--pipe", str(pipe), *options], {})[0])


def call(world: World, *options: str) -> object:
    data = data_for(world.pipe, *options)
    try:
        return client.call(data, runtime=world)
    finally:
        data.reader.close()
        world.close()


def reads(*numbers: int) -> list[str]:
    return [f"{number} successful read(s)" for number in numbers]


ONE_BY_ONE = reads(*range(1, 26))
SAID = {
    "one by one": ([GOOD] * 25, ONE_BY_ONE),
    "several at once": ([GOOD * 3, GOOD * 22], reads(3, 25)),
    "in pieces": ([GOOD[:1], GOOD[1:20], GOOD[20:] + GOOD[:25], GOOD[25:] + GOOD * 23], reads(1, 25)),
    "after a wait, which is told once": ([None, *[GOOD] * 25], ["Waiting for a server on {}", *ONE_BY_ONE]),
    "after half a record of a dead server": ([GOOD[:20], GONE, *[GOOD] * 25], [OPEN_FAILED, *ONE_BY_ONE]),
}


@pytest.mark.parametrize("how", SAID)
def test_25_good_reads_are_a_sequence_and_those_that_come_together_are_told_in_one_line(pipe: Path, how: str):
    acts, said = SAID[how]
    world = World(pipe, acts)
    assert bool(call(world))
    assert (world.said, world.slept) == ([line.format(pipe) for line in said], [])
    assert bool(world.events) == (GONE in acts)


def test_the_number_of_reads_can_be_set_but_not_to_none(pipe: Path):
    world = World(pipe, [GOOD])
    assert call(world, "--reads", "1")
    with pytest.raises(Exception, match="--reads: '0' is not a whole number, 1 or more"):
        data_for(pipe, "--reads", "0")


def test_one_sequence_leaves_the_rest_to_the_next_on_the_same_pipe(pipe: Path):
    world, data = World(pipe, [GOOD * 50]), data_for(pipe)
    assert client.call(data, runtime=world)
    assert client.call(data, runtime=world)
    assert world.said == reads(25, 25)
    data.reader.close()
    world.close()


def test_bad_data_is_tried_again_and_the_count_of_reads_begins_anew(pipe: Path):
    world = World(pipe, [GOOD, GOOD, BAD, *[GOOD] * 25])
    result = call(world)
    assert world.said == [*reads(1, 2), *BAD_ONE, *BAD_TWO, *reads(*range(1, 26))]
    assert str(result) == "client succeeded after 2 failures"
    first, second, recovered = world.events
    assert (first.node, first.checkpoint, first.attempt, first.to_node) == ("get_work", CP.RECEIVED, 1, "get_work")
    assert (second.attempt, second.reason) == (2, "BadData: " + BAD[26:].decode())
    assert (type(recovered), recovered.node, recovered.failures) == (Recovered, "get_work", 2)
    assert world.slept == [], "trying again takes no time"


def test_the_fifth_bad_record_in_a_row_opens_the_pipe_anew(pipe: Path):
    world = World(pipe, [BAD * 3, *[GOOD] * 25])
    result = call(world)
    assert result
    assert world.said[:11] == [*BAD_ONE, *BAD_TWO, *BAD_ONE, *BAD_TWO, *BAD_ONE, OPEN_FAILED]
    assert world.slept == [1]
    assert [step.node for step in world.steps[1:11]] == ["get_work"] * 9 + ["open_pipe"]


def test_bad_data_only_goes_round_for_ever(pipe: Path):
    """Five failures, back to the pipe, one second; again and again."""

    def enough(sleeps: int) -> None:
        if sleeps == 200:
            raise Enough

    world = World(pipe, [BAD * 3] * 1000, enough)
    with pytest.raises(Enough):
        call(world)
    assert world.said == [*BAD_ONE, *BAD_TWO, *BAD_ONE, *BAD_TWO, *BAD_ONE, OPEN_FAILED] * 200
    assert world.slept == [1] * 200
    assert world.progresses > 200 * 5, "all the while it is healthy"


def test_a_server_that_died_is_not_worth_five_attempts(pipe: Path):
    world = World(pipe, [GOOD, GOOD, GONE, *[GOOD] * 25])
    result = call(world)
    assert result
    assert world.said == [*reads(1, 2), OPEN_FAILED, *reads(*range(1, 26))]
    assert world.slept == [], "the wait for the next server ends when it is there"
    unwound, opened = world.events
    assert (unwound.node, unwound.unwinding, unwound.attempt) == ("get_work", True, 1)
    assert unwound.reason == f"ServerGone: the server has closed {pipe}"
    assert (opened.node, opened.to_node) == ("open_pipe", "open_pipe")


def write_before_opening(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server that is there write before the client opens the pipe: somebody must have it open, then, too."""
    open_reader = fifo.open_reader

    def open_after_writing(path: str) -> int:
        try:
            if world.writer is not None:
                world.act(GOOD * 25)
        except BrokenPipeError:
            raise Enough from None
        return open_reader(path)

    monkeypatch.setattr(fifo, "open_reader", open_after_writing)


def test_a_server_that_comes_before_the_end_of_the_last_one_is_dealt_with_has_a_reader(pipe, monkeypatch):
    world, read = World(pipe, [GOOD, GONE]), fifo.read

    def read_as_it_comes(fd: int, size: int) -> bytes | None:
        piece = read(fd, size)
        if piece == b"":
            world.act(b"")
        return piece

    monkeypatch.setattr(fifo, "read", read_as_it_comes)
    write_before_opening(world, monkeypatch)
    assert call(world)
    assert world.said == [*reads(1), OPEN_FAILED, *reads(25)]


def test_a_server_that_comes_when_the_second_is_just_over_has_a_reader(pipe: Path, monkeypatch: pytest.MonkeyPatch):
    world = World(pipe, [GOOD, GONE])
    world.then = lambda timeout, ready: world.act(b"") if timeout == 1 and not ready else None
    write_before_opening(world, monkeypatch)
    assert call(world)
    assert world.said == [*reads(1), OPEN_FAILED, *reads(25)]


def missing(path: Path) -> str:
    path.unlink()
    return f"there is no pipe at {path}"


def file(path: Path) -> str:
    path.unlink(missing_ok=True)
    path.write_text("precious")
    return f"{path} is a regular file, not a pipe"


def link(path: Path) -> str:
    path.rename(path.parent / "elsewhere")
    path.symlink_to("elsewhere")
    return f"{path} is a symbolic link to elsewhere"


def foreign(path: Path) -> str:
    if os.geteuid():
        pytest.skip("giving a pipe away needs root")
    path.parent.chmod(0o777)
    os.chown(path, 4711, 4711)
    return f"{path} belongs to"


@pytest.mark.parametrize("trouble", [missing, file, link, foreign])
def test_a_pipe_that_cannot_be_opened_is_tried_for_ever_and_journal_and_status_say_why(pipe: Path, trouble):
    reason = trouble(pipe)

    def mend(sleeps: int) -> None:
        if sleeps == 50:
            pipe.unlink(missing_ok=True)
            os.mkfifo(pipe, 0o600)

    world = World(pipe, [GOOD] * 25, mend)
    assert call(world)
    first, why, *others = world.said
    assert [first, *others] == [OPEN_FAILED] * 50 + reads(*range(1, 26))
    assert why.startswith(reason)
    assert all(status.startswith(f"waiting: {reason}") for status in world.statuses[:50])
    assert any(hint in why for hint in ("hafta-server --pipe", "--pipe or HAFTA_PIPE", "give the real path (--pipe)"))
    assert world.slept == [1] * 50
    assert world.progresses >= 50
    *failures, recovered = world.events
    assert all(isinstance(event, RolledBack) and reason in event.message() for event in failures)
    assert isinstance(recovered, Recovered)
    assert [event.attempt for event in failures] == list(range(1, 51))


def test_what_to_do_is_said_again_when_the_pipe_cannot_be_opened_for_another_reason(pipe: Path):
    reasons = [missing(pipe)]

    def change(sleeps: int) -> None:
        if sleeps == 2:
            reasons.append(file(pipe))
        if sleeps == 4:
            world.replace_pipe()

    world = World(pipe, [GOOD] * 25, change)
    assert call(world)
    why = [line for line in world.said[:-25] if line != OPEN_FAILED]
    assert [line.partition(";")[0] for line in why] == reasons


@pytest.mark.parametrize("looks", [1, 2, 5])
def test_a_pipe_that_another_takes_the_place_of_is_not_waited_on_for_ever(pipe: Path, looks: int):
    """Else its server waits for a reader, and the client for a server, and both are healthy."""
    world = World(pipe, [None] * looks + [GOOD] * 25)
    world.meanwhile = lambda acts: world.replace_pipe() if acts[:2] == [None, GOOD] else None
    assert call(world)
    assert world.said == [f"Waiting for a server on {pipe}", *reads(*range(1, 26))]


def test_a_pipe_that_another_takes_the_place_of_while_its_server_hangs_is_left(pipe: Path):
    """A process that cannot even be killed keeps its pipe open."""
    hanging: list[int] = []
    world = World(pipe, [GOOD * 3, None, GOOD * 25])

    def replace(acts: list[object]) -> None:
        if acts == [None, GOOD * 25] and not hanging:
            hanging.append(world.writer)
            world.writer = None
            world.replace_pipe()

    world.meanwhile = replace
    assert call(world)
    assert world.said == [*reads(3), OPEN_FAILED, *reads(25)]
    assert world.events[0].reason == f"ServerGone: another pipe has taken the place of {pipe}"
    os.close(*hanging)


@pytest.mark.parametrize("away", [Path.unlink, lambda pipe: pipe.rename(pipe.with_name("other"))])
def test_a_pipe_whose_path_is_gone_is_read_on_as_long_as_its_server_writes(pipe: Path, away: Callable[[Path], object]):
    world = World(pipe, [GOOD * 3, None, None, GOOD[:9], GOOD[9:] + GOOD * 21])
    world.meanwhile = lambda acts: away(pipe) if len(acts) == 4 else None
    assert call(world)
    assert (world.said, world.events) == (reads(3, 25), [])


def test_what_a_dead_server_has_left_is_read_and_its_pipe_is_not_waited_on_for_ever(pipe: Path):
    """Another reader has kept it: the kernel tells no end to a reader that came after the writer had gone."""
    another, last = (os.open(pipe, flags | os.O_NONBLOCK) for flags in (os.O_RDONLY, os.O_WRONLY))
    os.write(last, GOOD * 3)
    os.close(last)
    world = World(pipe, [None, None, None, GOOD * 25])
    world.meanwhile = lambda acts: world.replace_pipe() if acts == [None, GOOD * 25] else None
    assert call(world)
    assert world.said == [*reads(3), OPEN_FAILED, f"Waiting for a server on {pipe}", *reads(25)]
    os.close(another)


def test_a_pipe_that_is_removed_while_it_is_waited_on_is_missed(pipe: Path):
    world = World(pipe, [None, None, *[GOOD] * 25], lambda _: os.mkfifo(pipe, 0o600))
    world.meanwhile = lambda acts: pipe.unlink() if acts[:2] == [None, GOOD] else None
    assert call(world)
    waiting, failed, why, *others = world.said
    assert (waiting, failed) == (f"Waiting for a server on {pipe}", OPEN_FAILED)
    assert why.startswith(f"there is no pipe at {pipe}")
    assert others == reads(*range(1, 26))


def test_a_read_that_fails_otherwise_is_tried_five_times(pipe: Path):
    world = World(pipe, [GOOD * 25])
    world.force("get_work", OSError(5, "Input/output error"), times=5)
    assert call(world)
    assert world.said == [OPEN_FAILED, *reads(25)]


def test_an_impossible_checkpoint_is_a_panic():
    panics: list[str] = []
    data = SimpleNamespace(kept={"good": 0, "bad": 0, "rollbacks": 0})
    run = SimpleNamespace(panic=panics.append, say=panics.append, data=data, reason=BadData(BAD[:26]), state={})
    try_again(run, 7)
    assert panics == ["invalid checkpoint 7"]


def test_without_a_path_it_reads_where_the_server_writes_by_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/somewhere")
    assert Data(parse(PROGRAM, [], {})[0]).reader.path == "/run/somewhere/pipe"


def test_its_status_tells_what_it_has_read(pipe: Path):
    world = World(pipe, [GOOD, BAD, GOOD * 25])
    assert call(world)
    assert world.statuses[0] == f"waiting for a server on {pipe}"
    assert world.statuses[-1] == "26 good reads, 2 bad, 2 rollbacks"
