import os
from contextlib import suppress

import pytest
from overlord_harness import a_place


@pytest.fixture
def place():
    """A place for real overlords, each of which stops with 0 at the end if it still runs; nothing may be left then."""
    with a_place() as place:
        yield place


@pytest.fixture
def pipe():
    """A pipe: its reading end does not wait."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    for fd in (reader, writer):
        with suppress(OSError):  # a test may have closed it
            os.close(fd)
