"""examples/ingest, warm: its worker is killed at random times, and each file is in the ledger exactly once."""

from __future__ import annotations

import pytest
from conftest import run_script


@pytest.mark.parametrize("standby", ["0", "-1"])
def test_each_file_exactly_once_however_often_the_worker_is_killed(standby, tmp_path, tell, long):
    """The short form ends after 6 s, whatever the machine has managed until then."""
    rounds, seconds = (5_000, 3600.0) if long else (500, 6.0)
    said = run_script("ingest_killer.py", rounds, 1.0, tmp_path, standby, seconds)
    tell(int(said.split()[0]), said)
