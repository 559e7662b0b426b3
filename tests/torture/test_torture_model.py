"""A Hypothesis machine against a dictionary.

Two instances are written, synced, cleared, claimed anew, killed, flipped, failed, forked and threaded.
"""

from __future__ import annotations

import errno
import gc
import os
import shutil
import tempfile
import threading

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hafta.errors import StoreError
from hafta.stores.file.files import FileStore
from hafta.testing.stores import in_child, refused

KEYS = ("a", "b")
SLOT_SIZES = (4096, 8192)
FULL, BROKEN = errno.ENOSPC, errno.EIO
RECENT = 8  # how many acknowledged records may still be in a slot: threads write up to five, and one slot is pinned


class Model:
    """What one instance promises."""

    def __init__(self) -> None:
        self.acknowledged = (b"", b"")
        self.possible: list[tuple[bytes, bytes]] = []  # written after that, and not acknowledged
        self.before = [(b"", b"")] * 3  # the acknowledged ones before that, which damage may bring back
        self.refused: list[tuple[bytes, bytes]] = []  # and all that were not, which may be in a slot, too
        self.frame = b""
        self.hurts = 0  # since the claim, which mends

    def wrote(self, body: bytes, acknowledged: bool) -> None:
        if acknowledged:
            self.before = [*self.before, self.acknowledged][-RECENT:]
            self.acknowledged, self.possible = (self.frame, body), []
        else:
            self.possible.append((self.frame, body))
            self.refused.append((self.frame, body))

    def judge(self, found: tuple[bytes, bytes], damaged: bool) -> None:
        allowed = [self.acknowledged, *self.possible]
        if self.hurts and damaged:
            allowed += self.before + self.refused
        assert found in allowed
        if found != self.acknowledged:
            self.before = [*self.before, self.acknowledged][-RECENT:]  # it may still be in a slot
        self.acknowledged, self.possible, self.hurts = found, [], 0


