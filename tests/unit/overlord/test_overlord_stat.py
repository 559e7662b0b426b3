"""What /proc says of a process, and what it does not say plainly."""

import subprocess
import sys

from processes import wait_until

from hafta.process.stat import read_process

#: The first thread ends, by exit(2) for itself alone, and another one goes on with what the process has open.
HEADLESS = """
import ctypes, os, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)
"""


def state_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_a_process_whose_first_thread_has_ended_lives_as_long_as_another_one():
    """After SIGKILL it is so for a moment, too: what it listens at is not free before its last thread has ended."""
    with subprocess.Popen([sys.executable, "-c", HEADLESS]) as process:
        try:
            wait_until(lambda: state_of(process.pid) == "Z")
            assert not read_process(process.pid).is_dead
        finally:
            process.kill()
        wait_until(lambda: read_process(process.pid).is_dead)
