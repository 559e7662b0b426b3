"""SIGKILL at random times, again and again, each process going on where the one before was killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

KILLER = os.path.join(os.path.dirname(__file__), "killer.py")

#: name: (sync every, slot size, durable)
WAYS = {"process": (0, 4096, 0), "power": (1, 4096, 1), "both": (5, 4096, 0), "cut": (9, 16384, 1)}


@pytest.mark.parametrize("way", WAYS)
def test_a_kill_at_any_time_loses_nothing(way, tmp_path, tell, long):
    rounds = 25_000 if long else 650
    seed = random.randrange(1 << 32)
    command = [sys.executable, "-I", "-S", KILLER, str(tmp_path), str(rounds), str(seed), *map(str, WAYS[way])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=rounds * 1.0, check=False)
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-3000:]}"
    tell(rounds, f"random SIGKILL, {done.stdout.strip()}")
