"""Read a meter at a serial port: each line is a reading. Unplugged, it waits until the port is there again.

    open_port ──> read_line ──> done         a bad line: read_line again, from the next line on
        ^             │                      no line, or no port: close it, and open it again
        └─────────────┘

What comes while nobody reads is lost: this is a wire. What was counted outlives the process (`kept`).
"""

import os
import re
import sys
import termios
import tty
from contextlib import suppress

import hafta.service
from hafta import settings
from hafta.policies import FOREVER, Attempts, Backoff, On

READING = re.compile(rb"(\w{1,16})=(-?\d{1,6}(?:\.\d{1,6})?)")
LONGEST = 80  # bytes of a line


def speed(text):
    if not hasattr(termios, f"B{text}"):
        raise ValueError("a speed of serial ports, such as 9600")
    return getattr(termios, f"B{text}")


SETTINGS = [
    settings.Setting("port", settings.path, "/dev/ttyUSB0", "where the meter is", "PATH"),
    settings.Setting("speed", speed, termios.B9600, "bits in a second", "BAUD", shown_default="9600"),
    settings.Setting("silence", settings.positive, 10, "after this time without a line, open it again", "SECONDS"),
]


class Meter:
    """The userdata: the open port, and what has come and is not a whole line yet."""

    def __init__(self, values):
        self.port, self.speed, self.silence = values.port, values.speed, values.silence
        self.fd = None
        self.come = b""
        self.kept = {"readings": 0, "bad": 0, "last": ""}

    def open(self):
        self.fd = os.open(self.port, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd, termios.TCSANOW)  # not TCSAFLUSH, which drops what has come already
        form = termios.tcgetattr(self.fd)
        form[4] = form[5] = self.speed
        termios.tcsetattr(self.fd, termios.TCSANOW, form)

    def close(self):
        fd, self.fd, self.come = self.fd, None, b""  # half a line is nothing without its other half
        if fd is not None:
            with suppress(OSError):  # it is gone
                os.close(fd)

    def next_line(self, run):
        """Wait for a whole line, and take it. Raises OSError where there is none, ValueError where it has no end."""
        while b"\n" not in self.come:
            if len(self.come) > LONGEST:
                self.come = b""
                raise ValueError("a line without an end")
            if not run.wait(self.fd, self.silence):
                raise TimeoutError(f"no line in {self.silence} s")
            if not (piece := os.read(self.fd, LONGEST)):
                raise ConnectionError("the port is gone")
            self.come += piece
        line, _, self.come = self.come.partition(b"\n")
        return line.rstrip(b"\r")


meter = hafta.Sequence("meter", version="1")


@meter.node(policy=Attempts(FOREVER) | Backoff(0.1, cap=2))
def open_port(run):
    if run.data.fd is None:
        run.status(f"waits for {run.data.port}; {run.data.kept['readings']} readings, {run.data.kept['bad']} bad lines")
        run.data.open()
    return read_line


@open_port.rollback
def close_port(run, checkpoint):
    run.data.close()
    return open_port


@meter.node(policy=On(OSError, hafta.ROLL_BACK_PREVIOUS) | Attempts(20))
def read_line(run):
    line = run.data.next_line(run)
    if not (found := READING.fullmatch(line)):
        raise ValueError(f"not a reading: {line!r}")
    name, value = found[1].decode(), float(found[2])
    run.data.kept.update(readings=run.data.kept["readings"] + 1, last=f"{name} {value:g}")
    run.say(f"{name} is {value:g}")
    return hafta.EXIT


@read_line.rollback
def count_it(run, checkpoint):
    if isinstance(run.reason, ValueError):
        run.data.kept["bad"] += 1
    return read_line


if __name__ == "__main__":
    recorded = hafta.service.state_checkpoints(keep=lambda data: data.kept)
    sys.exit(hafta.service.run(meter, Meter, settings=SETTINGS, checkpoints=recorded))
