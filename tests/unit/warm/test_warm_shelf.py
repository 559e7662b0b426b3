"""What a worker stores (FDSTORE=1) is there for the next one, and for the overlord; what it drops is gone for all."""

import signal

import pytest
from processes import Child, sequence, wait_until
from warm_support import children, kill

#: Says what it is given by name and content. What a file asks for is done by the first worker that finds it.
BODY = """
from hafta.systemd import descriptors
here = {"NOTIFY_SOCKET": run.runtime.notifier.address}
found = [(name, os.pread(fd, 9, 0).decode()) for name, fd in descriptors.given(os.environ)]
print(f"work {os.getpid()} {found}", flush=True)
while True:
    run.sleep(0.01)
    for order in sorted(os.listdir(os.environ["ORDERS"])):
        os.unlink(f"{os.environ['ORDERS']}/{order}")
        _, what, name = order.split()
        if what == "store":
            fd = os.memfd_create(name)
            os.write(fd, f"of {os.getpid()}".encode()[:9])
            descriptors.store(here, name, fd)
        elif what == "drop":
            descriptors.drop(here, name)
        elif what == "start":
            order += look(name)
        print(f"did {order}", flush=True)
"""
#: Counts the descriptors of this name that a program inherits which is started without any care.
LOOK = """
import os, subprocess, sys
def look(name):
    done = subprocess.run(["ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True)
    return f" inherited {done.stdout.count('memfd:' + name)}"
"""
PROGRAM = LOOK + sequence(BODY, ", warm=True")


class Keeper(Child):
    """The program, and its orders."""

    def __init__(self, directory, *options, program=PROGRAM, redirect=""):
        self.orders, self.count = directory, 0
        super().__init__(program, *options, redirect=redirect, ORDERS=str(directory))

    def order(self, what, name):
        self.count += 1
        (self.orders / f"{self.count} {what} {name}").touch()
        return self.wait_line(f"did {self.count} ")

    def next(self):
        """Wait for the next worker; return its pid and what it was given."""
        _, pid, found = self.wait_line("work ").split(None, 2)
        return int(pid), found


@pytest.mark.parametrize("standby", ["0", "-1"])
def test_the_next_worker_has_what_the_last_ones_have_stored_and_not_dropped(tmp_path, standby):
    with Keeper(tmp_path, f"--standby={standby}") as child:
        first, found = child.next()
        assert found == "[]"
        child.order("store", "one")
        child.order("store", "two")
        child.wait_told("FDNAME=two")
        settle(child, standby)
        kill(first)
        second, found = child.next()
        assert found == f"[('one', {f'of {first}'[:9]!r}), ('two', {f'of {first}'[:9]!r})]"
        child.order("drop", "one")
        child.wait_told("FDSTOREREMOVE=1")
        settle(child, standby)
        kill(second)
        third, found = child.next()
        assert found == f"[('two', {f'of {first}'[:9]!r})]"
        child.process.send_signal(signal.SIGHUP)
        fourth, after_a_reload = child.next()
        assert (after_a_reload, fourth != third) == (found, True)


def test_programs_that_a_worker_starts_do_not_inherit_what_is_stored(tmp_path):
    with Keeper(tmp_path, "--standby=-1") as child:
        first, _ = child.next()
        child.order("store", "one")
        child.wait_told("FDNAME=one")
        kill(first)
        _, found = child.next()
        assert child.order("start", "one").endswith("inherited 0")
        child.process.send_signal(signal.SIGHUP)
        assert child.next()[1] == found != "[]"
        assert child.order("start", "one").endswith("inherited 0")


def settle(child, standby):
    """Wait until a standby is there that was forked after the change."""
    if standby == "0":
        wait_until(lambda: len(children(child.process.pid)) == 2, "a standby")


PASSED = """
import os
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="log")
"""


def test_what_the_overlord_has_passed_to_the_parent_is_the_worker_s_also_after_a_reload(tmp_path):
    """A file at 3, as an overlord passes it: the shell that opens it becomes the program."""
    orders, place = tmp_path / "orders", tmp_path / "passed"
    orders.mkdir()
    place.write_text("passed")
    with Keeper(orders, program=PASSED + PROGRAM, redirect=f"3<{place}") as child:
        assert child.next()[1] == "[('log', 'passed')]"
        child.process.send_signal(signal.SIGHUP)
        assert child.next()[1] == "[('log', 'passed')]"
