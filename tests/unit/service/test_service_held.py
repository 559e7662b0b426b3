"""A service holds its records from its first sequence to its end."""

import pytest

from hafta.errors import StoreError
from hafta.service.held import HeldStore
from hafta.stores import FileStore, MemoryStore


@pytest.fixture
def store():
    return MemoryStore()


def write(claim, frame=b"frame", body=b"body"):
    claim.enter(frame)
    claim.write(body)


def test_nobody_gets_the_record_between_two_sequences(store):
    held = HeldStore(store)
    with held.claim("s") as claim:
        write(claim)
    with pytest.raises(StoreError, match="held by this process itself"):
        store.claim("s")
    held.release()
    store.claim("s").close()


@pytest.mark.parametrize("by_another", [False, True])
def test_a_claim_finds_what_the_one_before_or_another_process_has_written(store, by_another):
    held = HeldStore(store)
    if not by_another:
        assert held.claim("s").last is None
    with (store if by_another else held).claim("s") as claim:
        write(claim)
    last = held.claim("s").last
    assert (last.frame, last.body) == (b"frame", b"body")
    held.claim("s").clear()
    assert held.claim("s").last is None


def test_instances_are_told_apart_and_what_could_not_be_written_is_not_found(store):
    held = HeldStore(store)
    write(held.claim("s", "a"), body=b"of a")
    write(held.claim("s", "b"), body=b"of b")
    with pytest.raises(StoreError):
        held.claim("s", "b").write(b"x" * (store.capacity + 1))
    assert [held.claim("s", name).last.body for name in "ab"] == [b"of a", b"of b"]
    held.release()
    assert [snapshot.held for snapshot in store.snapshots()] == [False, False]


def test_everything_else_is_the_stores(store):
    held = HeldStore(store)
    write(held.claim("s"))
    assert held.peek("s").held
    assert [snapshot.sequence for snapshot in held.snapshots()] == ["s"]
    assert (held.claim("s").capacity, held.claim("s").incidents) == (store.capacity, [])
    with pytest.raises(StoreError, match="held"):
        held.discard("s")
    held.release()
    assert held.discard("s")


def test_it_tells_where_its_records_are(store, tmp_path):
    held = HeldStore(FileStore(str(tmp_path)))
    assert (held.where, held.claim("s").where) == (str(tmp_path), f"{tmp_path}/hafta-s.checkpoint")
    held.release()
    assert (HeldStore(store).where, HeldStore(store).claim("s").where) == (store.where, store.where)
