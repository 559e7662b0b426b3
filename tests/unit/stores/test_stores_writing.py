"""Writing into slots: what the disk refuses is written elsewhere or refused to the caller; nobody gets in between."""

import errno
import os
import signal
import threading

import pytest
from stores_support import damage

from hafta.errors import StoreError
from hafta.stores.file import layout
from hafta.stores.protocol import MOST_INCIDENTS, Saved
from hafta.testing.stores import refused


class Disk:
    """The real system calls, of which some fail: a list of what the next ones do, None or an errno, or "short"."""

    def __init__(self, monkeypatch):
        self.plan = {"pwrite": [], "fdatasync": []}
        self.calls = []
        self.real = {name: getattr(os, name) for name in self.plan}
        for name in self.plan:
            monkeypatch.setattr(os, name, lambda *arguments, name=name: self.call(name, *arguments))

    def call(self, name, fd, *arguments):
        what = self.plan[name].pop(0) if self.plan[name] else None
        self.calls.append((name, (arguments[1] - layout.FIRST) // 4096 if name == "pwrite" else None))
        if isinstance(what, int):
            raise OSError(what, os.strerror(what))
        if what == "short":
            data, offset = arguments
            return self.real[name](fd, data[:10], offset)
        return self.real[name](fd, *arguments)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.fixture
def claim(store, disk):
    with store.claim("s") as claim:
        claim.enter(b"f")
        disk.calls.clear()
        yield claim


def newest(store):
    return store.peek("s").saved


def test_the_newest_and_the_synced_slot_are_never_written_to(claim, disk):
    for n in range(199):
        before = claim._slots.newest, claim._slots.pinned
        disk.calls.clear()
        claim.write(b"%d" % n, sync=n % 7 in {3, 4})
        assert disk.calls[0][1] not in before
    assert claim._slots.newest != claim._slots.pinned


@pytest.mark.parametrize(("sync", "calls"), [(False, ["pwrite"]), (True, ["pwrite", "fdatasync"])])
def test_a_write_is_one_system_call_and_one_sync_if_that_is_asked_for(claim, disk, sync, calls):
    claim.write(b"first")
    disk.calls.clear()
    claim.write(b"1", sync)
    claim.write(b"2", sync)
    assert [name for name, _ in disk.calls] == calls * 2


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("ended", [False, True], ids=["made", "cleared"])
def test_no_damaged_slot_loses_the_first_record_of_a_call(store, tmp_path, sync, ended):
    with store.claim("s") as claim:
        if ended:
            claim.enter(b"f")
            claim.write(b"of the call before", sync)
            claim.clear(sync)
        claim.enter(b"f")
        claim.write(b"first", sync)
    path = tmp_path / "hafta-s.checkpoint"
    whole = path.read_bytes()
    for slot in range(layout.SLOTS):
        data = bytearray(whole)
        data[layout.FIRST + slot * 4096 + 50] ^= 1
        path.write_bytes(data)
        assert newest(store).body == b"first"


def test_after_a_failed_sync_the_record_goes_whole_into_the_other_spare_slot(claim, disk, store):
    claim.write(b"1", sync=True)
    claim.write(b"2", sync=True)
    pinned = claim._slots.pinned
    disk.calls.clear()
    disk.plan["fdatasync"] = [errno.EIO]
    claim.write(b"3", sync=True)
    (_, first), _, (_, second), _ = disk.calls
    assert sorted({0, 1, 2} - {pinned}) == sorted((first, second))
    assert newest(store).body == b"3"
    (incident,) = claim.incidents
    assert incident.kind == "retried"
    assert "Input/output error" in incident.text
    assert f"the record was written again, to slot {second}" in incident.text


def test_a_failed_sync_never_costs_the_newest_acknowledged_record(claim, disk):
    claim.write(b"1", sync=True)
    claim.write(b"2")
    kept = {claim._slots.newest, claim._slots.pinned}
    (spare,) = {0, 1, 2} - kept
    disk.calls.clear()
    disk.plan["fdatasync"] = [errno.EIO]
    refused("io", lambda: claim.write(b"3", sync=True))
    claim.write(b"4")
    assert disk.calls == [("pwrite", spare), ("fdatasync", None), ("pwrite", spare)]
    assert (claim._slots.newest, claim._slots.pinned in kept) == (spare, True)


def test_a_sync_that_fails_twice_is_never_acknowledged_and_the_synced_slot_stays(claim, disk, store):
    claim.write(b"1", sync=True)
    pinned = claim._slots.pinned
    disk.plan["fdatasync"] = [errno.EIO, errno.EIO]
    refused("io", lambda: claim.write(b"2", sync=True))
    assert claim._slots.pinned == pinned
    claim.write(b"3", sync=True)
    assert newest(store).body == b"3"


def test_a_write_that_fails_once_is_repeated_and_said_and_what_nobody_takes_does_not_pile_up(claim, disk, store):
    for number in range(1, MOST_INCIDENTS + 20):
        disk.plan["pwrite"] = [errno.EIO]
        claim.write(b"%d" % number)
        assert newest(store).body == b"%d" % number
        assert [incident.kind for incident in claim.incidents] == ["retried"] * min(number, MOST_INCIDENTS)


def test_who_listens_is_told_of_an_incident_at_once(claim, disk):
    taken = []
    claim.on_incident = taken.append
    disk.plan["pwrite"] = [errno.EIO]
    claim.write(b"1")
    assert ([incident.kind for incident in taken], claim.incidents) == (["retried"], [])


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, "full"), (errno.EIO, "io"), (errno.EROFS, "read-only")])
def test_a_write_that_goes_on_failing_is_refused_and_the_record_before_stands(claim, disk, store, code, kind, sync):
    claim.write(b"1")
    disk.plan["pwrite"] = [code] * 5
    refused(kind, lambda: claim.write(b"2", sync))
    assert newest(store).body == b"1"
    disk.plan["pwrite"] = []
    claim.write(b"3", sync)
    assert newest(store).body == b"3"


