"""The overlord, its keeper, or both die by force: no service is left running without them, and none runs twice."""

import os
import random
import shutil
import signal
import stat
import sys
import time

import pytest
from overlord_harness import DEADLINE, ROOT, is_alive, wait_until
from processes import below

#: A main process with a child, a grandchild in a session of its own, and a daemon that was disowned.
TREE = """
import os, sys, time
name = sys.argv[1]

def note():
    with open(name, "a") as file:
        file.write(f"{os.getpid()}\\n")

def sleep():
    note()
    time.sleep(1000)

note()
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        sleep()
    sleep()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        sleep()
    os._exit(0)
time.sleep(1000)
"""

#: Writes 2 MB, then says that it has.
NOISY = """
import time
for n in range(20000): print('x' * 99, flush=True)
open({!r}, 'w').write('1')
time.sleep(1000)
"""


def tree(place, name):
    """Write a service that starts four processes."""
    command = place.script(f"{name}.py", TREE)
    place.service(
        name, f"{command} {place.file(name)}.pids", "Restart=always", "RestartSec=0", "RuntimeDirectory=" + name
    )


def noted(place, name):
    return [int(pid) for pid in place.read(f"{name}.pids").split()]


def keeper_of(pid):
    """Return the keeper of an overlord, once it has its name."""
    return wait_until(lambda: [child for child in below(pid) if name_of(child) == "hafta-keeper"])[0]


def name_of(pid):
    with open(f"/proc/{pid}/comm") as comm:
        return comm.read().strip()


def test_whenever_the_overlord_is_killed_nothing_remains_and_a_new_one_starts_one_of_each(place):
    """Killed at random moments of starting, running and restarting."""
    tree(place, "a")
    tree(place, "b")
    for _ in range(12):
        overlord = place.start("a", "b", "--kill", "a=0.05")
        time.sleep(random.uniform(0.0, 0.4))
        overlord.send(signal.SIGKILL)
        overlord.wait()
    overlord = place.start("a", "b")
    overlord.wait_for("is ready", 2)
    for name in ("a", "b"):
        wait_until(lambda name=name: sum(map(is_alive, noted(place, name))) == 4)
        assert next(pid for pid in noted(place, name) if is_alive(pid)) == overlord.main(f"{name}.service")


def test_when_the_overlord_is_killed_its_directories_go_too(place):
    tree(place, "a")
    overlord = place.start("a")
    wait_until(lambda: len(noted(place, "a")) == 4)
    assert os.path.isdir(f"{place.runtime}/a")
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not os.path.exists(place.runtime))


def test_the_main_process_dies_with_the_overlord_also_without_the_keeper(place):
    overlord = place.up("a", "/bin/sleep 1000")
    keeper = keeper_of(overlord.pid)
    overlord.send(signal.SIGSTOP)
    os.kill(keeper, signal.SIGKILL)
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not is_alive(overlord.pids("a.service")[0]))
    assert place.start("a", "--for", "0.1").wait() == 0, "it clears away what the dead have left"


def test_a_killed_keeper_is_replaced_and_the_new_one_does_its_work(place):
    tree(place, "a")
    overlord = place.start("a")
    wait_until(lambda: len(noted(place, "a")) == 4)
    os.kill(keeper_of(overlord.pid), signal.SIGKILL)
    overlord.wait_for("the keeper died: there is a new one")
    assert len(overlord.pids("a.service")) == 1
    assert place.start("a").wait() == 25, "the lock is still held"
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not os.path.exists(place.runtime))


def test_the_keeper_misses_what_is_sent_to_the_terminal_and_asks_for_its_end(place):
    place.service("a", "/bin/sleep 1000")
    overlord = place.start("a", start_new_session=True, until="is ready")
    keeper = keeper_of(overlord.pid)
    assert os.getsid(keeper) == keeper
    os.kill(keeper, signal.SIGTERM)
    os.kill(keeper, signal.SIGINT)
    os.killpg(overlord.pid, signal.SIGINT)
    assert overlord.wait() == 0
    assert "keeper died" not in overlord.text


def test_the_keeper_holds_nothing_of_the_overlord_open(place):
    overlord = place.up("a", "/bin/sleep 1000")
    keeper = keeper_of(overlord.pid)
    wait_until(lambda: len(os.listdir(f"/proc/{keeper}/fd")) == 6)
    targets = sorted(os.readlink(f"/proc/{keeper}/fd/{fd}") for fd in os.listdir(f"/proc/{keeper}/fd"))
    own = next(name for name in os.listdir(f"{place.runtime}/hafta-overlord") if name.endswith(".roll"))
    assert [target.partition(":")[0] for target in targets] == [
        *["/dev/null"] * 3,
        f"{place.runtime}/hafta-overlord/{own}",
        *["socket"] * 2,  # that of the overlord, and one in which the locks wait
    ]


