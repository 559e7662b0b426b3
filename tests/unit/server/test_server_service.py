"""hafta-server as a whole, in a process of its own."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import in_time
from server_streams import Server, pieces, read_to_end, whole_records

from hafta import exits, fifo
from hafta.server.program import PROGRAM, main, octal
from hafta.server.source import Source


def at_waiting(running: Server) -> None:
    assert running.wait_told("STATUS=") == f"STATUS=waiting for a reader on {running.pipe}"


def at_an_interval(running: Server) -> None:
    at_waiting(running)
    next(iter(pieces(running.open_reader())))


def at_a_full_pipe(running: Server) -> None:
    at_waiting(running)
    running.open_reader()
    running.wait_told("does not read")


def at_full_speed(running: Server) -> None:
    at_waiting(running)
    reader = fifo.open_reader(running.pipe)
    running.read_on(reader)
    os.close(reader)
    running.wait_told("as fast as possible")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("moment", "interval"), [(at_waiting, "1"), (at_an_interval, "60"), (at_a_full_pipe, "0"), (at_full_speed, "0")]
)
def test_a_signal_ends_it_with_0_within_100_ms(tmp_path: Path, moment: Callable, interval: str, signum: int):
    def attempt() -> tuple[int, float]:
        with Server(tmp_path, "--interval", interval) as running:
            moment(running)
            ended = running.stop(signum)
            assert running.wait_told("STOPPING") == "STOPPING=1"
        return ended

    in_time(attempt)


def test_it_is_ready_when_the_pipe_is_there_and_before_a_reader_is(tmp_path: Path):
    with Server(tmp_path) as running:
        running.wait_told("READY=1")
        assert os.path.exists(running.pipe)


@pytest.mark.parametrize("interval", ["0", "0.0001"])
def test_the_environment_sets_what_the_options_set(tmp_path: Path, interval: str):
    environ = {"HAFTA_COUNT": "400", "HAFTA_SEED": "1", "HAFTA_BAD_RATE": "2", "HAFTA_MODE": "0644"}
    with Server(tmp_path, HAFTA_INTERVAL=interval, **environ) as running:
        running.wait_told("READY")
        reader = fifo.open_reader(running.pipe)
        assert os.stat(running.pipe).st_mode & 0o777 == 0o644
        stream = read_to_end(reader)
        assert running.finish()[::2] == (0, "")
        os.close(reader)
    source = Source(2, 1, 400)
    assert stream == b"".join(iter(lambda: source.take()[0], b""))
    assert whole_records(stream)[0] == 400


def test_a_reader_that_goes_away_ends_it_with_a_line_that_says_so(tmp_path: Path):
    with Server(tmp_path, "--interval", "0.01") as running:
        running.wait_told("READY")
        running.pause()  # it may well find a reader that only looks in, and then die of that one
        os.close(fifo.open_reader(running.pipe))
        reader = fifo.open_reader(running.pipe)
        running.process.send_signal(signal.SIGCONT)
        next(iter(pieces(reader)))
        os.close(reader)
        status, _, errors = running.finish()
    assert status == exits.READER_GONE
    assert errors.splitlines() == [
        f"hafta-server: error: the reader of {running.pipe} went away",
        "hafta-server: its overlord restarts the server, which then waits for the next reader",
    ]


def test_a_second_copy_is_never_ready_and_names_the_first(tmp_path: Path):
    with Server(tmp_path, "--interval", "0.01") as first:
        first.wait_told("READY")
        reader = fifo.open_reader(first.pipe)
        next(iter(pieces(reader)))
        with Server(tmp_path) as second:
            status, _, errors = second.finish()
            assert f"{second.pipe} is in use by process {first.process.pid}" in errors
            assert (status, second.told[0]) == (exits.IN_USE, "STOPPING=1")
        stream = next(iter(pieces(reader)))
        os.close(reader)
    assert whole_records(stream)[0] > 0, "the reader notices nothing"


@pytest.mark.parametrize("moment", [at_waiting, at_a_full_pipe])
def test_long_waits_feed_the_watchdog(tmp_path: Path, moment: Callable):
    with Server(tmp_path, "--interval", "0", WATCHDOG_USEC="400000") as running:
        moment(running)
        start = time.monotonic()
        running.drain()
        running.told.clear()
        running.wait_told("WATCHDOG=1", times=5)
        assert running.process.poll() is None
        assert time.monotonic() - start > 4 * 0.2 * 0.5, "no more than twice a period"


@pytest.mark.usefixtures("signals")
def test_without_a_path_it_makes_its_own_private_place(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    (tmp_path / "hafta").symlink_to("elsewhere")
    tmp_path.chmod(0o777)
    assert main([]) == exits.SYMLINK
    assert f"{tmp_path}/hafta is a symbolic link" in capfd.readouterr().err
    (tmp_path / "hafta").unlink()
    fifo.make_directory(str(tmp_path / "hafta"))
    fifo.make(str(tmp_path / "hafta" / "pipe"), 0o600)
    reader = fifo.open_reader(str(tmp_path / "hafta" / "pipe"))
    assert main(["--count", "2", "--interval", "0"]) == 0
    assert whole_records(os.read(reader, 999))[0] == 2
    os.close(reader)
    assert (tmp_path / "hafta").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "8", "rw", "-600", "0o600", "1600", "0777", "0444", "0"])
def test_a_mode_is_octal_and_one_that_makes_no_sense_is_refused(text: str):
    assert [octal(good) for good in ("600", "0640", "0666")] == [0o600, 0o640, 0o666]
    with pytest.raises(ValueError, match="an octal mode of at most 0666 in which the owner may write"):
        octal(text)


@pytest.mark.usefixtures("signals")
def test_a_wrong_setting_is_a_usage_error_and_help_names_each_status(capfd: pytest.CaptureFixture):
    assert main(["--interval", "soon"]) == exits.USAGE
    assert "--interval: 'soon' is not a number, 0 or more" in capfd.readouterr().err
    assert set(PROGRAM.statuses) >= {exits.READER_GONE, exits.NOT_A_PIPE, exits.SYMLINK, exits.IN_USE, exits.USAGE}
