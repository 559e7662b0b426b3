"""An overlord that is not root has cgroups where a part of the tree was delegated to it: that part is its own."""

import os
import shlex
import signal
import subprocess

import pytest
from overlord_harness import is_alive, wait_until

NAME = f"hafta-test-{os.getpid()}"
#: Leaves its parents, its session and its environment: only a cgroup knows whose it is.
STRAY = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("stray", os.getpid(), flush=True)
        os.execve("/bin/sleep", ["sleep", "4711"], {})
    os._exit(0)
time.sleep(1000)
"""


def delegating(place, who="daemon"):
    """Return a command that delegates a cgroup to a user, as `Delegate=` and container engines do, and enters it."""
    tree = place.file("cgroup")
    own = f"{tree}/{NAME}"
    files = " ".join(f"{own}/cgroup.{name}" for name in ("procs", "threads", "subtree_control"))
    steps = [
        f"mkdir {tree} && mount -t cgroup2 none {tree}",
        f"mkdir -p {own} && chown {who} {own} {files} && echo $$ > {own}/cgroup.procs",
        f'exec setpriv --reuid={who} --regid={who} --clear-groups "$@"',
    ]
    return ("unshare", "--mount", "sh", "-c", " && ".join(steps), "sh")


@pytest.fixture
def delegated(place):
    """Let a user write to the place, and skip where not even root may have a cgroup."""
    os.chmod(place.path, 0o777)
    if os.geteuid() != 0:
        pytest.skip("only root delegates a cgroup")
    done = subprocess.run((*delegating(place), "true"), check=False, capture_output=True, text=True)
    os.rmdir(place.file("cgroup"))
    if done.returncode:
        pytest.skip(f"no cgroup can be made here: {done.stderr.strip()}")
    yield place
    for overlord in place.overlords:
        overlord.destroy()
    remove = f"mount -t cgroup2 none {shlex.quote(place.path)} && rmdir {shlex.quote(place.path)}/{NAME}"
    words = ("unshare", "--mount", "sh", "-c", remove)
    wait_until(lambda: subprocess.run(words, check=False, capture_output=True).returncode == 0)


def cgroup_of(pid):
    with open(f"/proc/{pid}/cgroup") as file:
        return next(line[3:].strip() for line in file if line.startswith("0::"))


def stray_of(overlord):
    return int(overlord.wait_for(r"\| stray (\d+)")[0])


def test_each_unit_has_its_cgroup_and_a_stray_process_ends_with_it(delegated):
    delegated.service("a", delegated.script("stray.py", STRAY))
    overlord = delegated.start("a", prefix=delegating(delegated))
    stray = stray_of(overlord)
    (main,) = overlord.pids("a.service")
    assert os.stat(f"/proc/{main}").st_uid != 0
    assert cgroup_of(main) == cgroup_of(stray)
    assert cgroup_of(main).startswith(f"/{NAME}/hafta-overlord-")
    assert cgroup_of(main).endswith("/a.service")
    assert overlord.stop() == 0
    assert not is_alive(stray)


def test_a_stray_process_does_not_outlive_an_overlord_that_is_killed(delegated):
    delegated.service("a", delegated.script("stray.py", STRAY))
    overlord = delegated.start("a", prefix=delegating(delegated))
    stray = stray_of(overlord)
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not is_alive(stray))


def test_a_cgroup_of_somebody_else_is_left_alone(delegated):
    delegated.service("a", "/bin/sh -c 'echo up; exec sleep 1000'")
    words = [word.replace("chown daemon", "chown bin") for word in delegating(delegated)]
    overlord = delegated.start("a", prefix=words)
    overlord.wait_for(r"\| up")
    assert cgroup_of(overlord.pids("a.service")[0]) == f"/{NAME}"
    assert overlord.stop() == 0
