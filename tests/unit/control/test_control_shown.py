"""Properties look as systemctl shows them; systemd's own words are the expected values."""

import time

import pytest

from hafta.control import shown


@pytest.mark.parametrize(
    ("usec", "text"),
    [
        *((0, "0"), (1, "1us"), (1500, "1.500ms"), (100_000, "100ms"), (1_500_000, "1.500000s"), (5_000_000, "5s")),
        *((90_000_000, "1min 30s"), (90_500_000, "1min 30.500000s"), (3_600_000_000, "1h"), (86_400_000_000, "1d")),
        *(
            (7 * 86_400_000_000, "1w"),
            (600_000_000, "10min"),
            ((1 << 64) - 1, "infinity"),
            (61_000_001, "1min 1.000001s"),
        ),
    ],
)
def test_spans(usec, text):
    assert shown.span(usec) == text


@pytest.mark.parametrize(
    ("usec", "text"),
    [
        *((500, "0ms ago"), (147_000, "147ms ago"), (3_900_000, "3s ago"), (64_000_000, "1min 4s ago")),
        *((301_000_000, "5min ago"), (7_500_000_000, "2h 5min ago"), (90_000_000_000, "1 day 1h ago")),
        *((200_000_000_000, "2 days ago"), (-5, "0ms ago")),
    ],
)
def test_how_long_ago(usec, text):
    assert shown.ago(usec) == text


def test_values_by_their_names_and_kinds(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert shown.lines("ActiveEnterTimestamp", 1_795_960_482_623_872) == ["Sun 2026-11-29 13:54:42 UTC"]
    assert shown.lines("ActiveEnterTimestamp", 0) == [""]
    assert shown.lines("ActiveEnterTimestampMonotonic", 0) == ["0"]
    assert shown.lines("RestartUSec", 100_000) == ["100ms"]
    assert shown.lines("RemainAfterExit", False) == ["no"]
    assert shown.lines("Wants", ["a.service", "b.service"]) == ["a.service b.service"]
    assert shown.lines("Wants", []) == [""]
    assert shown.lines("StatusText", "a\x1b[2Jb\nc") == ["a\\x1b[2Jb\\x0ac"]
    command = {"path": "/bin/x", "argv": ["/bin/x", "1"], "ignore_errors": True}
    (line,) = shown.lines("ExecStart", [command])
    assert line.startswith("{ path=/bin/x ; argv[]=/bin/x 1 ; ignore_errors=yes ; start_time=[n/a] ; ")
