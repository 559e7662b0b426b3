import pytest
from overlord_harness import Place, wait_until


@pytest.fixture
def place():
    """A place for real overlords; afterwards nothing that was started from there may be left."""
    place = Place()
    try:
        yield place
        for overlord in place.overlords:
            overlord.destroy()
        wait_until(lambda: not place.left_over())
    finally:
        place.clear()
