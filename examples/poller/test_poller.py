"""The poller against a server with a script: whatever that answers, and wherever the process ends, the file is right.

Run it with `python3 -m pytest` in this directory.
"""

import threading
import time
from email.utils import formatdate
from itertools import count

import pytest
from flaky import SILENCE, Flaky
from poller import Data, fetch, poller, store, url

import hafta
from hafta.settings import Values
from hafta.testing import FakeRuntime, Violated, crash_everywhere

V1 = (200, {"ETag": '"v1"'}, b"bolts 3\n")
V2 = (200, {"ETag": '"v2"'}, b"bolts 4\n")


class World:
    """What outlives a process: a server with its answers, and the directory of the service."""

    def __init__(self, home, *answers):
        self.home = home
        self.home.mkdir(mode=0o700)
        self.server = Flaky(answers)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def data(self):
        return Data(Values({"state": str(self.home), "url": url(self.url), "timeout": 30}))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/prices"

    def call(self, data=None, runtime=None):
        return poller.call(data or self.data(), runtime=runtime or FakeRuntime())

    @property
    def document(self):
        return (self.home / "document").read_bytes()

    def end(self):
        self.server.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def make(tmp_path):
    """Make worlds, and end them after the test."""
    made, numbers = [], count()

    def make(*answers):
        made.append(World(tmp_path / str(next(numbers)), *answers))
        return made[-1]

    yield make
    for world in made:
        world.end()


def test_what_has_changed_is_stored_and_what_has_not_is_not_sent_again(make):
    world = make(V1, V1, V2)
    data = world.data()
    for document in (b"bolts 3\n", b"bolts 3\n", b"bolts 4\n"):
        assert world.call(data)
        assert world.document == document
    assert world.server.asked == [None, '"v1"', '"v1"']
    assert data.kept == {"etag": '"v2"', "changes": 2}


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_names_seconds_is_asked_after_them(make, status):
    world, runtime = make((status, {"Retry-After": "17"}, b""), V1), FakeRuntime()
    assert world.call(runtime=runtime)
    assert runtime.slept == [17]


def test_a_server_that_names_a_date_is_asked_then(make):
    date = formatdate(time.time() + 1000, usegmt=True)
    world, runtime = make((503, {"Retry-After": date}, b""), V1), FakeRuntime()
    assert world.call(runtime=runtime)
    [slept] = runtime.slept
    assert 500 < slept <= 1000


def test_a_server_that_asks_for_a_day_is_asked_after_an_hour(make):
    world, runtime = make((429, {"Retry-After": "86400"}, b""), V1), FakeRuntime()
    assert world.call(runtime=runtime)
    assert runtime.slept == [3600]


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 500])
def test_a_redirect_is_an_answer_like_any_other_that_is_not_the_document(make, status):
    world, runtime = make((status, {"Location": "/elsewhere"}, b"no"), V1), FakeRuntime()
    result = world.call(runtime=runtime)
    assert (bool(result), result.failures, world.document) == (True, 1, b"bolts 3\n")
    assert str(status) in str(result.history[0].reason)


def test_half_a_document_is_not_stored(make):
    world = make((200, {"ETag": '"v1"', "Content-Length": "100"}, b"bolts 3\n"), V1)
    result = world.call()
    assert "ends after 8 of 100 bytes" in str(result.history[0].reason)
    assert world.document == b"bolts 3\n"


def test_a_server_that_is_silent_is_not_waited_for_for_ever(make):
    world = make(SILENCE, V1)
    data = world.data()
    data.timeout = 0.05
    result = world.call(data)
    assert isinstance(result.history[0].reason, TimeoutError)
    assert world.document == b"bolts 3\n"


def is_up_to_date(world, result):
    """What is in the file is what the server has now."""
    assert result
    assert world.document == b"bolts 3\n"


def back_and_forth(make):
    """Make a world with version 1 on the disk; the server gives version 2 once, and then version 1 again."""

    def world():
        made = make(V1, V2, V1)
        assert made.call()
        return made

    return world


def data_with_version_1(world):
    data = world.data()
    data.kept["etag"] = '"v1"'
    return data


def crash(make, **how):
    """End the process at every point at which it may store version 2; the next one is told version 1, or 304."""

    def twice(sequence, data, **with_):
        result = sequence.call(data, **with_)
        return sequence.call(data, **with_) if result else result

    return crash_everywhere(
        poller, world=back_and_forth(make), data=data_with_version_1, call=twice, invariant=is_up_to_date,
        checkpoints=lambda store, data: hafta.Checkpoints(store, keep=data.kept), **how,
    )  # fmt: skip


@pytest.mark.parametrize("kill", [False, True])
def test_wherever_it_dies_the_file_is_what_the_server_has(make, kill):
    assert crash(make, kill=kill).cuts > 15


def test_a_rollback_that_keeps_the_etag_would_be_found(make, monkeypatch):
    def keep_the_etag(run, _checkpoint):
        return store if run.data.document is not None else fetch

    monkeypatch.setattr(store, "rollback_function", keep_the_etag)
    with pytest.raises(Violated, match=r"after a process was .* assert b'bolts 4"):
        crash(make)
