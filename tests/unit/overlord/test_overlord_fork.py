"""A child is in its unit's cgroup from its first moment, and is forked all the same where the kernel cannot do that."""

from __future__ import annotations

import pytest
from processes import run_python

#: Forks a berth's child, which says where it is; prints that, and whether clone3(2) made it.
FORK = """
import os, sys
from hafta.overlord.roll import Berth, Roll
from hafta.process.cgroup import make_cgroup

cgroup = make_cgroup(f"test{os.getpid()}")
roll = Roll(sys.argv[1])
fd = {descriptor}
berth = Berth(roll, fd)
reader, writer = os.pipe()
pid = berth.fork()
if pid == 0:
    os.setsid()
    at_first = open("/proc/self/cgroup").read()
    berth.take()
    os.write(writer, repr((at_first, open("/proc/self/cgroup").read(), os.getsid(0) == os.getpid())).encode())
    os._exit(7)
berth.taken(pid)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
at_first, later, leads = eval(os.read(reader, 1 << 16))
assert leads
print("inside" if "x.service" in at_first else "outside", "inside" if "x.service" in later else "outside",
      "cgroups" if cgroup else "none")
if cgroup:
    cgroup.remove()
    assert not os.path.exists(cgroup.path)
"""
UNIT = "cgroup.open_unit('x.service') if cgroup else -1"


def fork(tmp_path, *, descriptor=UNIT, before=""):
    return run_python(before + FORK.replace("{descriptor}", descriptor), str(tmp_path / "roll")).stdout.split()


def test_a_child_is_in_its_cgroup_at_first(tmp_path):
    at_first, later, cgroups = fork(tmp_path)
    assert (at_first, later) == (("inside", "inside") if cgroups == "cgroups" else ("outside", "outside"))


@pytest.mark.parametrize("refusal", ["an old kernel", "a second thread"])
def test_where_the_kernel_or_a_second_thread_forbids_it_the_child_moves_itself(tmp_path, refusal):
    before = {
        "an old kernel": "import hafta.process.fork as fork\nfork._CLONE3 = 100_000\n",
        "a second thread": "import _thread, time\n_thread.start_new_thread(time.sleep, (2,))\n",
    }[refusal]
    at_first, later, cgroups = fork(tmp_path, before=before)
    assert (at_first, later) == ("outside", "inside" if cgroups == "cgroups" else "outside")


#: A cgroup with a process in it is killed as a whole. Then a child is forked for it, where it is empty again, and where
#: it is not.
AFTER_A_KILL = """
import os, signal, sys, time
from hafta.overlord.roll import Berth, Roll
from hafta.process.cgroup import make_cgroup

cgroup = make_cgroup(f"test{os.getpid()}")
roll = Roll(sys.argv[1])


def fork():
    berth = Berth(roll, cgroup.open_unit("x.service"), moves=not cgroup.may_fork_into("x.service"))
    pid = berth.fork()
    if pid == 0:
        berth.take()
        time.sleep(0.05)
        os._exit(7 if "x.service" in open("/proc/self/cgroup").read() else 8)
    berth.taken(pid)
    return pid


if cgroup:
    for begun in range(2):
        first = fork()
        cgroup.kill("x.service")
        if begun == 0:
            os.waitpid(first, 0)
        print(os.waitstatus_to_exitcode(os.waitpid(fork(), 0)[1]))
    os.waitpid(first, 0)
    cgroup.remove()
else:
    print("7 7")
"""


def test_a_child_that_is_forked_after_its_cgroup_was_killed_lives(tmp_path):
    assert run_python(AFTER_A_KILL, str(tmp_path / "roll")).stdout.split() == ["7", "7"]


@pytest.mark.parametrize("descriptor", ["os.open('/', os.O_RDONLY)", "-1"])
def test_a_child_without_a_cgroup_is_forked_all_the_same(tmp_path, descriptor):
    assert fork(tmp_path, descriptor=descriptor)[:2] == ["outside", "outside"]
