"""An interrupt at any moment of a claim, a write or a close leaves no descriptor, no lock and no half a record."""

import os
import signal
import sys
import threading
from types import SimpleNamespace

import pytest

import hafta
from hafta.stores import FileStore, MemoryStore

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # what an interrupt left is closed by Python

ROOM = os.path.dirname(hafta.__file__)


class Interrupt(BaseException):
    """As a signal handler raises it."""


def interrupted(act, after):
    """Do this, raising before the opcode of HAFTA that has this number; return whether it came to that."""
    left = after

    def trace(frame, event, _argument):
        nonlocal left
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            left -= 1
            if left < 0:
                raise Interrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except Interrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def at_every_opcode(prepare, act, check, step=1):
    """Interrupt `act(prepare())` before each of its opcodes, and check what is left each time; return how many.

    `step`: only before each third, say, of a long way.
    """
    number = 0
    while True:
        prepared = [prepare()]
        came = interrupted(lambda: act(prepared), number)  # noqa: B023
        check(prepared)
        prepared.clear()
        if not came:
            return number
        number += step


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def no_disk(monkeypatch):
    """What matters here is how it ends, not what is on the disk, and syncing takes time."""
    for sync in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, sync, int)


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    return FileStore(str(tmp_path)) if request.param == "file" else MemoryStore()


def in_another_thread(act):
    results = []
    thread = threading.Thread(target=lambda: results.append(act()))
    thread.start()
    thread.join(20)
    return results[0]


def written(store, body):
    with store.claim("s") as claim:
        claim.enter(b"frame")
        claim.write(body)


@pytest.mark.parametrize("power", [False, True])
def test_an_interrupt_in_a_claim_leaves_the_record_to_the_next(store, power):
    written(store, b"kept")
    open_before = descriptors()

    def check(prepared):
        prepared.clear()  # the claim, if it was made
        with store.claim("s") as again:
            assert (again.last.body, again.incidents) == (b"kept", [])
        assert descriptors() == open_before

    step = 3 if power else 1  # the way is the same but for its syncs
    assert at_every_opcode(lambda: None, lambda kept: kept.append(store.claim("s", power=power)), check, step) > 50


def test_an_interrupt_while_a_record_is_made_leaves_it_to_be_made(store):
    open_before = descriptors()

    def check(prepared):
        prepared.clear()
        with store.claim("s") as again:
            assert again.last is None
        assert store.discard("s")
        assert descriptors() == open_before

    assert at_every_opcode(lambda: None, lambda kept: kept.append(store.claim("s")), check, 3) > 50


@pytest.mark.parametrize("sync", [False, True])
def test_an_interrupt_in_a_write_leaves_the_record_before_or_this_one(store, sync):
    claim = store.claim("s")
    bodies = iter(range(10**6))

    def prepare():
        claim.enter(b"frame")
        claim.write(b"kept")
        return b"new %d" % next(bodies)

    def check(prepared):
        assert store.peek("s").saved.body in {b"kept", prepared[0]}
        in_another_thread(lambda: claim.write(b"next"))
        assert store.peek("s").saved.body == b"next"

    assert at_every_opcode(prepare, lambda prepared: claim.write(prepared[0], sync), check) > 20
    claim.close()


@pytest.mark.parametrize("closed_again", [False, True])
def test_an_interrupt_in_a_close_gives_the_claim_up_or_leaves_it_to_be_closed(store, closed_again):
    written(store, b"kept")
    open_before = descriptors()

    def check(prepared):
        if closed_again:
            prepared.pop().close()
        prepared.clear()
        with store.claim("s") as again:
            assert again.last.body == b"kept"
        assert descriptors() == open_before

    assert at_every_opcode(lambda: store.claim("s"), lambda prepared: prepared[0].close(), check) > 10


@pytest.mark.parametrize("ask", [lambda store: (store.peek("s"), store.snapshots()), lambda store: store.discard("s")])
def test_an_interrupt_in_peeking_and_discarding_leaves_no_descriptor(tmp_path, ask):
    store = FileStore(str(tmp_path))
    written(store, b"kept")
    open_before = descriptors()

    def check(_prepared):
        with store.claim("s") as again:
            assert again.last is None or again.last.body == b"kept"
        assert descriptors() == open_before

    assert at_every_opcode(lambda: None, lambda _: ask(store), check, 3) > 50


def live(store, *, power, discard):
    with store.claim("s", power=power) as claim:
        claim.enter(b"frame")
        claim.write(b"body")
    if discard:
        store.discard("s")


def test_real_interrupts_leave_nothing_either(tmp_path):
    """A timer that comes at any time, some thousands of times: made, claimed, written, closed and discarded."""
    store = FileStore(str(tmp_path))
    open_before, came = descriptors(), 0

    def raise_it(_number, _frame):
        raise Interrupt

    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        for number in range(2000):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00001 + number % 100 * 0.00001)
                for _ in range(5000):  # a swallowed one would be waited for for ever
                    live(store, power=number % 50 == 0, discard=number % 3 == 0)
            except Interrupt:
                came += 1
            with store.claim("s") as again:
                assert again.last is None or again.last.body == b"body"
                assert again.incidents == []
            assert descriptors() == open_before
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert came == 2000


def test_a_claim_that_is_in_a_circle_of_references_is_found_and_given_up(store):
    circle = SimpleNamespace(claim=store.claim("s"))
    circle.itself = circle
    del circle
    store.claim("s").close()
