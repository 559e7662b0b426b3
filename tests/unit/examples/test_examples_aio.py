"""examples/aio: its transcript is what it prints, and below the overlord it talks again after a SIGKILL."""

import shutil

import pytest
from example_support import EXAMPLES, Shell, hold_transcript, kill, start
from overlord_harness import a_place
from processes import free_port


@pytest.fixture
def shell(tmp_path):
    shutil.copytree(EXAMPLES / "aio", tmp_path / "here")
    return Shell(tmp_path)


def test_the_transcript_is_what_it_prints(shell):
    hold_transcript(shell, "aio", [("9000", str(free_port()))])


def test_below_the_overlord_it_is_killed_and_talks_again(shell):
    port = free_port()
    with shell.another_terminal(f"python3 upstream.py {port}"), a_place() as place:
        overlord = start(place, "aio", "pulse.service", [("192.0.2.7:9000", f"127.0.0.1:{port} --every 0.05")])
        overlord.wait_for(r"\banswer 2$")
        kill(overlord, "pulse.service")
        overlord.wait_for(r"\banswer 2\n(.*\n)*.*starting as process \d+\n(.*\n)*.*\banswer 2\n")
