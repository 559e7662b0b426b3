import drill_support
import pytest
from drill_support import FEED, LINES, NO_LIMIT, PYTHON, Place


@pytest.fixture
def place():
    """A place for real overlords: nothing may be left of it."""
    place = Place()
    try:
        yield place
        place.end()
    finally:
        place.clear()


@pytest.fixture
def feed(place):
    """A function that starts the service feed, with these lines besides the usual ones; it returns the overlord."""

    def start(*lines, unit=NO_LIMIT, others=()):
        place.script("feed.py", FEED)
        place.service("feed", f"{PYTHON} {place.file('feed.py')}", *LINES, *lines, unit=unit)
        return place.start("feed.service", *others, until="feed.service is ready")

    return start


@pytest.fixture
def drill(place):
    """A function that drills feed with --yes and --json: its status, the document, what it said on stderr."""

    def run(*words):
        return drill_support.drilled(place, "feed", *words, "--yes")

    return run
