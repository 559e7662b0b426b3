"""examples/poller: its transcript is what it prints, and below the embedded overlord it outlives a real SIGKILL."""

import shutil
import socket
from contextlib import contextmanager

import pytest
from example_support import EXAMPLES, Shell, hold_transcript, kept, kill, start
from overlord_harness import a_place
from processes import free_port, wait_until

HERE = EXAMPLES / "poller"


def answers(port):
    """Tell whether a server listens there."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def flaky(shell):
    """The server of the example, at a port of this machine."""
    port = free_port()
    with shell.another_terminal(f"python3 flaky.py {port}"):
        wait_until(lambda: answers(port), "the server is up")
        yield port


@pytest.fixture
def shell(tmp_path):
    shutil.copytree(HERE, tmp_path / "here")
    return Shell(tmp_path)


def test_the_transcript_is_what_it_prints(shell):
    with flaky(shell) as port:
        hold_transcript(shell, "poller", [(":8080/", f":{port}/")])


def test_below_the_overlord_it_is_killed_and_goes_on_with_the_etag_it_had(shell):
    with flaky(shell) as port, a_place() as place:
        url = ("https://example.org/prices --every 60", f"http://127.0.0.1:{port}/prices --every 600")
        overlord = start(place, "poller", "poller.service", [url])
        overlord.wait_for('15 bytes, ETag "v1"')
        overlord.wait_for("Sequence was: poller succeeded")
        kill(overlord, "poller.service")
        overlord.wait_for("Sequence was: poller succeeded", 2)
        assert len(overlord.find("15 bytes")) == 1  # what has not changed was not sent again
        assert kept(place, "poller") == {"etag": '"v1"', "changes": 1}
