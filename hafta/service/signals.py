"""Stopping at once: SIGTERM and SIGINT raise Stop in the main thread, so that every wait ends.

Rules:

1. The first signal raises Stop, once. Further signals do nothing: the clean-up is not interrupted.
2. A parent may have blocked the signals. Then one that comes early waits for install(), and is not lost.
3. Python prints and forgets what is raised in a `__del__` or in the callback of a weak reference (importing has one).
   A Stop that is lost in this way is not printed: the signal is sent again.
4. A handler is never replaced by SIG_IGN while a signal may be on its way to it: Python would print an error.
5. While an event loop runs in the main thread, nothing is raised in the loop's own code: a loop that loses the step
   that it was about to run waits for it for ever. The loop is asked instead, and cancels the task of the call
   (loops.py). If the loop is the program's own, a callback raises Stop in it: asyncio.run() then cancels all tasks, and
   raises Stop.
6. If the loop has not done that after GRACE seconds, code that does not await is blocking it. A thread, which exists
   only in this case, sends the signal again, until Stop can be raised in that code, or after the loop.
7. A forked child is not the service: there, a signal does what it did before install() (children.py).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from _thread import get_ident, get_native_id, start_new_thread

from hafta import exits
from hafta.errors import IllegalMove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

STOPPING = (signal.SIGTERM, signal.SIGINT)
GRACE = 0.05  # seconds

_hook = sys.unraisablehook  # that of the program
_before: dict[int, Any] = {}  # the handlers that install() found


class Stop(SystemExit):
    """The service was asked to stop. Catching Exception does not catch it.

    It is a SystemExit for two reasons. Code that knows SystemExit lets it through: asyncio swallows any other
    BaseException of a task. And if nothing catches it, the program ends quietly with status 0.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(exits.OK)
        self.signum = signum

    def __str__(self) -> str:
        return signal.Signals(self.signum).name


class Request:
    """The request to stop: one for the process, with what carries it out."""

    def __init__(self) -> None:
        self.pid = 0  # of the service
        self.signum = 0  # the signal that asked; 0: none yet
        self.since = 0.0  # when it came, on the monotonic clock
        self.taken = True  # signals do nothing now: Stop was raised, or a loop was asked, or the service has ended
        self.cancel: Callable[[], object] | None = None  # cancels the task of the call, while run_async() runs

    def open(self) -> None:
        """From now on a signal is taken."""
        self.pid, self.signum, self.cancel = os.getpid(), 0, None
        self.taken = False  # last: the handler looks at it first

    def stop(self, signum: int = 0) -> Stop:
        """Take the request; return the Stop to raise."""
        self.taken = True
        self.signum = self.signum or signum
        return Stop(self.signum)


request = Request()


def check_thread() -> None:
    """Raise IllegalMove outside of the main thread."""
    if get_native_id() != os.getpid():
        raise IllegalMove("a service must run in the main thread: only there can signals stop it", "call it there")


def stop_of(error: BaseException | None) -> Stop | None:
    """Return the Stop that ended the work, or that came when the work had ended by itself; None for a failure."""
    if isinstance(error, Stop):
        return error
    asked = Stop(request.signum) if request.signum else None
    if error is None or type(error).__name__ == "CancelledError":
        return asked
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return next((stop for stop in map(stop_of, members) if stop is not None), None)


def install() -> None:
    """From now on SIGTERM and SIGINT raise Stop; at once, if one of them was blocked until now."""
    global _hook
    if sys.unraisablehook is not _send_again:
        _hook, sys.unraisablehook = sys.unraisablehook, _send_again
    for signum in STOPPING:
        _before.setdefault(signum, signal.getsignal(signum))
    request.open()
    _handle(_on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def ignore() -> None:
    """From now on both signals change nothing, to the very end of the process. A forked child is left as it is."""
    if os.getpid() != request.pid:
        return
    request.taken = True
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # this also runs the handler for signals that came before
    _handle(signal.SIG_IGN)
    _restore_hook()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def give_back() -> None:
    """In a forked child: have signals and the hook as they were before install()."""
    request.taken = True
    request.cancel = None
    for signum, handler in _before.items():
        if signal.getsignal(signum) is _on_signal:
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)  # None: not Python's
    _restore_hook()


