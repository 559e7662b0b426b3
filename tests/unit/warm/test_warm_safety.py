"""What does not survive a fork is refused at the start, with the name of what made it."""

import re

import pytest
from processes import Child, sequence

HINT = "feed: make it in the body of the service or in a node, not while importing; or run it without --warm"
#: What a program does while it is imported, and the error.
REFUSED = {
    "a thread of Python": (
        "import threading\ndef poll():\n    time.sleep(600)\nthreading.Thread(target=poll, daemon=True).start()",
        r"thread 'Thread-1 \(poll\)' of __main__\.poll \(<string>, line \d+\) is running",
    ),
    "a thread that Python does not know": (
        "import _thread\n_thread.start_new_thread(time.sleep, (600,))",
        r"a thread '.+' that Python does not know is running: a library has started it",
    ),
    "an event loop": (
        "import asyncio\nloop = asyncio.new_event_loop()",
        r"an event loop is open: __main__\.loop",
    ),
    "a socket": (
        "import socket\nhere = socket.socket(socket.AF_UNIX)",
        r"descriptor \d+ \(socket\) is open: __main__\.here",
    ),
    "a socket in an object": (
        "import socket, types\nclient = types.SimpleNamespace(s=socket.socket(socket.AF_UNIX))",
        r"descriptor \d+ \(socket\) is open: __main__\.client",
    ),
    "a pipe": ("ends = os.pipe()", r"descriptor \d+ \(pipe\) is open"),
    "a claim": (
        "from hafta.stores import FileStore\nimport tempfile\nclaim = FileStore(tempfile.mkdtemp()).claim('s')",
        r"1 checkpoint record\(s\) are claimed already",
    ),
}


def program(text):
    return sequence("run.say('up')", ", warm=True").replace("feed = ", f"{text}\n\nfeed = ", 1)


@pytest.mark.parametrize("made", REFUSED)
def test_it_is_refused_and_named(made):
    text, error = REFUSED[made]
    with Child(program(text), "--once") as child:
        status, _, err = child.finish()
    assert status == 2
    first, second = err.splitlines()
    assert re.fullmatch(f"feed: error: cannot run warm: {error}", first), first
    assert second == HINT


@pytest.mark.parametrize("text", ["log = open(os.devnull, 'a')", "import asyncio, threading, socket", ""])
def test_what_survives_a_fork_is_allowed(text):
    with Child(program(text), "--once") as child:
        assert child.finish()[0] == 0


def test_a_descriptor_that_the_service_was_given_is_allowed():
    """A socket of socket activation, say: it is not this process that has made it."""
    with Child(program(""), "--once", redirect="7<&0") as child:
        assert child.finish()[0] == 0
