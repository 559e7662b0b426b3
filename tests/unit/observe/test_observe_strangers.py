"""`hafta status` believes nothing that others have put into runtime directories, and prints no traceback."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta.observe.sources import published
from hafta.observe.sources.systemd import FOREVER, full_name, parse, span
from hafta.observe.sources.trust import is_unit
from hafta.service.published import board

GOOD = {"version": 1, "program": "feed", "unit": "feed.service", "invocation": "", "pid": 1, "sequences": ["feed"]}
LINE = "feed\twork\tnormal\t3\tRECEIVED\t0\t0\t1"


@given(st.binary(max_size=300))
def test_no_bytes_of_a_file_raise(data):
    published.parse("/x", data)
    published.parse_board(data)
    parse(data.decode(errors="replace"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)  # fmt: skip
WILD = st.integers(-(10**30), 10**30) | st.text(st.characters(codec=None), max_size=8) | st.just("*.service")


@given(st.dictionaries(st.sampled_from([*GOOD, "records", "level", "instance", "hafta"]), JSON | WILD))
def test_any_json_is_refused_or_has_names_and_numbers_of_a_kind(changed):
    found = published.parse("/x", json.dumps({**GOOD, **changed}).encode())
    if found is not None:
        assert found.unit == "" or is_unit(found.unit)
        assert 0 <= found.pid < 10**18


@given(st.lists(st.lists(st.integers().map(str) | st.text(max_size=5), max_size=9), max_size=4))
def test_a_board_has_only_numbers_that_a_clock_can_have(rows):
    found = published.parse_board(board("\n".join("\t".join(row) for row in [["1", "7"], *rows])))
    numbers = [(each.checkpoint, each.attempt, each.failures, each.since or 0) for each in found.calls if found]
    assert all(abs(number) < 10**18 for each in numbers for number in each)


@given(st.text(max_size=200))
def test_no_text_of_a_board_raises_and_a_whole_one_is_read(text):
    found = published.parse_board(board(f"12\t7\n{text}\n{LINE}"))
    assert found is None or (found.moment, found.pid) == (12, 7)
    assert published.parse_board(board(f"12\t7\n{LINE}")).calls[0].checkpoint_name == "RECEIVED"


@given(st.integers(0, 1023), st.integers(1, 255))
def test_a_torn_board_is_not_believed(place, flip):
    data = bytearray(board(f"12\t7\n{LINE}"))
    data[place] ^= flip
    found = published.parse_board(bytes(data))
    assert found is None or found.calls[0].sequence == "feed"


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"pid": "1"},
        {"pid": True},
        {"pid": -1},
        {"unit": 7},
        {"sequences": "feed"},
        {"sequences": [1]},
        {"unit": "*.service"},
        {"unit": "a\0.service"},
        {"pid": 10**18},
    ],
)
def test_a_description_with_a_value_of_another_type_is_left_out(changed):
    assert published.parse("/x", json.dumps({**GOOD, **changed}).encode()) is None
    assert published.parse("/x", json.dumps(GOOD).encode()).unit == "feed.service"


@pytest.mark.parametrize("kind", ["link", "pipe", "directory", "writable", "large", "foreign"])
def test_a_file_that_others_could_have_put_there_is_left_out(tmp_path: Path, kind: str):
    path, text = tmp_path / "feed.hafta", json.dumps(GOOD)
    path.write_text(text)
    owner = tmp_path.stat().st_uid
    assert published._read(str(path), {owner})[2] == text.encode()
    path.unlink()
    if kind == "link":
        (tmp_path / "other").write_text(text)
        path.symlink_to(tmp_path / "other")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_text(text + " " * (published.MOST if kind == "large" else 0))
        path.chmod(0o666 if kind == "writable" else 0o644)
    if kind == "foreign":
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        os.chown(path, 65534, 65534)
    assert published._read(str(path), {owner}) is None
    assert not stat.S_ISREG(path.lstat().st_mode) or kind in {"writable", "large", "foreign"}


@pytest.mark.parametrize(
    ("text", "usec"),
    [
        ("0", 0), ("5s", 5_000_000), ("7.500000s", 7_500_000), ("1min 30s", 90_000_000), ("infinity", FOREVER),
        ("[not set]", None), ("", None), ("2d 4h", 187_200_000_000), ("100ms", 100_000), ("x", None),
        ("1 parsec", None),
    ],
)  # fmt: skip
def test_spans_as_systemctl_writes_them(text, usec):
    assert span(text) == usec


def test_blocks_of_properties_have_the_types_of_the_control_socket():
    text = "Id=a.service\nMainPID=7\nWatchdogUSec=5s\nNeedDaemonReload=no\nDropInPaths=/a /b\n"
    text += "MemoryCurrent=[not set]\nX=1\n"
    assert parse(f"{text}\nId=b.service\nStatusText=a=b\nStateChangeTimestampMonotonic=\n") == [
        {
            "Id": "a.service", "MainPID": 7, "WatchdogUSec": 5_000_000, "NeedDaemonReload": False,
            "DropInPaths": ["/a", "/b"], "MemoryCurrent": None,
        },
        {"Id": "b.service", "StatusText": "a=b", "StateChangeTimestampMonotonic": 0},
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "full"), [("a", "a.service"), ("a.socket", "a.socket"), ("a@b", "a@b.service")])
def test_a_name_is_completed_as_systemctl_does(name, full):
    assert full_name(name) == full


@pytest.mark.parametrize("name", ["-x", "a b", "*", "/etc", "", "a\nb", "\udcff"])
def test_a_strange_name_is_unknown_and_nothing_more(name):
    command = [sys.executable, "-m", "hafta.cli", "status", "--", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, errors="backslashreplace")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("hafta: there is no unit and no sequence")
    assert len(done.stderr.splitlines()) == 1


def test_only_runtime_directories_are_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Not what is above them: / or /tmp."""
    seen: list[str] = []
    monkeypatch.setattr(published, "children", lambda parent: seen.append(parent) or [])
    published.find({"XDG_RUNTIME_DIR": str(tmp_path), "HAFTA_RUNTIME_DIR": str(tmp_path / "r")})
    assert set(seen) == {"/run", "/run/private", str(tmp_path), str(tmp_path / "r")}