@pytest.mark.parametrize("sync", [False, True])
def test_a_write_that_comes_out_short_is_repeated(claim, disk, store, sync):
    claim.write(b"1")
    disk.plan["pwrite"] = ["short"]
    if sync:
        with pytest.raises(StoreError):  # the newest and the synced slot are two: there is no other spare one
            claim.write(b"2" * 100, sync)
        assert newest(store).body == b"1"
    claim.write(b"2" * 100, sync)
    assert newest(store).body == b"2" * 100


def test_the_first_sync_brings_the_name_to_the_disk_too(store, monkeypatch):
    store.claim("s").close()
    synced = []
    with store.claim("s") as claim:
        monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
        claim.write(b"1")
        assert synced == []
        claim.write(b"2", sync=True)
        assert synced == [store.directory]
        claim.write(b"3", sync=True)
        assert synced == [store.directory]


def test_numbers_skip_what_a_damaged_slot_may_have_held(store, tmp_path):
    with store.claim("s") as claim:
        claim.write(b"1")
        claim.write(b"2")
    image = damage(tmp_path / "hafta-s.checkpoint")
    with store.claim("s") as claim:
        assert claim.last.body == b"1"
        assert [incident.kind for incident in claim.incidents] == ["damaged"]
        assert f"record {claim.last.number} from slot" in claim.incidents[0].text
    with store.claim("s") as claim:
        assert claim.last == Saved(image.saved.number + layout.JUMP, b"", b"1")
        assert claim.incidents == []


def test_an_exception_in_the_middle_of_a_write_leaves_a_working_claim(claim, store, monkeypatch):
    """As a signal handler raises it: before, in, and after the system call."""
    real = os.pwrite

    def interrupted(fd, data, offset):
        if body[0] == b"after":
            real(fd, data, offset)
        raise KeyboardInterrupt

    for body in ([b"before"], [b"after"]):
        claim.write(b"kept")
        monkeypatch.setattr(os, "pwrite", interrupted)
        with pytest.raises(KeyboardInterrupt):
            claim.write(body[0])
        with pytest.raises(KeyboardInterrupt):
            claim.write(body[0], sync=True)
        monkeypatch.setattr(os, "pwrite", real)
        assert newest(store).body in {b"kept", body[0]}
        claim.write(b"next")
        assert newest(store).body == b"next"


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize(
    "inner",
    [lambda claim: claim.write(b"inner"), lambda claim: claim.write(b"inner", sync=True), lambda claim: claim.close()],
    ids=["write", "synced write", "close"],
)
def test_what_a_signal_handler_does_that_interrupts_a_write_is_refused(claim, store, monkeypatch, outer, inner):
    claim.write(b"first")
    claim.enter(b"f")
    real, errors = os.pwrite, []
    handler = lambda *_: errors.append(refused("busy", lambda: inner(claim)))
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        monkeypatch.setattr(os, "pwrite", lambda *words: signal.raise_signal(signal.SIGUSR1) or real(*words))
        claim.write(b"outer", outer)
    finally:
        monkeypatch.setattr(os, "pwrite", real)
        signal.signal(signal.SIGUSR1, before)
    (error,) = errors
    assert "this thread is in the middle of a write" in error.message
    assert "signal handler" in error.hint
    assert newest(store).body == b"outer"


@pytest.mark.parametrize("then", ["write", "close"])
def test_another_thread_that_writes_or_closes_waits_for_the_write_of_the_first(claim, store, monkeypatch, then):
    """The first pwrite waits, without the interpreter's lock, until it is let go."""
    begun, go, real = threading.Event(), threading.Event(), os.pwrite

    def waiting(fd, data, offset):
        if not begun.is_set():
            begun.set()
            assert go.wait(30)
        return real(fd, data, offset)

    claim.enter(b"f")
    monkeypatch.setattr(os, "pwrite", waiting)
    first = threading.Thread(target=claim.write, args=(b"first",))
    second = threading.Thread(target=getattr(claim, then), args=(b"second",) if then == "write" else ())
    first.start()
    assert begun.wait(30)
    second.start()
    assert newest(store) is None
    go.set()
    first.join()
    second.join()
    assert newest(store).body == (b"second" if then == "write" else b"first")
    if then == "close":
        refused("closed", lambda: claim.write(b"third"))


def test_what_is_no_bytes_is_a_type_error_and_harms_nothing(claim, store):
    for wrong in (7, "text"):
        with pytest.raises(TypeError):
            claim.write(wrong)
    claim.write(b"1")
    assert newest(store).body == b"1"


def test_too_large_says_how_much_room_there_is(claim):
    with pytest.raises(StoreError, match=r"5000 bytes do not fit: there is room for 4039") as caught:
        claim.write(b"x" * 5000)
    assert "slot_size" in caught.value.hint
    with pytest.raises(StoreError, match=r"5000 bytes do not fit: there is room for 4040"):
        claim.enter(b"x" * 5000)


def test_a_child_that_was_forked_while_another_thread_writes_is_told_that_it_has_no_claim(claim, monkeypatch):
    def child():
        for write in (lambda: claim.write(b"x"), lambda: claim.write(b"x", sync=True), lambda: claim.enter(b"f")):
            with pytest.raises(StoreError) as caught:
                write()
            assert caught.value.kind == "forked"

    def fork_meanwhile(_fd):
        pid = os.fork()
        if pid == 0:
            try:
                child()
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0

    monkeypatch.setattr(os, "fdatasync", fork_meanwhile)
    claim.write(b"body", sync=True)
