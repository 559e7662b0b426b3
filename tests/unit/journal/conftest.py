import tempfile

import pytest
from journal_support import Clock, ListSink, Receiver


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def receiver():
    """A socket like journald's, at a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="hj") as folder:
        receiver = Receiver(f"{folder}/socket")
        yield receiver
        receiver.close()
