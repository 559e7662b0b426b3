"""The promises of every store, as tests: for the stores of HAFTA, and for your own.

    class TestMyStore(StorePromises):
        def make(self):
            return MyStore(...)           # an empty one, each time

`again` returns a store that sees the same records, as the next process would; `lives_on` says whether there is one.
pytest finds the tests by their names; nothing here needs pytest.
"""

from __future__ import annotations

import os
import threading
from functools import partial

from hafta.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.stores.protocol import Saved, Store

_CHILD_FAILED = 99


class StorePromises:
    """Every test is one promise of hafta.stores.protocol."""

    def make(self) -> Store:
        """Return a new, empty store."""
        raise NotImplementedError

    def again(self, store: Store) -> Store:
        """Return a store with the same records; by default the same object."""
        return store

    def test_a_new_record_has_nothing_to_resume(self) -> None:
        """Nothing was written, so nothing is found."""
        with self.make().claim("s") as claim:
            assert claim.last is None
            assert claim.incidents == []

    def test_a_store_and_a_claim_say_what_the_driver_asks_for(self) -> None:
        """Where records are, what to do for more room; a claim that was just made is not lost and reports to nobody."""
        store = self.make()
        assert store.where
        with store.claim("s") as claim:
            assert claim.where
            assert claim.more_room
            assert not claim.lost
            assert claim.on_incident is None
            claim.on_incident = print

    def test_the_last_write_is_what_the_next_claim_finds(self) -> None:
        """Frame and body come back as they were, the newest ones, with a number that grows."""
        store = self.make()
        numbers = []
        for body in (b"1", b"2", b"3", b"4", b"5"):
            with store.claim("s") as claim:
                claim.enter(b"frame " + body)
                claim.write(b"old")
                claim.write(body)
            store = self.again(store)
            numbers.append(_found(store, b"frame " + body, body).number)
        assert numbers == sorted(set(numbers))

    def test_a_synced_write_is_found_as_any_other(self) -> None:
        """Synced and unsynced writes in any order: the newest counts."""
        for pattern in range(32):
            store = self.make()
            with store.claim("s") as claim:
                claim.enter(b"f")
                for n in range(5):
                    claim.write(b"%d" % n, sync=bool(pattern >> n & 1))
            _found(self.again(store), b"f", b"4")

    def test_a_frame_alone_changes_nothing(self) -> None:
        """`enter` writes nothing; the next write carries the new frame."""
        store = self.make()
        with store.claim("s") as claim:
            claim.enter(b"one")
            claim.write(b"1")
            claim.enter(b"two")
        _found(store, b"one", b"1")
        with store.claim("s") as claim:
            claim.enter(b"two")
            claim.write(b"2")
        _found(store, b"two", b"2")

    def test_the_frame_is_that_of_the_last_record_until_another_is_entered(self) -> None:
        """A process that resumes may write on under the same frame."""
        store = self.make()
        for power in (False, True):
            with store.claim("s") as claim:
                claim.enter(b"f")
                claim.write(b"1")
            with self.again(store).claim("s", power=power) as claim:
                claim.write(b"2")
            _found(store, b"f", b"2")

    def test_any_bytes_come_back(self) -> None:
        """Records are opaque: zeros, all byte values, nothing but a body, up to the capacity."""
        store = self.make()
        with store.claim("s") as claim:
            room = claim.capacity
        for frame, body in ((b"\0", b"\0" * 9), (bytes(range(256)), b""), (b"", b"x" * room), (b"y" * room, b"")):
            with store.claim("s") as claim:
                claim.enter(frame)
                claim.write(body)
            store = self.again(store)
            _found(store, frame, body)

    def test_what_is_too_large_is_refused_and_the_record_stays(self) -> None:
        """One byte more than the capacity is an error of kind too-large; the claim goes on."""
        store = self.make()
        with store.claim("s") as claim:
            room = claim.capacity
            claim.enter(b"f")
            claim.write(b"kept")
            refused("too-large", lambda: claim.write(b"x" * room))
            refused("too-large", lambda: claim.write(b"x" * room, sync=True))
            refused("too-large", lambda: claim.enter(b"x" * (room + 1)))
            _same(claim_seen(store), b"f", b"kept")
            claim.write(b"x" * (room - 1))
        _found(store, b"f", b"x" * (room - 1))

    def test_clearing_leaves_nothing_to_resume(self) -> None:
        """After `clear` the next claim finds nothing."""
        for sync in (False, True):
            store = self.make()
            with store.claim("s") as claim:
                claim.enter(b"f")
                claim.write(b"b")
                claim.clear(sync)
            with self.again(store).claim("s") as claim:
                assert claim.last is None

    def test_only_one_has_the_claim(self) -> None:
        """A second claim is refused, saying who has it; after `close` it is given."""
        store = self.make()
        with store.claim("s"):
            error = refused("held", lambda: store.claim("s"))
            assert f"pid {os.getpid()}" in error.message
            assert "since" in error.message
            refused("held", lambda: store.discard("s"))
        store.claim("s").close()

    def test_names_are_apart(self) -> None:
        """Sequences and instances do not touch each other, whatever their names are."""
        store = self.make()
        keys = [("s", ""), ("s", "a"), ("s", "b"), ("s@a", ""), ("ä/../ö", "."), ("%41", "\n"), ("A", "")]
        for n, key in enumerate(keys):
            with store.claim(*key) as claim:
                claim.enter(b"f")
                claim.write(b"%d" % n)
        store = self.again(store)
        for n, key in enumerate(keys):
            _found(store, b"f", b"%d" % n, key)
        assert sorted(keys) == sorted((seen.sequence, seen.instance) for seen in store.snapshots())

    def test_a_name_that_cannot_be_is_refused(self) -> None:
        """An empty or an endless name is an error of kind name, everywhere."""
        store = self.make()
        for key in (("", ""), ("x" * 1000, ""), ("s", "ä" * 200)):
            refused("name", partial(store.claim, *key))
            refused("name", partial(store.peek, *key))
            refused("name", partial(store.discard, *key))

    def test_peeking_disturbs_nobody(self) -> None:
        """While a record is held another one sees each write, who holds it, and that it is held."""
        store = self.make()
        assert store.peek("s") is None
        with store.claim("s") as claim:
            for n in range(5):
                claim.enter(b"f")
                claim.write(b"%d" % n)
                seen = store.peek("s")
                assert seen is not None
                _same(seen.saved, b"f", b"%d" % n)
                assert seen.held
                assert seen.holder is not None
                assert seen.holder.pid == os.getpid()
                assert seen.incidents == ()
        seen = store.peek("s")
        assert seen is not None
        assert not seen.held

    def test_discarding_removes_a_record(self) -> None:
        """What is discarded is gone; discarding nothing says so."""
        store = self.make()
        assert store.discard("s") is False
        store.claim("s").close()
        assert store.discard("s") is True
        assert store.peek("s") is None
        assert store.snapshots() == []

    def test_a_claim_for_the_level_power_finds_the_same(self) -> None:
        """`power` changes what survives, not what is found."""
        store = self.make()
        with store.claim("s", power=True) as claim:
            assert claim.last is None
            claim.enter(b"f")
            claim.write(b"b", sync=True)
        for _ in range(4):
            with self.again(store).claim("s", power=True) as claim:
                _same(claim.last, b"f", b"b")
                assert claim.incidents == []

    def test_a_closed_claim_writes_no_more(self) -> None:
        """After `close`, everything but another `close` is an error of kind closed."""
        claim = self.make().claim("s")
        claim.close()
        claim.close()
        for ask in (lambda: claim.write(b"b"), lambda: claim.write(b"b", sync=True), lambda: claim.enter(b"f")):
            refused("closed", ask)
        refused("closed", claim.clear)

    def test_a_forked_child_does_not_have_the_claim(self) -> None:
        """In the child every use is an error of kind forked; the parent's claim is as it was."""
        store = self.make()
        with store.claim("s") as claim:
            claim.enter(b"f")
            claim.write(b"1")
            assert in_child(lambda: refused("forked", lambda: claim.write(b"child")))
            assert in_child(lambda: refused("forked", lambda: claim.write(b"child", sync=True)))
            assert in_child(claim.close)
            claim.write(b"2")
            _same(claim_seen(store), b"f", b"2")

    def test_threads_do_not_mix_records(self) -> None:
        """Many threads write, synced and not: each finds its writes acknowledged, and the newest record is whole."""
        store = self.make()
        with store.claim("s") as claim:
            claim.enter(b"f")
            threads = [threading.Thread(target=_write_many, args=(claim, n)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        with self.again(store).claim("s") as claim:
            assert claim.last is not None
            assert claim.last.body.endswith(b"x" * 50)
            assert claim.last.number >= 4 * 100
            assert claim.incidents == []


def refused(kind: str, ask: Callable[[], Any]) -> StoreError:
    """Assert that this raises a StoreError of that kind; return it."""
    try:
        ask()
    except StoreError as error:
        raised = error
    else:
        raise AssertionError(f"expected StoreError {kind}")
    assert raised.kind == kind, f"expected {kind}, got {raised.kind}: {raised}"
    assert raised.hint, "an error says what to do"
    return raised


def in_child(ask: Callable[[], Any]) -> bool:
    """Return whether this runs to its end in a forked child."""
    pid = os.fork()
    if pid == 0:
        status = _CHILD_FAILED  # pragma: no cover - from here on in the child
        try:  # pragma: no cover
            ask()
            status = 0
        finally:  # pragma: no cover
            os._exit(status)  # it must not continue as a second test run
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def claim_seen(store: Store) -> Saved | None:
    """Return what another process sees."""
    seen = store.peek("s")
    assert seen is not None
    return seen.saved


def _write_many(claim: Any, thread: int) -> None:
    for n in range(100):
        claim.write(b"%d %d " % (thread, n) + b"x" * 50, sync=n % 25 == 24)


def _found(store: Store, frame: bytes, body: bytes, key: tuple[str, str] = ("s", "")) -> Saved:
    with store.claim(*key) as claim:
        assert claim.incidents == []
        return _same(claim.last, frame, body)


def _same(saved: Saved | None, frame: bytes, body: bytes) -> Saved:
    assert saved is not None
    assert (saved.frame, saved.body) == (frame, body)
    return saved
