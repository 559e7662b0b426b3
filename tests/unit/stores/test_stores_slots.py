"""Writing into slots: what the disk refuses is written elsewhere or refused to the caller; nobody gets in between."""

import errno
import os
import signal
import threading

import pytest

from hafta.errors import StoreError
from hafta.stores import layout, slots
from hafta.stores.files import FileStore
from hafta.stores.protocol import Incidents, Saved


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
def store(tmp_path):
    return FileStore(str(tmp_path))


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
        before = claim._newest, claim._pinned
        disk.calls.clear()
        claim.write(b"%d" % n, sync=n % 7 in {3, 4})
        claim.enter(b"%d" % n)  # makes the writer tell where it was
        assert disk.calls[0][1] not in before
    assert claim._newest != claim._pinned


def test_a_synced_write_is_one_write_and_one_sync(claim, disk):
    claim.write(b"1", sync=True)
    claim.write(b"2", sync=True)
    names = [name for name, _ in disk.calls]
    assert names == ["pwrite", "fdatasync"] * 2


def test_a_plain_write_is_one_system_call(claim, disk):
    claim.write(b"1")
    assert [name for name, _ in disk.calls] == ["pwrite"]


def test_after_a_failed_sync_the_record_goes_whole_into_the_other_spare_slot(claim, disk, store):
    claim.write(b"1", sync=True)
    claim.write(b"2", sync=True)
    pinned = claim._pinned
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
    claim.enter(b"f")  # makes the writer tell where it was
    kept = {claim._newest, claim._pinned}
    (spare,) = {0, 1, 2} - kept
    disk.calls.clear()
    disk.plan["fdatasync"] = [errno.EIO]
    with pytest.raises(StoreError, match="the disk reports an error"):
        claim.write(b"3", sync=True)
    claim.write(b"4")
    assert disk.calls == [("pwrite", spare), ("fdatasync", None), ("pwrite", spare)]
    claim.enter(b"f")
    assert (claim._newest, claim._pinned in kept) == (spare, True)


def test_a_sync_that_fails_twice_is_never_acknowledged_and_the_synced_slot_stays(claim, disk, store):
    claim.write(b"1", sync=True)
    pinned = claim._pinned
    disk.plan["fdatasync"] = [errno.EIO, errno.EIO]
    with pytest.raises(StoreError, match="the disk reports an error") as caught:
        claim.write(b"2", sync=True)
    assert caught.value.kind == "io"
    assert claim._pinned == pinned
    claim.write(b"3", sync=True)
    assert newest(store).body == b"3"


def test_a_write_that_fails_once_is_repeated_and_said(claim, disk, store):
    disk.plan["pwrite"] = [errno.EIO]
    claim.write(b"1")
    assert newest(store).body == b"1"
    assert [incident.kind for incident in claim.incidents] == ["retried"]


def test_incidents_that_nobody_takes_do_not_pile_up(claim, disk):
    for _ in range(Incidents.MOST + 20):
        disk.plan["pwrite"] = [errno.EIO]
        claim.write(b"1")
    assert len(claim.incidents) == Incidents.MOST


