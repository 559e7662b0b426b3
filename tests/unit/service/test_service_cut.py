"""A stop at the opcodes of the service's own code: status 0, and the overlord told once that it stops.

At each of them, or at some 500 where a service has more.
"""

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import pytest

import hafta
import hafta.service
from hafta import exits
from hafta.service import Stop, main
from hafta.service import signals as signals_of_service
from hafta.service.holdoff import _LAYOUT
from hafta.settings import Program

HERE = os.path.dirname(signals_of_service.__file__)
one = hafta.Sequence("one")


@one.node
async def node(run: hafta.Run):
    return hafta.EXIT


def fail(service: hafta.service.Service, _values: object) -> None:
    raise OSError("no")


def clean_up(service: hafta.service.Service, _values: object) -> None:
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        service.progress()


def call(service: hafta.service.Service, _values: object) -> None:
    assert one.call(runtime=service)


#: What a body does: the statuses that it may end with when a stop comes in addition.
BODIES = {
    "ends": (lambda service, values: service.ready(), {exits.OK}),
    "fails": (fail, {exits.OK, exits.SYSTEM}),
    "cleans up": (clean_up, {exits.OK}),
    "runs a loop": (call, {exits.OK}),
}


class Cut:
    """Traces the service's own code, and has the signal's handler called before one of its opcodes."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0
        self.chances: list[int] = []  # the opcodes before which a signal does something

    def __call__(self, frame, _event, _arg):
        if not frame.f_code.co_filename.startswith(HERE):
            return None
        frame.f_trace_opcodes = True
        return self.step

    def step(self, frame, event, _arg):
        if event == "opcode":
            self.seen += 1
            if signal.getsignal(signal.SIGTERM) is signals_of_service._on_signal:
                self.chances.append(self.seen)
                if self.seen == self.at:
                    signals_of_service._on_signal(signal.SIGTERM, frame)
        return self.step


@pytest.fixture(autouse=True)
def _collected():
    """A coroutine that a stop has cut off is spoken of here, and not in the next test."""
    yield
    gc.collect()


@pytest.fixture
def overlord(tmp_path, monkeypatch, signals) -> Iterator[socket.socket]:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("notify")
        receiver.setblocking(False)
        monkeypatch.setattr(signals_of_service, "GRACE", 0.001)
        yield receiver


def told(receiver: socket.socket) -> list[str]:
    lines = []
    while True:
        try:
            lines += receiver.recv(8192).decode().splitlines()
        except BlockingIOError:
            return lines


def run(body: Callable[..., None], cut: Cut, path: str) -> int:
    environ = {"NOTIFY_SOCKET": f"{path}/notify", "RUNTIME_DIRECTORY": path}
    previous = sys.gettrace()
    sys.settrace(cut)
    try:
        return main(Program("probe", "Probe.", (), (0,)), body, [], environ)
    finally:
        sys.settrace(previous)


@pytest.mark.filterwarnings("ignore:coroutine")  # a stop between making it and running it: Python says so
@pytest.mark.parametrize("how", BODIES)
def test_a_stop_before_any_opcode_ends_it_with_0_and_is_told_once(how: str, overlord, tmp_path):
    body, statuses = BODIES[how]
    whole = Cut(0)
    run(body, whole, str(tmp_path))
    assert told(overlord).count("STOPPING=1") == 1
    for at in whole.chances[:: 1 + len(whole.chances) // 500]:
        (tmp_path / "probe.starts").unlink()  # or it would hold itself back
        status = run(body, Cut(at), str(tmp_path))
        assert (status in statuses, told(overlord).count("STOPPING=1")) == (True, 1), (at, status)
        assert [signal.getsignal(signum) for signum in signals_of_service.STOPPING] == [signal.SIG_IGN] * 2, at
        assert sys.unraisablehook is not signals_of_service._send_again
        if status == exits.OK:
            assert _LAYOUT.unpack((tmp_path / "probe.starts").read_bytes())[1:] == (0, float("-inf"))
    assert len(whole.chances) > 20


def test_an_error_that_was_there_before_the_stop_is_not_lost(overlord, tmp_path):
    """Its report is not cut short either."""

    def body(service: hafta.service.Service, _values: object) -> None:
        try:
            raise Stop(signal.SIGTERM)
        finally:
            raise OSError("cleaning up failed")

    assert run(body, Cut(0), str(tmp_path)) == exits.SYSTEM
    assert "STATUS=failed: OSError: cleaning up failed" in told(overlord)
