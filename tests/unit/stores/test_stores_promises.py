"""The stores of HAFTA keep the promises of every store."""

import pytest

from hafta.stores.files import FileStore
from hafta.stores.memory import MemoryStore
from hafta.testing.stores import StorePromises


class TestMemoryStore(StorePromises):
    def make(self):
        return MemoryStore()


class TestFileStore(StorePromises):
    slot_size = 4096

    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path):
        self.path = tmp_path
        self.made = 0

    def make(self):
        self.made += 1
        return FileStore(str(self.path / f"store-{self.made}"), slot_size=self.slot_size)

    def again(self, store):
        return FileStore(store.directory)


class TestFileStoreOfLargeSlots(TestFileStore):
    """A record larger than a page, so that a write can be cut."""

    slot_size = 3 * 4096
