"""Stories of units in a few words: what their files say, what happens to them, and what is said in the end."""

import os
import re
import signal

import pytest
from overlord_harness import NOTIFY

#: The directives of these units that belong into [Unit]; all others belong into [Service].
OF_ALL = re.compile(
    "After|Before|Requires|Requisite|Wants|BindsTo|Conflicts|On(Failure|Success)|Upholds|StartLimit|Condition|Assert"
    "|(Stop)?Propagate|StopWhenUnneeded|RefuseManualStart"
)
#: Says each of its words to the overlord, but sleeps or exits where one says so.
SAYS = f"""
{NOTIFY}
import sys, time
for word in sys.argv[1:]:
    if word.startswith(("sleep", "exit")):
        time.sleep(float(word[5:])) if word.startswith("sleep") else sys.exit(int(word[4:]))
    else:
        s.send(word.replace(",", "\\n").encode())
"""
SLEEP = "ExecStart=/bin/sleep 1000"
AGAIN = "Restart=always | RestartSec=0"
WITH_A = "Requires=a.service | After=a.service"


def write(place, text):
    """Write units: each line is `name: directive | directive ...`, of a service if the name says nothing else."""
    program = place.script("says.py", SAYS)
    for line in text.splitlines():
        name, _, directives = line.partition(": ")
        parts = [part.replace("{says}", program).replace("{place}", place.path) for part in directives.split(" | ")]
        of_all = [part for part in parts if OF_ALL.match(part)]
        rest = [part for part in parts if part not in of_all]
        body = ["[Unit]", *of_all, *(["[Service]", *rest] if rest else [])]
        place.unit(name if "." in name else f"{name}.service", "\n".join([*body, ""]))


def kill(name):
    """A step: kill the newest main process of a unit."""
    return lambda overlord: os.kill(overlord.pids(f"{name}.service")[-1], signal.SIGKILL)


def wait(pattern, count=1):
    """A step: wait until it has been said so often."""
    return lambda overlord: overlord.wait_for(pattern, count)


def stop(overlord):
    """A step: ask the overlord to stop."""
    overlord.send(signal.SIGTERM)


def interrupt(overlord):
    """A step: do as Ctrl-C does."""
    overlord.send(signal.SIGINT)


def check(place, text, words, steps, status, said):
    """Tell a story. `said`: a text and how often it is said (...: once or more), or a pattern and what it finds."""
    write(place, text)
    overlord = place.start(*words.split())
    for step in steps:
        step(overlord)
    assert overlord.wait() == status, overlord.text
    for what, found in [(text.replace("{place}", place.path), found) for text, found in said.items()]:
        if isinstance(found, list):
            assert (what, overlord.find(what)) == (what, found)
        else:
            times = overlord.text.count(what)
            right = times in found if isinstance(found, range) else times if found is ... else times == found
            assert right, f"{times} x {what!r} in:\n{overlord.text}"


def told(stories):
    """Parametrize a test with stories: `promise: (units, words, steps, status, said)`."""
    return pytest.mark.parametrize(("text", "words", "steps", "status", "said"), stories.values(), ids=list(stories))