def _restore_hook() -> None:
    if sys.unraisablehook is _send_again:
        sys.unraisablehook = _hook


def _handle(handler: Any) -> None:
    for signum in STOPPING:
        signal.signal(signum, handler)


def _on_signal(signum: int, frame: FrameType | None) -> None:
    """Raise Stop, or ask the event loop of this thread to stop."""
    if request.taken:  # first: for two signals at once CPython calls this with Stop set, when no call works any more
        return
    if os.getpid() != request.pid:  # a library forked this process without Python
        give_back()
        os.kill(os.getpid(), signum)
        return
    loop = _running_loop()
    if loop is None and request.cancel is None and not _is_delicate(frame):
        raise request.stop(signum)
    if not request.signum:
        request.since, request.signum = time.monotonic(), signum
        _start_thread(_insist, signum, get_ident())
    elif loop is not None and time.monotonic() - request.since >= GRACE and _is_held_up(frame):
        raise request.stop()
    if loop is not None:
        loop.call_soon_threadsafe(_stop_in_loop)


def _stop_in_loop() -> None:
    """Called by the event loop between two steps of its tasks."""
    if request.taken or (request.cancel is None and _is_closing(sys._getframe())):  # noqa: SLF001 - as inspect does
        return  # asyncio.run() is closing the loop already; _insist() sends the signal again later
    stop = request.stop()
    if request.cancel is None:
        raise stop
    request.cancel()


def _insist(signum: int, thread: int) -> None:
    """Send the signal again until the request is taken: the loop may be blocked, or may have ended unasked."""
    time.sleep(GRACE)
    while not request.taken:
        signal.pthread_kill(thread, signum)
        time.sleep(GRACE)


def _running_loop() -> AbstractEventLoop | None:
    """Return the event loop that runs in this thread, without importing asyncio, which may be half imported."""
    get = getattr(sys.modules.get("asyncio.events"), "_get_running_loop", None)
    return None if get is None else get()


def _is_held_up(frame: FrameType | None) -> bool:
    """Tell whether code of a task or of a callback is running, and not the loop's own code."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module == "asyncio.runners" or (module == "asyncio.events" and frame.f_code.co_name == "_run"):
            return True
        if module.startswith("asyncio."):
            return False
        frame = frame.f_back
    return True


def _is_delicate(frame: FrameType | None) -> bool:
    """Tell whether Stop must not be raised here.

    Either asyncio.run() is making or closing a loop; or a fork is being prepared, where an exception would be lost.
    """
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("asyncio.") or module == "hafta.service.children":
            return True
        frame = frame.f_back
    return False


def _is_closing(frame: FrameType | None) -> bool:
    """Tell whether asyncio.run() has finished its work, and is ending the tasks that are left."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "asyncio.runners":
            return frame.f_code.co_name in {"close", "_cancel_all_tasks"}
        frame = frame.f_back
    return False


def _send_again(lost: Any) -> None:
    """For a lost Stop: send the signal again after this has returned. The program's own hook gets everything else."""
    if isinstance(lost.exc_value, Stop):
        _start_thread(_repeat, lost.exc_value.signum, get_ident())
    else:
        _hook(lost)


def _repeat(signum: int, thread: int) -> None:
    """Send the signal again, after the hook has returned: what is raised inside the hook is lost, too."""
    time.sleep(0.001)
    request.signum, request.taken = 0, False
    signal.pthread_kill(thread, signum)


def _start_thread(function: Callable[..., object], *args: int) -> None:
    try:
        start_new_thread(function, args)
    except RuntimeError:  # no thread can be started: rely on the loop, or on the next signal
        return
