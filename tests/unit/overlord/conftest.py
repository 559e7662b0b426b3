import pytest
from overlord_harness import Place


@pytest.fixture
def place():
    """A place for real overlords, each of which stops with 0 at the end if it still runs; nothing may be left then."""
    place = Place()
    try:
        yield place
        place.end()
    finally:
        place.clear()
