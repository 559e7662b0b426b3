"""docs/hosts.md: "Three hosts from nothing in ten commands", on three machines, each command as it stands there."""

import re
import time

import pytest
from three_hosts import run, steps, three_hosts

PATIENCE = 120.0  # seconds for what a look is to show: a lease, an election, and a busy machine
LOOKS = ("hafta checkpoints", "journalctl")  # these only look, so they are asked again


def pattern(output):
    """Return what the output must match: numbers and blanks are those of the moment, and three dots are anything."""
    words = [re.sub(r"\d+(\\\.\d+)?", r"[\\d.]+", re.escape(word)) for word in output.split()]
    text = r"\s+".join("m?s" if word in {"s", "ms"} else word for word in words)
    return re.compile(text.replace("…", ".*") + r"\s*")


@pytest.fixture(scope="module")
def hosts(packages):
    with three_hosts(packages) as hosts:
        yield hosts


def test_each_command_does_what_the_page_says(hosts):
    assert len([whose for whose, *_ in steps() if whose]) == 10, "as the heading says"
    assert [what for whose, what, _ in steps() if not whose] == ["cut the power of b"]
    for whose, command, output in steps():
        if not whose:
            hosts["b"].die()
            continue
        end = time.monotonic() + (PATIENCE if command.startswith(LOOKS) else 0.0)
        while not pattern(output).fullmatch(told := run(hosts, whose, command)) and output:
            assert time.monotonic() < end, f"{whose}# {command}{told}\nnot:\n{output}"
            time.sleep(0.5)
