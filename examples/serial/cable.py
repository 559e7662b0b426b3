"""A cable without a device: lines that are typed here come out of ./port. `unplug` and `plug` do what they say."""

import os
import pty
import sys
import tty


class Cable:
    """A pty pair; its end for the reader is a symbolic link, as those in /dev/serial/by-id are."""

    def __init__(self, port):
        self.port = port
        self.fds = ()
        self.plug()

    def plug(self):
        self.fds = pty.openpty()  # the reader's end stays open here: what is sent waits for the reader
        tty.setraw(self.fds[1])
        os.symlink(os.ttyname(self.fds[1]), f"{self.port}.new")
        os.rename(f"{self.port}.new", self.port)

    def unplug(self):
        if self.fds:
            os.unlink(self.port)
        while self.fds:
            *self.fds, fd = self.fds
            os.close(fd)

    def send(self, data):
        os.write(self.fds[0], data)


if __name__ == "__main__":
    cable = Cable("port")
    for line in sys.stdin:
        {"unplug\n": cable.unplug, "plug\n": cable.plug}.get(line, lambda line=line: cable.send(line.encode()))()
    cable.unplug()
