"""The world outside of the hosts: a resource that checks tokens, one that does not, and the history. It never lies.

All three are files on the test's own disk, changed under a lock: they stand for what hosts reach by other ways than the
store, and no partition cuts them off.
"""

import fcntl
import json
import os
import time


class Refused(Exception):
    """The resource has seen a larger token."""


class World:
    """The files, in one directory."""

    def __init__(self, folder):
        self.folder = folder

    def tell(self, **what):
        """Add a line to the history."""
        self._append("history", json.dumps({"at": time.monotonic(), **what}))

    def add(self, number, token):
        """Have an effect."""
        self._change("+", number, token)

    def remove(self, number, token):
        """Take an effect back, if it is there."""
        self._change("-", number, token)

    def lines(self, name):
        """Return what a file has."""
        try:
            with open(os.path.join(self.folder, name)) as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def _change(self, sign, number, token):
        self._append("unchecked", json.dumps([sign, number, token]))
        with open(os.path.join(self.folder, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if token < self.newest(token):
                raise Refused(f"token {token} is not the newest any more")
            self._append("checked", json.dumps([sign, number, token]))

    def newest(self, token):
        """Return the largest token that was ever used, this one included."""
        return max([token, *(seen for _, _, seen in self.lines("checked")[-1:])])

    def _append(self, name, line):
        fd = os.open(os.path.join(self.folder, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(fd, f"{line}\n".encode())
        finally:
            os.close(fd)
