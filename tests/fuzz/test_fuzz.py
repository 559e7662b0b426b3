"""A short form of `make fuzz`, with another seed in each run; and that it would find something."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import live
import readers


def test_nothing_that_others_write_is_too_much_for_the_readers(tmp_path):
    counts = readers.run(tmp_path, random.randrange(1_000_000), 6.0)
    assert min(counts.values()) > readers.LEAST


def test_nothing_that_services_and_clients_say_is_too_much_for_a_running_overlord():
    with tempfile.TemporaryDirectory(prefix="hafta-fuzz-") as folder:  # its name is short enough for a socket's
        counts = live.run(Path(folder), random.randrange(1_000_000), 8.0)
    assert min(counts["looks"], counts["requests"]) > readers.LEAST


@pytest.mark.parametrize("mistake", ["raises", "takes long"])
def test_what_a_reader_must_not_do_is_found_and_can_be_had_again(tmp_path, monkeypatch, mistake):
    def wrong(_text):
        if mistake == "raises":
            raise IndexError("oh")
        end = readers.time.process_time() + 2 * readers.SLOWEST
        while readers.time.process_time() < end:
            pass

    monkeypatch.setattr(readers.wire, "request", wrong)
    monkeypatch.setattr(readers.makers, "request", lambda _: b"{}\0")
    with pytest.raises(readers.Finding, match=r"control: .*--again 1:control:0\)"):
        readers.run(tmp_path, 1, 5.0)
    (tmp_path / "again").mkdir()
    with pytest.raises(readers.Finding, match="control: "):
        readers.again(tmp_path / "again", "1:control:0")
