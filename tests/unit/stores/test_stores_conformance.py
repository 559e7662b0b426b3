"""The public suite of promises sees a store that breaks one."""

import os

import pytest

from hafta import stores
from hafta.errors import StoreError
from hafta.stores.memory import MemoryClaim, MemoryStore
from hafta.stores.wrapping import WrappingClaim
from hafta.testing.stores import StorePromises, in_child, refused


class Forgetful(MemoryClaim):
    """Loses what was to be synced."""

    def write(self, body, sync=False):
        if not sync:
            super().write(body)


class ForgetfulStore(MemoryStore):
    def claim(self, sequence, instance="", *, power=False):
        claim = super().claim(sequence, instance)
        claim.__class__ = Forgetful
        return claim


def broken_promises(promises):
    tests = [name for name in dir(promises) if name.startswith("test_")]
    broken = []
    for name in tests:
        try:
            getattr(promises, name)()
        except (AssertionError, StoreError):
            broken.append(name)
    assert len(tests) > 15
    return broken


class Promises(StorePromises):
    def make(self):
        return self.store()


@pytest.mark.parametrize("store", [MemoryStore, ForgetfulStore])
def test_a_store_that_forgets_is_found_out_and_a_good_one_breaks_nothing(store):
    promises = Promises()
    promises.store = store
    broken = broken_promises(promises)
    assert ("test_a_synced_write_is_found_as_any_other" in broken, broken != []) == (store is ForgetfulStore,) * 2


def test_a_claim_around_another_has_the_frame_of_its_last_record_until_another_is_entered():
    store = MemoryStore()
    with WrappingClaim(store.claim("s")) as claim:
        assert claim.frame == b""
        claim.enter(b"frame")
        claim.write(b"body")
    with WrappingClaim(store.claim("s")) as claim:
        assert claim.frame == b"frame"


def test_what_does_not_fit_is_refused_with_both_sizes_and_what_to_do():
    with MemoryStore(capacity=100).claim("s") as claim:
        claim.enter(b"frame")
        with pytest.raises(StoreError, match="s: 96 bytes do not fit: there is room for 95") as caught:
            claim.write(b"x" * 96)
        assert (caught.value.kind, caught.value.hint) == ("too-large", claim.more_room)
        claim.write(b"x" * 95)


def test_a_refusal_of_another_kind_or_none_is_found_out():
    def other():
        raise StoreError("m", "h", kind="full")

    with pytest.raises(AssertionError, match="expected held, got full: m"):
        refused("held", other)
    with pytest.raises(AssertionError, match="expected StoreError held"):
        refused("held", int)


def test_what_fails_in_a_child_is_seen():
    assert in_child(int)
    assert not in_child(lambda: os._exit(3))


def test_the_room_gives_its_stores_by_name():
    assert stores.MemoryStore is MemoryStore
    assert stores.FileStore.__name__ == "FileStore"
    with pytest.raises(AttributeError, match="has no attribute 'TapeStore'"):
        _ = stores.TapeStore
