import drill_support
import pytest
from drill_support import FEED, LINES, NO_LIMIT, PYTHON
from overlord_harness import NOTIFY, a_place


@pytest.fixture
def place():
    """A place for real overlords: nothing may be left of it."""
    with a_place() as place:
        yield place


@pytest.fixture
def feed(place):
    """A function that starts the service feed, with these lines besides the usual ones; it returns the overlord."""

    def start(*lines, unit=NO_LIMIT, others=()):
        place.script("feed.py", FEED)
        place.service("feed", f"{PYTHON} {place.file('feed.py')}", *LINES, *lines, unit=unit)
        return place.start("feed.service", *others, until="feed.service is ready")

    return start


@pytest.fixture
def plain(place):
    """The overlord of a service that hangs for long: a drill `stop` of it goes on until that is ended."""
    command = place.script("ready.py", f"{NOTIFY}; s.send(b'READY=1'); import time; time.sleep(1000)")
    place.service("plain", command, "Type=notify", "WatchdogSec=600", "Restart=always")
    return place.start("plain.service", until="plain.service is ready")


@pytest.fixture
def drill(place):
    """A function that drills feed with --yes and --json: its status, the document, what it said on stderr."""

    def run(*words):
        return drill_support.drilled(place, "feed", *words, "--yes")

    return run
