"""The stores of HAFTA keep the promises of every store."""

import re
from pathlib import Path

import pytest

from hafta import errors, exits
from hafta.errors import StoreError
from hafta.stores.file.files import FileStore
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


def test_the_docs_list_every_kind_of_error_with_its_exit_status_and_those_that_are_final():
    text = (Path(__file__).parents[3] / "docs" / "store.md").read_text()
    section = text.partition("## 3. Errors")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:4] for line in section.splitlines() if line.startswith("| `")]
    told = {kind: status.strip() for kinds, _, status in rows for kind in re.findall("`(.+?)`", kinds)}
    final = re.findall("`(.+?)`", section.partition(" are final")[0].rpartition("\n")[2])
    kinds = {kind: StoreError("no", kind=kind) for kind in errors._KINDS}
    assert {kind: getattr(exits, status) for kind, status in told.items()} == {
        kind: error.status for kind, error in kinds.items()
    }
    assert set(final) == {kind for kind, error in kinds.items() if error.final}
