"""Descriptors from the overlord to its keeper: all of them come, or there is an error, and no lock gets lost."""

from __future__ import annotations

import fcntl
import os
import signal

import pytest
from processes import run_python, wait_until

from hafta.process.channel import Channel, deposit, pair, withdraw
from hafta.process.stat import bytes_of
from hafta.process.table import children


def test_values_and_descriptors_of_any_number_come_through_a_channel():
    ours, theirs = (Channel(end) for end in pair())
    fds = [os.dup(0) for _ in range(600)]
    ours.send(("x" * 100_000, {"a": b"\xff"}, "\udcff"), fds)
    value, come = theirs.receive()
    assert value == ("x" * 100_000, {"a": b"\xff"}, "\udcff")
    assert [os.fstat(fd).st_ino for fd in come] == [os.fstat(0).st_ino] * 600
    held = deposit(come)
    for fd in (*fds, *come):
        os.close(fd)
    back = withdraw(held)
    assert len(back) == 600
    for fd in back:
        assert os.fstat(fd).st_ino == os.fstat(0).st_ino
        os.close(fd)
    assert withdraw(deposit([])) == []
    ours.close()
    with pytest.raises(EOFError):
        theirs.receive()
    theirs.close()


#: Deposits 60 descriptors, and withdraws them where only 40 may be open. Prints the error, and how many are open more.
FEWER = """
import os, resource
from hafta.process.channel import deposit, withdraw

held = deposit([os.dup(0) for _ in range(60)])
os.closerange(3, held)
before = len(os.listdir("/proc/self/fd"))
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
try:
    withdraw(held)
except OSError as error:
    print(error.strerror, len(os.listdir("/proc/self/fd")) - before)
"""


def test_more_descriptors_than_may_be_open_are_an_error_and_not_less_of_them():
    assert run_python(FEWER).stdout.strip() == "Too many open files -1"


#: Holds 60 locks, of which its keeper may have open but few, and is killed. The keeper is slow to end all the rest.
POOR = """
import os, resource, signal, sys, time
from hafta.overlord import keeper as module, locks, roll as rolls
from hafta.overlord.estate import Estate

def end_all(*_):
    open(f"{sys.argv[1]}/ends", "w").close()
    while not os.path.exists(f"{sys.argv[1]}/go"):
        time.sleep(0.01)

module.end_all = end_all
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
keeper = module.Keeper()
keeper.start()
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
own, lock = f"{sys.argv[1]}/r/own", f"{sys.argv[1]}/r/lock"
os.makedirs(own)
os.makedirs(lock)
held = tuple(locks.acquire_all(lock, [str(number) for number in range(60)]))
keeper.entrust(Estate("nobodys", f"{sys.argv[1]}/r", own, (), (), held, rolls.Roll(f"{sys.argv[1]}/r/id.roll")))
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_locked(path):
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_no_lock_is_free_before_all_has_ended_though_the_keeper_may_have_few_files_open(tmp_path):
    assert run_python(POOR, str(tmp_path), check=False).returncode == -signal.SIGKILL
    wait_until((tmp_path / "ends").exists)
    paths = sorted((tmp_path / "r" / "lock").iterdir())
    assert [is_locked(path) for path in paths] == [True] * 60
    (tmp_path / "go").touch()
    wait_until(lambda: not any(is_locked(path) for path in paths if path.exists()))


@pytest.mark.parametrize("most", ["64", "4096"])
def test_the_keeper_may_have_as_many_files_open_as_the_overlord_and_a_service_as_many_as_before(place, most):
    place.service("a", "/bin/sh -c 'ulimit -Sn; exec sleep 1000'")
    overlord = place.start("a", prefix=("prlimit", f"--nofile=64:{most}"), until=r"a +\| 64")
    keeper = next(pid for pid in children(overlord.pid) if (bytes_of(pid, "comm") or b"") == b"hafta-keeper\n")
    limits = [bytes_of(pid, "limits").split(b"Max open files")[1].split()[:2] for pid in (overlord.pid, keeper)]
    assert limits == [[most.encode()] * 2] * 2


#: Asks its keeper for a child, and entrusts it with more, while its user passes too many descriptors.
PASSED = """
import os, resource, sys, time
from hafta.overlord import keeper as module, roll as rolls
from hafta.overlord.child import Launch
from hafta.overlord.estate import Estate
from hafta.overlord.spawn import spawn
from hafta.process.channel import deposit
from hafta.units.unit import Credentials

roll = rolls.Roll(f"{sys.argv[1]}/id.roll")
if os.geteuid() == 0:
    os.setuid(12345)
resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
keeper = module.Keeper()
keeper.start()
estate = Estate("nobodys", sys.argv[1], "own", (), (), (), roll)
keeper.entrust(estate)
first, waiting = keeper.pid, []
try:
    while len(waiting) < 20:
        waiting.append(deposit(range(3)))
        waiting.append(deposit([*range(3)] * 20))
except OSError:
    pass
launch = Launch("/bin/true", ["true"], {}, ("/", False), 0o22, Credentials(), (), True, False)
child = spawn(launch, rolls.Berth(roll, -1), keeper)
print(os.waitpid(child.pid, 0)[1])
try:
    keeper.entrust(estate)
except OSError as error:
    print(error.strerror)
for fd in waiting:
    os.close(fd)
for _ in range(1000):
    try:
        keeper.entrust(estate)
        break
    except OSError:  # the keeper has not taken yet what was sent to it before
        time.sleep(0.01)
else:
    sys.exit("it is refused for ever")
print(keeper.pid == first)
keeper.dismiss()
roll.release()
"""


def test_a_user_who_passes_too_many_descriptors_is_told_and_the_keeper_goes_on(tmp_path):
    told = run_python(PASSED, str(tmp_path)).stdout.splitlines()
    words = "this user's processes pass each other more than 50 open files: raise their hard limit (ulimit -Hn)"
    assert told == ["0", words, "True"]
