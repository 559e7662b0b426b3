"""The keeper forks the children of the overlord for it: they are the overlord's, on the roll, and each runs once."""

from __future__ import annotations

import hashlib
import os
import signal

import pytest
from overlord_harness import ROOT
from processes import is_alive, run_python, wait_until

from hafta.overlord import locks
from hafta.overlord.child import Launch
from hafta.overlord.estate import Estate
from hafta.overlord.idle import Wait
from hafta.overlord.keeper import Keeper
from hafta.overlord.passing import Passed
from hafta.overlord.roll import Roll
from hafta.process.cgroup import Cgroup
from hafta.units.unit import Credentials

LAUNCH = Launch(
    "/bin/sh", ["sh", "-c", "echo $0 $X"], {"X": "\udcff"}, ("/", False), 0o22, Credentials(), (), True, False
)

#: Starts a program by a keeper, and prints: what it wrote, the wait status, whether it was on the roll and our child,
#: whether we forked ourselves, and whether the keeper lives.
START = """
import os, signal, sys, time
from hafta.overlord import keeper as module, roll as rolls
from hafta.overlord.child import Launch
from hafta.overlord.estate import Estate
from hafta.overlord.spawn import spawn
from hafta.process.table import children
from hafta.units.unit import Credentials

{patch}
os.chdir(sys.argv[1])
roll = rolls.Roll("id.roll")
keeper = module.Keeper()
keeper.start()
keeper.entrust(Estate("nobodys", sys.argv[1], "own", (), (), (), roll))
first, fork, forks = keeper.pid, os.fork, []
os.fork = lambda: forks.append(1) or fork()
{before}
program = "read go <go; echo $PPID; echo >>ran"
launch = Launch("/bin/sh", ["sh", "-c", program], {{}}, (sys.argv[1], False), 0o22, Credentials(), (), True, False)
os.mkfifo("go")
child = spawn(launch, rolls.Berth(roll, -1), keeper)
open("go", "w").close()  # waits for the program
on_roll = any(session.number == child.pid for session in roll.sessions())
os.set_blocking(child.output, True)
ours = open(child.output).read() == f"{{os.getpid()}}\\n"
status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
others = [pid for pid in children(os.getpid()) if pid != first]
for pid in others:
    os.waitpid(pid, 0)
ran = len(open("ran").read())
print(ours, status, on_roll, ran, len(forks), len(others))
keeper.dismiss()
roll.release()
"""
DIES = """
send = module.Channel.send
def die(channel, value, fds=()):
    if value and type(value) is int and value is not True:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
    send(channel, value, fds)
module.Channel.send = die
"""
UNSIGNED = """
take = rolls.Berth.take
def hesitate(berth):
    if os.environ.pop("HESITATES", ""):
        time.sleep(1000)
    take(berth)
os.environ["HESITATES"] = "1"
rolls.Berth.take = hesitate
"""
#: The child is slow to begin its program after it has signed.
SIGNED = """
take = rolls.Berth.take
def linger(berth):
    take(berth)
    time.sleep(2)  # longer than the overlord waits for an answer
rolls.Berth.take = linger
"""
#: The overlord looks too early for the name of the child in its slot.
UNSEEN = """
signature, looks = rolls.Roll.signature, []
rolls.Roll.signature = lambda *given: signature(*given) if looks else looks.append(1) or 0
"""

#: Starts one program whose child is slow, and then another one when the keeper dies. Prints how they ended.
BYSTANDER = """
import os, signal, sys, time
from hafta.overlord import keeper as module, roll as rolls
from hafta.overlord.child import Launch
from hafta.overlord.estate import Estate
from hafta.overlord.spawn import spawn
from hafta.units.unit import Credentials

{patch}
roll = rolls.Roll(f"{{sys.argv[1]}}/id.roll")
keeper = module.Keeper()
keeper.start()
keeper.entrust(Estate("nobodys", sys.argv[1], "own", (), (), (), roll))
launch = Launch("/bin/true", ["true"], {{}}, ("/", False), 0o22, Credentials(), (), True, False)
first = spawn(launch, rolls.Berth(roll, -1), keeper).pid
os.kill(keeper.pid, signal.SIGKILL)
second = spawn(launch, rolls.Berth(roll, -1), keeper).pid
print(*(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in (first, second)))
keeper.dismiss()
roll.release()
"""
UNSIGNED_YET = """
take = rolls.Berth.take
def linger(berth):
    time.sleep(1)
    take(berth)
rolls.Berth.take = linger
"""


@pytest.mark.parametrize("patch", [SIGNED, UNSIGNED_YET], ids=["signed", "not yet"])
def test_children_of_other_units_are_spared_when_a_keeper_dies(tmp_path, patch):
    assert run_python(BYSTANDER.format(patch=patch), str(tmp_path)).stdout.strip() == "0 0"


