"""Running a call in a child process, for crash tests that kill it: fork, work, send the parent a message by a pipe."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings

from hafta.durable import codec
from hafta.engine.words import describe
from hafta.result import Result
from hafta.testing.cuts import Point

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Outcome = tuple[list[Point], Point | None, Result | None]

DEADLINE = 60  # seconds that a child may take


class ChildFailed(Exception):
    """The call raised in the child process (its traceback), or the child ended by itself."""


def run(work: Callable[[Callable[[Point], None]], tuple[list[Point], Result]]) -> Outcome:
    """Run `work` in a child: (cut points passed, where it was cut or None, the result or None).

    `work` is given a function that it calls with a point just before it kills itself there. A reason within the result
    arrives as text. Raises ChildFailed.
    """
    reading, writing = os.pipe()
    pid = _fork()
    if pid == 0:
        _be_the_child(work, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        message = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    values: list[Any]
    what, *values = codec.decode(message)[0] if message else ["it sent nothing"]
    if what == "cut" and status == -signal.SIGKILL:
        return [], Point(*values), None
    if what == "raised":
        raise ChildFailed(values[0])
    if what != "ended" or status != 0:
        raise ChildFailed(f"the process ended by itself, with status {status} ({what})")
    points, result = values
    return [Point(*point) for point in points], None, Result(**result)


def _fork() -> int:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # otherwise the child has what the parent has not written yet
    with warnings.catch_warnings():
        # Python 3.12+ warns where there are threads. The child calls only what the test gives it, and never returns.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _be_the_child(work: Callable[..., tuple[list[Point], Result]], pipe: int) -> NoReturn:
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(DEADLINE)
        _send(pipe, *_done(work, pipe))
        status = 0
    finally:
        os._exit(status)  # a child of a test run must not go on as a second one


def _done(work: Callable[..., tuple[list[Point], Result]], pipe: int) -> tuple[object, ...]:
    try:
        points, result = work(lambda point: _send(pipe, "cut", *point.values()))
    except BaseException:  # all that is raised is the parent's to judge
        return "raised", traceback.format_exc()
    ended: dict[str, Any] = {
        "sequence": result.sequence, "ok": result.ok, "node": result.node, "attempt": result.attempt,
        "reason": None if result.reason is None else describe(result.reason), "failures": result.failures,
        "duration": result.duration,
    }  # fmt: skip
    return "ended", [list(point.values()) for point in points], ended


def _send(pipe: int, *message: object) -> None:
    data = codec.encode(list(message), "message")
    while data:
        data = data[os.write(pipe, data) :]
