"""examples/guarded: its transcript is what happens, its unit that of `hafta unit`, and the clock stays up."""

import re
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.request

import pytest
from example_support import EXAMPLES, Shell, hold_transcript, unit_here
from overlord_harness import a_place
from processes import free_port

from hafta.cli import unit_wanted
from hafta.cli.group import run_group

HERE = EXAMPLES / "guarded"
README = (HERE / "README.md").read_text()


@pytest.fixture
def shell(tmp_path):
    shutil.copytree(HERE, tmp_path / "here")
    return Shell(tmp_path)


def test_the_transcript_is_what_happens(shell):
    hold_transcript(shell, "guarded", [("8080", str(free_port()))])


def test_the_unit_is_the_one_that_the_readme_asks_for(capsys, monkeypatch):
    monkeypatch.setattr(unit_wanted, "_hafta", lambda: ("/usr/bin/hafta",))  # as packages install it
    [words] = re.findall(r"^hafta (unit .*) --install(.*)$", README, re.MULTILINE)
    assert run_group(shlex.split("".join(words))) == 0
    printed = re.sub(r" Exposure [^\n]*", "", capsys.readouterr().out)  # as this systemd counts it
    assert printed == (HERE / "clock.service").read_text()


def ask(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
        return answer.read()


def test_below_the_overlord_it_hangs_and_dies_and_is_up_again():
    port = free_port()
    with a_place() as place:
        clock = place.file("clock")
        subprocess.run(["cc", "-O2", "-o", clock, HERE / "clock.c"], check=True)
        instead = [
            ("/usr/bin/hafta ", f"{sys.executable} -m hafta.cli "),
            ("/opt/clock/clock", clock),
            ("8080", str(port)),
        ]
        place.unit("clock.service", unit_here("guarded", "clock.service", instead))
        overlord = place.start("--set", f"PYTHONPATH={EXAMPLES.parent}", "clock.service", until="is ready")
        with socket.create_connection(("127.0.0.1", port)):
            overlord.wait_for("is ready", 2)
        assert overlord.find("watchdog")
        assert ask(port).startswith(b"it is ")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /zone/99999999 HTTP/1.0\r\n\r\n")
            overlord.wait_for("killed by signal 11")
        overlord.wait_for("is ready", 3)
        assert ask(port).startswith(b"it is ")
