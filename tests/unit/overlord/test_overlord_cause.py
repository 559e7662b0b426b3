"""A service under the embedded overlord knows how its last process died, whether it was started cold or warm."""

import json
import os
import signal
import subprocess
import sys

import pytest
from deaths import PROGRAM, UNIT
from overlord_harness import ROOT, is_alive, wait_until

from hafta import exits


def recorded(place):
    """Return what `hafta checkpoints --json` says of the cause."""
    command = [sys.executable, "-m", "hafta.cli", "checkpoints", "--json", "--directory", f"{place.state}/feed"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True, check=True)
    (found,) = json.loads(done.stdout)
    return found["cause"]


def waits(place):
    """Return the process that waits in the node, once there is one."""
    text = place.read("s/feed/waits")
    return int(text) if text and is_alive(int(text)) else 0


#: Of the lines of the unit, those that the embedded overlord needs: no directory, and no command after the end.
FEWER = [line for line in UNIT.splitlines() if not line.startswith(("Runtime", "ExecStopPost"))]


@pytest.mark.parametrize(
    ("lines", "warm", "where"), [(FEWER, "no", None), (UNIT.splitlines(), "no", None), (FEWER, "yes", "work")]
)
def test_a_policy_decides_by_the_signal(place, lines, warm, where):
    command = place.script("feed.py", f"import sys\nsys.path.insert(0, {ROOT!r})\n{PROGRAM}").replace("-SE", "")
    place.service("feed", command, *lines, f"Environment=HAFTA_WARM={warm} HAFTA_DEADLINE=5")
    overlord = place.start("feed")
    overlord.wait_for("undo 1 because process .+ it was killed by SIGKILL")
    pid = wait_until(lambda: waits(place))
    cause = recorded(place)
    assert (cause["why"], cause["signal"], cause["node"]) == ("SIGKILL", signal.SIGKILL, where)
    os.kill(pid, signal.SIGSEGV)
    overlord.wait_for("Sequence feed failed .+ it was killed by SIGSEGV")
    if warm == "no":
        overlord.wait_for("Unit feed.service .*failed")
        assert overlord.wait() == exits.FAILED
        assert len(overlord.pids("feed.service")) == 3
    else:
        assert len(overlord.pids("feed.service")) == 1
