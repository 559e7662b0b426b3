"""Records for `hafta checkpoints`: of a process that hangs, of one that has ended, and what is not a record."""

import subprocess
import sys

from hafta.stores import FileStore

#: Records a position of two nested sequences, says so, and hangs.
PROGRAM = """
import sys, time
import hafta
from hafta.stores import FileStore

outer, inner = hafta.Sequence("copy", version="2"), hafta.Sequence("chunk")

@outer.node
def open_file(run):
    run.checkpoint(2, path="a\\x1b[31mb", raw=b"\\0\\1")
    return each

@outer.node
def each(run):
    run.checkpoint(1, done=3)
    run.call(inner)

@inner.node
def write(run):
    run.checkpoint(3, offset=12345, name="a value that is rather too long for a line of eighty columns")
    print("hangs", flush=True)
    time.sleep(1000)

outer.call(checkpoints=hafta.Checkpoints(FileStore(sys.argv[1]), instance="x", keep={"total": 7}))
"""


class Holder:
    """A process that has got as far as PROGRAM goes."""

    def __init__(self, place):
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(place)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "hangs\n"

    def __enter__(self):
        return self.process

    def __exit__(self, *_error):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def ended(place, sequence="done", instance=""):
    place.mkdir(parents=True, exist_ok=True)
    with FileStore(str(place)).claim(sequence, instance):
        pass


def foreign(place):
    """Make a record of something else."""
    with FileStore(str(place)).claim("s") as claim:
        claim.enter(b"not ours")
        claim.write(b"either")
    return place / "hafta-s.checkpoint"


def damaged(place):
    """Make a record of which no slot is whole."""
    path = foreign(place)
    path.write_bytes(b"\0" * path.stat().st_size)
    return path


def link(place):
    path = place / "hafta-s.checkpoint"
    path.symlink_to("hafta-t.checkpoint")
    return path
