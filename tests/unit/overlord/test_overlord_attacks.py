"""What services may do to an overlord, and to each other, with their processes: nothing."""

import os
import signal
from itertools import pairwise
from pathlib import Path

import pytest
from overlord_harness import PYTHON, ROOT, is_alive, wait_until
from test_overlord_killed import keeper_of

#: How the overlord knows its processes: with cgroups where they can be had, and always without.
WAYS = [pytest.param((), id="cgroup"), pytest.param(("--no-cgroups",), id="table")]


PAUSE = 2.0  # seconds, on any machine: without bounds it was as long as there was work


#: Ways to start a process that goes on, with a file to write its number to. What the shell then waits for is all gone
#: when the overlord is killed.
ESCAPES = {
    "as it is": "sleep 1000 & echo $! > {0}; wait",
    "no environment": "env -i sleep 1000 & echo $! > {0}; wait",
    "no environment from the start": "exec env -i sh -c 'sleep 1000 & echo $! > {0}; wait'",
    "an environment of another overlord": "HAFTA_OVERLORD=x/y sh -c 'sleep 1000 & echo $! > {0}; wait'",
    "orphan without environment": "env -i sh -c '(sleep 1000 & echo $! > {0}) &' ; sleep 1000",
    "own session, orphan": "setsid sh -c 'sleep 1000 & echo $! > {0}' ; sleep 1000",
}


def start_escape(place, body, *options):
    """Run a shell script as a service; return the overlord and the process that is to be gone."""
    script = place.file("escape.sh")
    with open(script, "w") as file:
        file.write(body.format(place.file("pid")) + "\n")
    place.service("x", f"/bin/sh {script}", "RuntimeDirectory=x")
    overlord = place.start("x", *options)
    return overlord, int(wait_until(lambda: place.read("pid").strip()))


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("body", ESCAPES.values(), ids=ESCAPES)
def test_no_process_outlives_an_overlord_that_is_killed(place, body, options):
    overlord, escaped = start_escape(place, body, *options)
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not os.path.exists(place.runtime))
    assert not is_alive(escaped)


@pytest.mark.parametrize("options", WAYS)
def test_no_process_in_a_session_without_environment_outlives_it_once_it_has_been_seen(place, options):
    """Without cgroups it is seen a tenth of a second after the start: docs/overlord.md."""
    overlord, escaped = start_escape(place, "setsid env -i sleep 1000 & echo $! > {0}; wait", *options)
    if options:
        (roll,) = Path(f"{place.runtime}/hafta-overlord").glob("*.roll")
        wait_until(lambda: str(escaped) in roll.read_text())
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not os.path.exists(place.runtime))
    assert not is_alive(escaped)


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("order", [("keeper", "overlord"), ("overlord", "keeper")])
def test_what_a_dead_pair_has_left_is_ended_by_the_next_overlord(place, order, options):
    """Both are stopped first, so that neither can do anything between the two deaths."""
    overlord, escaped = start_escape(place, ESCAPES["no environment from the start"], *options)
    pids = {"overlord": overlord.pid, "keeper": keeper_of(overlord.pid)}
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)
    for name in order:
        os.kill(pids[name], signal.SIGKILL)
    overlord.wait()
    place.service("y", "/bin/sleep 1000")
    after = place.start("y", *options, until="is ready")
    wait_until(lambda: not is_alive(escaped))
    assert after.find(r"overlord \| an earlier overlord and its keeper were killed: ended 1 process that they had left")


def test_a_living_pair_is_no_heritage(place):
    place.service("x", "/bin/sleep 1000", "RuntimeDirectory=x")
    place.service("y", "/bin/sleep 1000", "RuntimeDirectory=y")
    first, second = place.start("x"), place.start("y")
    second.wait_for("is ready")
    first.wait_for("is ready")
    third = place.start("z") if place.service("z", "/bin/true") else None
    assert third.wait() == 0
    assert is_alive(first.pids("x.service")[0])
    assert is_alive(second.pids("y.service")[0])
    assert os.path.isdir(f"{place.runtime}/x")