def test_who_listens_is_told_of_an_incident_at_once(claim, disk):
    taken = []
    claim.incidents.listener = lambda: taken.append(claim.incidents.pop())
    disk.plan["pwrite"] = [errno.EIO]
    claim.write(b"1")
    assert [incident.kind for incident in taken] == ["retried"]
    assert claim.incidents == []


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, "full"), (errno.EIO, "io"), (errno.EROFS, "read-only")])
def test_a_write_that_goes_on_failing_is_refused_and_the_record_before_stands(claim, disk, store, code, kind, sync):
    claim.write(b"1")
    disk.plan["pwrite"] = [code] * 5
    with pytest.raises(StoreError) as caught:
        claim.write(b"2", sync)
    assert caught.value.kind == kind
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
    path = tmp_path / "hafta-s.checkpoint"
    data = bytearray(path.read_bytes())
    image = layout.read(bytes(data), "")
    data[image.geometry.offset(image.newest) + 45] ^= 1
    path.write_bytes(data)
    with store.claim("s") as claim:
        assert claim.last.body == b"1"
        assert [incident.kind for incident in claim.incidents] == ["damaged"]
        assert "slot" in claim.incidents[0].text
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
        claim.enter(b"f")  # a new writer, which takes the broken call
        with pytest.raises(KeyboardInterrupt):
            claim.write(body[0])
        with pytest.raises(KeyboardInterrupt):
            claim.write(body[0], sync=True)
        monkeypatch.setattr(os, "pwrite", real)
        assert newest(store).body in {b"kept", body[0]}
        claim.write(b"next")
        assert newest(store).body == b"next"


def in_handler(act, ask):
    """Run `act`, and `ask` in a signal handler as soon as `act` writes; return the error of `ask`."""
    errors = []

    def handler(_number, _frame):
        try:
            ask()
        except StoreError as error:
            errors.append(error)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        act()
    finally:
        signal.signal(signal.SIGUSR1, before)
    return errors


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("inner", [False, True])
def test_a_write_from_a_signal_handler_that_interrupts_one_is_refused(claim, store, monkeypatch, outer, inner):
    real = os.pwrite

    def raising(fd, data, offset):
        signal.raise_signal(signal.SIGUSR1)
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", raising)
    claim.enter(b"f")
    (error,) = in_handler(lambda: claim.write(b"outer", outer), lambda: claim.write(b"inner", inner))
    monkeypatch.setattr(os, "pwrite", real)
    assert error.kind == "busy"
    assert "a write is under way" in error.message
    assert "signal handler" in error.hint
    assert newest(store).body == b"outer"


@pytest.fixture
def slow(monkeypatch):
    """The first pwrite waits, without the interpreter's lock, until it is let go."""
    begun, go, real = threading.Event(), threading.Event(), os.pwrite

    def waiting(fd, data, offset):
        if not begun.is_set():
            begun.set()
            assert go.wait(30)
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", waiting)
    return begun, go


def test_a_second_thread_waits_for_the_write_of_the_first(claim, store, slow):
    begun, go = slow
    claim.enter(b"f")
    first = threading.Thread(target=claim.write, args=(b"first",))
    first.start()
    assert begun.wait(30)
    second = threading.Thread(target=claim.write, args=(b"second",))
    second.start()
    assert newest(store) is None
    go.set()
    first.join()
    second.join()
    assert newest(store).body == b"second"


def test_waiting_for_another_thread_has_an_end(claim, slow, monkeypatch):
    begun, go = slow
    monkeypatch.setattr(slots, "DEADLINE", 0.02)
    claim.enter(b"f")
    first = threading.Thread(target=claim.write, args=(b"first",))
    first.start()
    assert begun.wait(30)
    with pytest.raises(StoreError, match="a write is under way"):
        claim.write(b"second")
    go.set()
    first.join()
    claim.write(b"third")


def test_closing_from_another_thread_waits_for_the_write(claim, store, slow):
    begun, go = slow
    claim.enter(b"f")
    first = threading.Thread(target=claim.write, args=(b"first",))
    first.start()
    assert begun.wait(30)
    closing = threading.Thread(target=claim.close)
    closing.start()
    go.set()
    first.join()
    closing.join()
    assert newest(store).body == b"first"
    with pytest.raises(StoreError, match="the claim was closed"):
        claim.write(b"second")


def test_a_claim_tells_where_its_record_is(claim, store):
    assert claim.path == f"{store.directory}/hafta-s.checkpoint"


def test_what_is_no_bytes_is_a_type_error_and_harms_nothing(claim, store):
    with pytest.raises(TypeError):
        claim.write(7)
    with pytest.raises(TypeError):
        claim.write("text")
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
