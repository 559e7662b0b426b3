import pytest

from hafta.stores import FileStore


@pytest.fixture
def store(tmp_path):
    return FileStore(str(tmp_path))