def test_the_same_unit_is_not_run_twice_and_the_error_names_who_runs_it(place):
    place.service("a", "/bin/sleep 1000")
    place.service("b", "/bin/sleep 1000")
    first = place.start("a", until="is ready")
    second = place.start("b", "a")
    assert second.wait() == 25
    assert second.lines == [
        f"hafta: error: a.service is already run by the overlord of process {first.pid}",
        f"hafta: stop that one first (kill {first.pid}), or run other units",
    ]
    place.start("b", until="is ready")


def test_many_overlords_that_come_and_go_share_the_directory(place):
    for name in "abcdef":
        place.service(name, "/bin/true")
    for _ in range(3):
        overlords = [place.start(name) for name in "abcdef"]
        assert [overlord.wait() for overlord in overlords] == [0] * 6, [overlord.text for overlord in overlords]
        assert not os.path.exists(place.runtime) or os.listdir(place.runtime) == []


@pytest.mark.parametrize("closed", ["stdout", "reader"])
def test_services_run_on_when_nobody_reads_what_they_write(place, closed):
    """Not even a closed stdout, or a reader that has gone, ends or delays them."""
    noisy = place.script("noisy.py", NOISY.format(place.file("done")))
    place.service("a", noisy)
    if closed == "stdout":
        overlord = place.start("a", stdout=None, preexec_fn=lambda: os.closerange(0, 3))
    else:
        reader, writer = os.pipe()
        overlord = place.start("a", stdout=writer)
        os.close(writer)
        os.close(reader)
    wait_until(lambda: place.read("done"))
    overlord.send(signal.SIGTERM)
    assert overlord.process.wait(DEADLINE) == 0


def test_a_stuck_reader_delays_nobody_and_learns_what_was_dropped(place):
    noisy = place.script("noisy.py", NOISY.format(place.file("done")))
    place.service("a", noisy, "Restart=always", "RestartSec=0")
    reader, writer = os.pipe()
    overlord = place.start("a", stdout=writer)
    os.close(writer)
    wait_until(lambda: place.read("done"))
    os.unlink(place.file("done"))
    os.kill(max(below(overlord.pid)), signal.SIGKILL)
    wait_until(lambda: place.read("done"))
    with open(reader, "rb", buffering=0) as file:
        text = ""
        while "dropped" not in text:
            text += file.read(65536).decode()
        overlord.send(signal.SIGTERM)
        while more := file.read(65536).decode():
            text += more
    assert overlord.process.wait(DEADLINE) == 0
    assert "lines of a dropped: the output could not be written in time" in text
    assert "restart 1" in text
    assert len(text) < 600_000


def test_a_terminal_that_closes_stops_it(place):
    place.service("a", "/bin/sleep 1000")
    leader, follower = os.openpty()
    overlord = place.start(
        "a", stdout=follower, stdin=follower, environ={"TERM": "xterm", "NO_COLOR": ""}, preexec_fn=own_terminal
    )
    os.close(follower)
    text = b""
    while b"is ready" not in text:
        text += os.read(leader, 4096)
    os.close(leader)
    assert overlord.process.wait(DEADLINE) == 0
    assert b"\x1b[" in text


def own_terminal():
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_as_process_1_it_reaps_orphans_and_ends_on_sigterm_with_nothing_left(place):
    zombies = "for i in 1 2 3; do (/bin/true & exec /bin/true) & done; setsid sleep 1000 & echo made; sleep 1000"
    place.service("a", f"/bin/sh -c '{zombies}'")
    become_root = () if os.geteuid() == 0 else ("--map-root-user",)
    overlord = place.start("a", prefix=("unshare", *become_root, "--pid", "--fork", "--kill-child", "--mount-proc"))
    overlord.wait_for("a +[|] made")
    (first,) = below(overlord.pid)
    wait_until(lambda: all(map(is_alive, below(first))))
    os.kill(first, signal.SIGUSR2)  # the kernel keeps what process 1 does not ask for away from it
    os.kill(first, signal.SIGTERM)
    assert overlord.wait() == 0
    assert "Overlord stopped: SIGTERM" in overlord.text


