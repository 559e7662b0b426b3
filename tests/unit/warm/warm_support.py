"""What the tests of the warm parent share: a service that says who works, and waiting for the next one."""

import os
import signal

from processes import Child, below, is_alive, sequence

#: A node that says its pid and waits; `flag` is a file that only the first worker does not find.
WAITS = "print(f'work {os.getpid()}', flush=True)\nrun.sleep(600)"
ONCE = """
print(f'work {os.getpid()}', flush=True)
flag = os.environ['FLAG']
if os.path.exists(flag):
    run.sleep(600)
open(flag, 'w').close()
{body}
"""


def waiting(options: str = "") -> str:
    """Return a warm service whose node waits."""
    return sequence(WAITS, f", warm=True{options}")


def once(body: str, options: str = "") -> str:
    """Return a warm service whose first worker does this in its node; the next ones wait."""
    return sequence(ONCE.replace("{body}", body.strip()), f", warm=True{options}")


def worker(child: Child) -> int:
    """Wait for the next worker; return its pid."""
    return int(child.wait_line("work ").split()[1])


def children(pid: int) -> list[int]:
    """Return the living children of a process."""
    return list(filter(is_alive, below(pid)))


def kill(pid: int, signum: int = signal.SIGKILL) -> None:
    os.kill(pid, signum)