class StoreMachine(RuleBasedStateMachine):
    """Rules are what users, processes and disks do."""

    @initialize(slot_size=st.sampled_from(SLOT_SIZES))
    def begin(self, slot_size):
        gc.freeze()  # a claim that finds its own process as the holder has the collector run: that is to be quick here
        self.path = tempfile.mkdtemp()
        self.store = FileStore(f"{self.path}/d", slot_size=slot_size)
        self.model = {key: Model() for key in KEYS}
        self.claims = {}
        for key in KEYS:
            self.claim(key, power=False)

    def teardown(self):
        gc.unfreeze()
        for claim in getattr(self, "claims", {}).values():
            claim.close()
        if hasattr(self, "path"):
            shutil.rmtree(self.path)

    def claim(self, key, power):
        model = self.model[key]
        try:
            claim = self.store.claim(key, power=power)
        except StoreError as error:
            assert error.kind == "damaged"  # noqa: PT017 - not raising is fine, too
            assert model.hurts >= 2, "one damaged slot hides no record"
            assert self.store.discard(key)
            claim = self.store.claim(key, power=power)
            self.model[key] = model = Model()
        found = (claim.last.frame, claim.last.body) if claim.last else (b"", b"")
        model.judge(found, bool(claim.incidents))
        model.frame = found[0]
        self.claims[key] = claim

    keys = st.sampled_from(KEYS)
    bodies = st.binary(max_size=700) | st.integers(0, 3900).map(lambda size: b"x" * size)

    @rule(key=keys, frame=st.binary(max_size=100))
    def enter(self, key, frame):
        self.claims[key].enter(frame)
        self.model[key].frame = frame

    @rule(key=keys, body=bodies, sync=st.booleans())
    def write(self, key, body, sync):
        self.claims[key].write(body, sync)
        self.model[key].wrote(body, acknowledged=True)

    @rule(key=keys, sync=st.booleans())
    def clear(self, key, sync):
        self.claims[key].clear(sync)
        self.model[key].frame = b""
        self.model[key].wrote(b"", acknowledged=True)

    @rule(key=keys)
    def write_too_much(self, key):
        claim = self.claims[key]
        refused("too-large", lambda: claim.write(b"x" * (claim.capacity + 1)))

    @rule(key=keys, body=bodies, sync=st.booleans(), code=st.sampled_from((FULL, BROKEN)),
          call=st.sampled_from(("pwrite", "fdatasync")), times=st.integers(1, 4), cut=st.booleans())  # fmt: skip
    def write_on_a_bad_disk(self, key, body, sync, code, call, times, cut):
        model, claim = self.model[key], self.claims[key]
        with Failing(call, code, times, cut):
            claim.enter(model.frame)
            try:
                claim.write(body, sync)
            except StoreError as error:
                assert error.kind == {FULL: "full", BROKEN: "io"}[code]  # noqa: PT017 - not raising is fine, too
                model.wrote(body, acknowledged=False)
                model.hurts += 2 * cut  # it was tried twice
            else:
                model.wrote(body, acknowledged=True)

    @rule(key=keys, durable=st.booleans())
    def close_and_claim(self, key, durable):
        self.claims.pop(key).close()
        self.claim(key, durable)

    @rule(key=keys, durable=st.booleans())
    def die_and_claim(self, key, durable):
        """As SIGKILL does it: the descriptor is closed, and nothing else happens."""
        self.claims.pop(key)._file.close()
        self.claim(key, durable)

    @rule(key=keys, at=st.integers(4096, 4096 + 3 * 8192 - 1), bit=st.integers(0, 7))
    def flip(self, key, at, bit):
        path = f"{self.store.directory}/hafta-{key}.checkpoint"
        if at >= os.path.getsize(path):
            return
        with open(path, "r+b") as file:
            file.seek(at)
            (byte,) = file.read(1)
            file.seek(at)
            file.write(bytes([byte ^ 1 << bit]))
        self.claims.pop(key).close()
        self.model[key].hurts += 1
        self.claim(key, power=False)

    @rule(key=keys, body=bodies)
    def fork(self, key, body):
        claim = self.claims[key]
        assert in_child(lambda: refused("forked", lambda: claim.write(body)))

    @rule(key=keys, bodies=st.lists(st.binary(max_size=50), min_size=2, max_size=5))
    def write_in_threads(self, key, bodies):
        model, claim = self.model[key], self.claims[key]
        threads = [threading.Thread(target=claim.write, args=(body, n == 0)) for n, body in enumerate(bodies)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = self.store.peek(key).saved
        newest = seen.body if seen else b""
        assert newest in bodies
        for body in bodies:
            model.wrote(body, acknowledged=True)
        model.wrote(newest, acknowledged=True)

    @rule(key=keys)
    def discard_what_is_held(self, key):
        refused("held", lambda: self.store.discard(key))

    @precondition(lambda self: self.claims)
    @rule(key=keys)
    def discard(self, key):
        self.claims.pop(key).close()
        assert self.store.discard(key)
        self.model[key] = Model()
        self.claim(key, power=False)

    @invariant()
    def everybody_sees_it(self):
        for key in getattr(self, "claims", {}):
            seen = self.store.peek(key)
            found = (seen.saved.frame, seen.saved.body) if seen.saved else (b"", b"")
            assert found in [self.model[key].acknowledged, *self.model[key].possible]
            assert seen.held

    @invariant()
    def nobody_else_can_have_it(self):
        for key in getattr(self, "claims", {}):
            refused("held", lambda key=key: self.store.claim(key))


class Failing:
    """Lets a system call fail some times; a write that is cut has written half."""

    def __init__(self, call: str, code: int, times: int, cut: bool) -> None:
        self.name, self.code, self.left, self.cut = call, code, times, cut
        self.real = getattr(os, call)

    def __enter__(self):
        setattr(os, self.name, self)

    def __exit__(self, *_):
        setattr(os, self.name, self.real)

    def __call__(self, fd, *arguments):
        if not self.left:
            return self.real(fd, *arguments)
        self.left -= 1
        if self.cut and self.name == "pwrite":
            data, offset = arguments
            self.real(fd, data[: len(data) // 2], offset)
        raise OSError(self.code, os.strerror(self.code))


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=5000 if os.environ.get("HAFTA_TORTURE") == "long" else 150, stateful_step_count=40, deadline=None
)
