"""SIGKILL, or SIGTERM and SIGINT, at random times, again and again, each process going on where one ended."""

from __future__ import annotations

import pytest
from conftest import run_script

#: name: (sync every, slot size, durable)
WAYS = {"process": (0, 4096, 0), "power": (1, 4096, 1), "both": (5, 4096, 0), "cut": (9, 16384, 1)}


@pytest.mark.parametrize("way", WAYS)
def test_a_kill_at_any_time_loses_nothing(way, tmp_path, tell, long):
    rounds = 25_000 if long else 650
    said = run_script("killer.py", rounds, 1.0, tmp_path, *WAYS[way], python=("-I", "-S"))
    tell(rounds, f"random SIGKILL, {said}")


def test_a_stop_at_any_time_ends_a_service_with_0_in_time_and_leaves_its_record_whole(tmp_path, tell, long):
    rounds = 100_000 if long else 5_000
    said = run_script("stopper.py", rounds, 0.2, tmp_path, python=("-W", "ignore::DeprecationWarning"))
    tell(rounds, f"random SIGTERM and SIGINT, {said}")