@pytest.mark.parametrize(
    ("patch", "before", "told"),
    [
        ("", "", "True 0 True 1 0 0"),
        ("rolls.clone = lambda *_, **__: -1", "", "True 0 True 1 1 0"),
        ("", "os.kill(first, signal.SIGKILL)", "True 0 True 1 1 0"),
        ("module.PATIENCE = 0.2", "os.kill(first, signal.SIGSTOP)", "True 0 True 1 1 0"),
        (DIES, "", "True 0 True 1 0 0"),
        (DIES + UNSIGNED, "del os.environ['HESITATES']", "True 0 True 1 1 1"),
        (DIES + SIGNED, "", "True 0 True 1 0 0"),
        (DIES + SIGNED, UNSEEN, "True 0 True 1 1 1"),
        (DIES, UNSEEN, "True 0 True 1 0 0"),
    ],
    ids=[
        "forked", "old kernel", "killed", "stopped", "killed when it has forked", "killed before the child signs",
        "killed when the child has signed", "the child signs while it is killed", "its program begins meanwhile",
    ],
)  # fmt: skip
def test_a_program_is_started_once_whatever_becomes_of_the_keeper(tmp_path, patch, before, told):
    code = START.format(patch=patch, before=before)
    assert run_python(code, str(tmp_path)).stdout.strip() == told


#: Is killed when it has asked the keeper for a child, before the answer comes.
ASKS = """
import os, signal, sys, time
from hafta.overlord import keeper as module, roll as rolls
from hafta.overlord.estate import Estate

module._fork_for = lambda *_: time.sleep(0.3) or 1
os.makedirs(own := f"{sys.argv[1]}/own")
keeper = module.Keeper()
keeper.start()
keeper.entrust(Estate("nobodys", sys.argv[1], own, (), (), (), rolls.Roll(f"{sys.argv[1]}/id.roll")))
keeper._channel.send((module._FORK,))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_keeper_clears_away_also_if_the_overlord_dies_while_it_answers(tmp_path):
    assert run_python(ASKS, str(tmp_path), check=False).returncode == -signal.SIGKILL
    wait_until(lambda: os.listdir(tmp_path) == [])


def test_a_keeper_that_has_died_just_now_is_dismissed_all_the_same(tmp_path):
    roll = Roll(str(tmp_path / "id.roll"))
    guard = Keeper()
    guard.start()
    guard.entrust(Estate("nobodys", str(tmp_path), str(tmp_path / "own"), (), (), (), roll))
    os.kill(guard.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(guard.pid))
    guard.dismiss()
    assert guard.pid == 0
    guard.dismiss()
    roll.release()


#: Sends the overlord a signal as soon as there is a keeper, or as soon as that has something to keep.
SIGNALLED = """
import os, signal, sys
from hafta.overlord import main
from hafta.overlord.keeper import Keeper

do = Keeper.{when}
def send(*given):
    do(*given)
    os.kill(os.getpid(), signal.{name})
Keeper.{when} = send
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.exit(main())
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("when", ["start", "entrust"])
def test_a_signal_that_comes_before_the_overlord_can_take_it_leaves_nothing(place, name, when):
    """While units are read, it ends like any other program. Later it waits until the overlord can stop in order."""
    place.script("signalled.py", SIGNALLED.format(when=when, name=name))
    place.service("a", "/bin/sleep 1000")
    overlord = place.start("a", module="signalled", environ={"PYTHONPATH": f"{place.path}:{ROOT}"})
    assert overlord.wait() == (0 if when == "entrust" else -signal.Signals[name])
    assert (f"Overlord stopped: {name}" in overlord.text) is (when == "entrust")


def test_a_launch_and_an_estate_are_the_same_behind_a_channel(tmp_path):
    assert Launch.unpack(LAUNCH.pack()) == LAUNCH
    assert LAUNCH.is_plain
    assert not LAUNCH.replace(passed=Passed((3,), ("x",), 1)).is_plain
    assert not LAUNCH.replace(wait=Wait(3, 4)).is_plain
    roll = Roll(str(tmp_path / "id.roll"))
    held = tuple(locks.acquire_all(str(tmp_path), ["a", "b"]))
    estate = Estate("id", "r", "own", ("n",), ("f",), held, roll, Cgroup("/p", "/q"), 7, (("a", "b"),))
    there = Estate.unpack(estate.pack(), roll.fd, estate.fds)
    assert there.locks == held
    assert (there.roll.fd, there.cgroup.path, there.values()[:5]) == (roll.fd, "/p", estate.values()[:5])
    assert [lock.path for lock in Estate.unpack(estate.pack(), roll.fd).locks] == [lock.path for lock in held]
    for lock in held:
        lock.release()
    roll.release()


def test_it_works_where_proc_may_only_be_read(place):
    script = 'mount --rbind /proc /proc; mount -o remount,bind,ro /proc; exec "$@"'
    prefix = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", script, "sh")
    place.service("a", "/bin/sleep 1000")
    place.start("a", prefix=prefix, until="is ready")
    place.end()


def test_the_overlord_loads_nothing_large_that_it_seldom_needs(tmp_path):
    code = (
        "import sys; from hafta.overlord import keeper, locks, overlord, plan\n"
        "lock = locks.acquire(sys.argv[1], 'a'); lock.release()\n"
        "print(lock.name >= 0, {'hashlib', 'logging', 'click'} & sys.modules.keys())"
    )
    (tmp_path / "r" / "c" / "lock").mkdir(parents=True)
    assert run_python(code, str(tmp_path / "r" / "c" / "lock")).stdout == "True set()\n"


def test_the_name_of_a_lock_has_the_digest_that_hashlib_gives():
    assert locks._digest(b"x\xff") == hashlib.sha256(b"x\xff").hexdigest()