def test_a_user_who_is_not_root_has_a_private_place_by_itself(place):
    """Run from a copy: a checkout may be closed to others."""
    shutil.copytree(f"{ROOT}/hafta", place.file("lib/hafta"), ignore=shutil.ignore_patterns("__pycache__"))
    place.service("a", "/bin/sh -c 'echo $$RUNTIME_DIRECTORY; sleep 1000'", "RuntimeDirectory=x", "User=daemon")
    own = place.file("xdg")
    os.mkdir(own, 0o700)
    options = {"environ": {"PYTHONPATH": place.file("lib"), "HOME": own, "XDG_RUNTIME_DIR": own}, "places": ()}
    if os.geteuid() == 0:
        os.chown(own, 65534, 65534)
        options |= {"user": 65534, "group": 65534, "extra_groups": []}
    overlord = place.start("a", "--no-event-log", until=f"a +[|] {own}/hafta-overlord/x", **options)
    info = os.lstat(f"{own}/hafta-overlord")
    assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (os.lstat(own).st_uid, 0o700)
    assert overlord.stop(signal.SIGINT) == 0
    assert "Unit a.service: the embedded overlord does not honour User=" in overlord.text
    assert "only root can change users and groups: runs as the caller" in overlord.text
    assert os.listdir(own) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_root_runs_a_service_as_its_user_which_reaches_the_notify_socket(place):
    ready = place.script(
        "ready.py",
        """
        import os, socket, time
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect(os.environ["NOTIFY_SOCKET"])
        open(os.environ["RUNTIME_DIRECTORY"] + "/mine", "w").close()
        print(os.getuid(), os.getgid(), os.environ["USER"], os.environ["HOME"], flush=True)
        s.send(b"READY=1")
        time.sleep(1000)
        """,
    )
    place.service(
        "a",
        ready.replace(sys.executable, "/usr/bin/python3"),
        "Type=notify",
        "User=nobody",
        "RuntimeDirectory=x",
        "LimitCORE=0",
    )
    overlord = place.start("a")
    overlord.wait_for("is ready")
    import pwd

    nobody = pwd.getpwnam("nobody")
    assert overlord.find(r"a +\| (.*)") == [f"{nobody.pw_uid} {nobody.pw_gid} nobody {nobody.pw_dir}"]
    assert os.stat(f"{place.runtime}/x").st_uid == nobody.pw_uid
    assert overlord.stop() == 0
    overlord = place.start("a", until="is ready")
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not os.path.exists(place.runtime))


def faulty(place, patch):
    """Write an overlord whose system calls fail as the patch says."""
    place.script("faulty.py", f"import os, signal, sys\n{patch}\nfrom hafta.overlord import main\nsys.exit(main())\n")
    return {"module": "faulty", "environ": {"PYTHONPATH": f"{ROOT}:{place.path}"}}


DEAF_KERNEL = """
kill = os.kill
def refuse(pid, signum):
    if signum == signal.SIGKILL:
        raise PermissionError(1, "Operation not permitted")
    kill(pid, signum)
os.kill = refuse
"""


def test_a_process_that_cannot_be_killed_is_named_and_left_to_the_keeper_which_holds_the_lock(place):
    place.service("a", "/bin/sh -c 'trap : TERM; echo deaf; while :; do sleep 0.01; done'", "SendSIGKILL=no")
    overlord = place.start("a", "--no-cgroups", until=r"a +\| deaf", **faulty(place, DEAF_KERNEL))
    overlord.send(signal.SIGINT)
    overlord.wait_for("is stopping")
    for times in range(1, 4):
        overlord.send(signal.SIGINT)
        overlord.wait_for("ending at once", times)
    assert overlord.wait() == 99
    survivor = overlord.pids("a.service")[0]
    assert overlord.find(rf"cannot end process .*\b{survivor}\b.*: the keeper goes on trying")
    os.kill(survivor, signal.SIGKILL)


LATE_FORK = """
import hafta.overlord.keeper as keeper
fork, calls = os.fork, []
class Os:
    def __getattr__(self, name):
        return getattr(os, name)
    def fork(self):
        calls.append(1)
        if len(calls) == 2:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()
keeper.os = Os()
"""


def test_a_keeper_that_cannot_be_made_at_once_is_made_later(place):
    place.service("a", "/bin/sleep 1000")
    overlord = place.start("a", until="is ready", **faulty(place, LATE_FORK))
    os.kill(keeper_of(overlord.pid), signal.SIGKILL)
    overlord.wait_for("the keeper died, and there can be no new one yet: Resource temporarily unavailable")
    overlord.wait_for("the keeper died: there is a new one")