#: Says something every 20 ms.
TICK = """
import time
while True:
    print("tick", flush=True)
    time.sleep(0.02)
"""


def longest_pause(overlord):
    """Return the longest time between two lines of the ticker, as the overlord showed them."""
    times = [when for when, line in zip(overlord.times, overlord.lines, strict=False) if "| tick" in line]
    assert len(times) > 5
    return max(after - before for before, after in pairwise(times))


def unseeing(place):
    """Return how to start an overlord that never looks at what its units have started: so all is new to it."""
    place.script(
        "unseeing.py",
        "import sys; from hafta.overlord import main, overlord; overlord.SCANS = (); sys.exit(main())",
    )
    return {"module": "unseeing", "environ": {"PYTHONPATH": f"{ROOT}:{place.path}"}}


def test_an_orphan_cannot_pass_for_another_unit_s_process(place):
    """It says that it is, in its environment; without cgroups, and in a session of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes somebody else")
    lie = place.script(
        "lie.py",
        """
        import os, socket, sys, time
        if len(sys.argv) == 1:
            marker = os.environ["HAFTA_OVERLORD"].split("/")[0] + "/b.service"
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(0.05)
                    environ = {**os.environ, "HAFTA_OVERLORD": marker}
                    os.execve(sys.executable, [sys.executable, "-SE", __file__, "again"], environ)
                os._exit(0)
            time.sleep(1000)
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect(os.environ["NOTIFY_SOCKET"])
        s.send(f"READY=1\\nSTATUS=an impostor\\nMAINPID={os.getpid()}".encode())
        print("lied", flush=True)
        time.sleep(1000)
        """,
    ).replace(PYTHON, "/usr/bin/python3")
    place.service("a", lie, "User=nobody", "Type=simple", "NotifyAccess=all")
    place.service("b", "/bin/sleep 1000", "User=daemon", "Type=notify", "NotifyAccess=all")
    overlord = place.start("a", "b", "--no-cgroups", until=r"a +\| lied", **unseeing(place))
    overlord.send(signal.SIGUSR1)
    overlord.wait_for("b.service: activating")
    assert not overlord.find("b.service:.* impostor")
    assert not overlord.find("b.service is ready")


#: Starts orphans that leave their session and look for ever as if they were in the middle of execve(2). Where the
#: kernel has put the stack so that a program cannot live without its first page, it begins again.
HIDERS = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)

def hide():
    stack = next(line for line in open("/proc/self/maps") if "[stack]" in line).split()[0]
    libc.munmap(int(stack.split("-")[1], 16) - 4096, 4096)
    return open("/proc/self/cmdline", "rb").read() == b"" == open("/proc/self/environ", "rb").read()

if os.fork() == 0:
    os._exit(not hide())
if os.wait()[1]:
    os.execve(sys.executable, [sys.executable, "-SE", sys.argv[0]], dict(os.environ))
for _ in range(30):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        hide()
        time.sleep(1000)
while True:
    hidden = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
            hidden += int(stat[1]) == os.getppid() and open(f"/proc/{pid}/cmdline").read() == ""
        except OSError:
            pass
    if hidden >= 30:
        break
    time.sleep(0.01)
print("hidden", flush=True)
"""


def test_processes_that_hide_their_arguments_hold_nobody_up(place):
    place.service("x", place.script("hiders.py", HIDERS), "Restart=no")
    place.service("tick", place.script("tick.py", TICK))
    overlord = place.start("x", "tick", "--no-cgroups", until=r"x +\| hidden", **unseeing(place))
    overlord.wait_for("x.service is stopped")
    ticks = len(overlord.find("tick +.? tick"))
    wait_until(lambda: len(overlord.find("tick +.? tick")) > ticks + 10)
    assert longest_pause(overlord) < PAUSE
    assert overlord.stop() == 0
    assert overlord.find(r"Killed \d+ processes that the units had left behind")
