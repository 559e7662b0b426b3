"""The tutorial's data server: writes the alphabet to a named pipe, and bad data now and then."""

import os
import random
import time

PIPE = os.environ.get("PIPE", "simple.pipe")
PAUSE = float(os.environ.get("PAUSE", "1"))
GOOD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BAD = b"This is bad data and has to be at least 25 chars!!!!"

random.seed(os.environ.get("SEED"))

if not os.path.exists(PIPE):
    os.mkfifo(PIPE, 0o600)

with open(PIPE, "wb", buffering=0) as pipe:
    while True:
        pipe.write(BAD if random.randrange(25) == 0 else GOOD)
        time.sleep(PAUSE)
