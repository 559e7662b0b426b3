"""An overlord that is killed at one write of its event log: HAFTA_TEST_AT says which, HAFTA_TEST_CUT after what share.

What it has written whole before goes to HAFTA_TEST_WRITTEN, too.
"""

import os
import signal
import sys

from hafta.eventlog import series
from hafta.overlord import main

at, cut = int(os.environ["HAFTA_TEST_AT"]), float(os.environ["HAFTA_TEST_CUT"])
copy = os.open(os.environ["HAFTA_TEST_WRITTEN"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
real, count = os.write, 0


class Os:
    """The module os, as series.py sees it."""

    def __getattr__(self, name):
        return getattr(os, name)

    def write(self, fd, data):
        global count
        count += 1
        if count == at:
            real(fd, data[: int(len(data) * cut)])
            os.kill(os.getpid(), signal.SIGKILL)
        real(copy, data.removeprefix(b"\n"))
        return real(fd, data)


series.os = Os()
if __name__ == "__main__":
    sys.exit(main())
