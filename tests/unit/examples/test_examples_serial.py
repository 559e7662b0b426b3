"""examples/serial: its transcript is what it prints, and below the embedded overlord its counts outlive a SIGKILL."""

import os
import pty
import shutil
import tty

import pytest
from example_support import EXAMPLES, Shell, hold_transcript, kept, kill, start
from overlord_harness import a_place
from processes import wait_until

CABLE = "(printf '%s\\n' t=21.5 t=warm t=22; cat) | python3 cable.py"


@pytest.fixture
def shell(tmp_path):
    shutil.copytree(EXAMPLES / "serial", tmp_path / "here")
    return Shell(tmp_path)


def test_the_transcript_is_what_it_prints(shell):
    assert f"    {CABLE}\n" in (EXAMPLES / "serial" / "README.md").read_text()
    with shell.another_terminal(CABLE):
        wait_until((shell.place / "port").exists, "the cable is there")
        hold_transcript(shell, "serial")


@pytest.fixture
def cable():
    """A pty pair: the end of the device, and the path of the port."""
    device, port = pty.openpty()
    tty.setraw(port)
    os.chmod(os.ttyname(port), 0o666)  # for the dynamic user of the unit
    yield device, os.ttyname(port)
    os.close(device)
    os.close(port)


def test_below_the_overlord_it_is_killed_and_goes_on_counting(cable):
    device, port = cable
    with a_place() as place:
        instead = [("/dev/ttyUSB0", port), ("SupplementaryGroups=dialout\n", "")]
        overlord = start(place, "serial", "meter.service", instead)
        os.write(device, b"t=1\nt=2\n")
        overlord.wait_for("Sequence was: meter succeeded", 2)
        kill(overlord, "meter.service")
        overlord.wait_for("Sequence meter resumes")
        os.write(device, b"t=3\n")
        overlord.wait_for("t is 3\n(.*\n)*.*Sequence was: meter succeeded")
        assert kept(place, "meter") == {"readings": 3, "bad": 0, "last": "t 3"}
