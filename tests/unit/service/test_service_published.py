"""What a service says about itself in its runtime directory: NAME.hafta and NAME.board."""

import json
import os
import resource
import time
from binascii import crc32
from pathlib import Path

import pytest
from processes import PATIENCE, Child, JournalChild, body, in_child, sequence

from hafta.service.published import MAGIC, SIZE, Published, as_json, board
from hafta.version import VERSION

RUN = "0123456789abcdef" * 2


def calls_of(path: Path) -> list[list[str]]:
    """Read a board as its format is described, by hand."""
    data = path.read_bytes()
    assert len(data) == SIZE
    magic, length, check = data[:32].decode().split()
    text = data[32 : 32 + int(length)]
    assert (magic, int(check, 16)) == (MAGIC, crc32(text))
    return [line.split("\t") for line in text.decode().split("\n")]


def wait_for(path: Path) -> Path:
    end = time.monotonic() + PATIENCE
    while not path.exists() or not path.read_bytes():
        assert time.monotonic() < end, path
        time.sleep(0.01)
    return path


def test_after_ready_it_says_what_it_is(tmp_path: Path):
    environ = {"RUNTIME_DIRECTORY": str(tmp_path), "INVOCATION_ID": RUN, "HAFTA_OVERLORD": "7/feed.service"}
    program = sequence("run.sleep(600)", ", checkpoints=hafta.service.runner.state_checkpoints(level='power')")
    with Child(program, f"--state={tmp_path}/s", "--instance=b", **environ) as child:
        child.wait_told("READY=1")
        wait_for(tmp_path / "feed.board")
        said = json.loads((tmp_path / "feed.hafta").read_text())
        assert said == {
            "version": 1, "program": "feed", "unit": "feed.service", "invocation": RUN, "instance": "b",
            "sequences": ["feed"], "records": f"{tmp_path}/s", "level": "power", "pid": child.process.pid,
            "hafta": VERSION,
        }  # fmt: skip
        assert (tmp_path / "feed.hafta").stat().st_mode & 0o777 == 0o644
        assert not list(tmp_path.glob("*.new"))


def test_a_board_says_where_a_sequence_without_checkpoints_stands_and_outlives_the_process(tmp_path: Path):
    fails = "run.checkpoint(7)\nif run.attempt < 2: return run.fail('no')\nrun.sleep(600)"
    with Child(sequence(fails), RUNTIME_DIRECTORY=str(tmp_path)) as child:
        path = wait_for(tmp_path / "feed.board")
        end = time.monotonic() + PATIENCE
        while len(found := calls_of(path)) < 2 or found[1][5] != "2":
            assert time.monotonic() < end, found
            time.sleep(0.01)
        child.process.kill()
        child.process.wait()
    (moment, pid), (*where, since) = calls_of(path)
    assert where == ["feed", "work", "normal", "7", "", "2", "2"]
    assert int(pid) == child.process.pid
    assert 0 <= int(since) <= int(moment) <= time.monotonic_ns() // 1000


def test_an_inner_sequence_is_on_the_board_behind_the_outer_one(tmp_path: Path):
    text = "inner = hafta.Sequence('inner')\n@inner.node\ndef deep(r): r.sleep(600)\nrun.call(inner)"
    with Child(sequence(text), RUNTIME_DIRECTORY=str(tmp_path)):
        path = wait_for(tmp_path / "feed.board")
        end = time.monotonic() + PATIENCE
        while len(found := calls_of(path)) < 3:
            assert time.monotonic() < end, found
            time.sleep(0.01)
    assert [call[:3] for call in found[1:]] == [["feed", "work", "normal"], ["inner", "deep", "normal"]]


@pytest.mark.parametrize("kind", ["none", "missing", "a link", "a full line"])
def test_a_service_that_cannot_write_them_works_on(tmp_path: Path, kind: str):
    directory, precious = tmp_path / "run", tmp_path / "precious"
    if kind != "missing":
        directory.mkdir()
    precious.write_text("precious")
    if kind == "a link":
        for name in (f"probe.hafta.{os.getpid()}.new", "probe.board"):
            (directory / name).symlink_to(precious)
    environ = {} if kind == "none" else {"RUNTIME_DIRECTORY": str(directory)}
    with Child(body("service.ready()\nfor _ in range(3): service.sleep(0.3)"), **environ) as child:
        assert child.finish()[0] == 0
    assert precious.read_text() == "precious"


def test_a_forked_child_leaves_both_as_they_are(tmp_path: Path):
    fork = "service.ready()\npid = os.fork()\nif not pid: service.sleep(1); os._exit(0)\nos.waitpid(pid, 0)"
    with Child(body(fork), RUNTIME_DIRECTORY=str(tmp_path)) as child:
        assert child.finish()[0] == 0
    assert json.loads((tmp_path / "probe.hafta").read_text())["pid"] == child.process.pid
    assert (tmp_path / "probe.board").read_bytes() == b""


@pytest.mark.parametrize("limit", [0, 64])
def test_a_full_disk_leaves_what_was_there_and_no_part_of_anything(tmp_path: Path, limit: int):
    (tmp_path / "probe.hafta").write_text("as before")

    def announce() -> list[str]:
        published = Published("probe", {"RUNTIME_DIRECTORY": str(tmp_path)})
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        published.announce()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        published.show([])
        return sorted(os.listdir(tmp_path))

    assert in_child(announce) == "['probe.board', 'probe.hafta']"
    assert (tmp_path / "probe.hafta").read_text() == "as before"
    assert len(calls_of(tmp_path / "probe.board")) == 1


@pytest.mark.parametrize("imports", ["", "import hafta.drivers.conductor"])
def test_what_describes_a_service_may_have_any_attributes(tmp_path: Path, imports: str):
    robot = f"{imports}\nclass Robot:\n    machine = 'a lathe'\n    def describe(self): return 'turning'"
    beats = "robot = Robot()\nservice.describers.append(robot.describe)\nservice.ready()\nservice.sleep(1)"
    with Child(body(f"{robot}\n{beats}"), RUNTIME_DIRECTORY=str(tmp_path)) as child:
        assert child.finish() == (0, "", "")
    assert len(calls_of(tmp_path / "probe.board")) == 1


def test_a_setting_instance_of_the_program_may_be_a_number(tmp_path: Path):
    program = body("service.ready()").replace('"size"', '"instance"')
    with JournalChild(program, "--instance=0", RUNTIME_DIRECTORY=str(tmp_path)) as child:
        assert child.process.wait(PATIENCE) == 0
        assert {entry["HAFTA_INSTANCE"] for entry in child.entries()} == {"0"}
    assert json.loads((tmp_path / "probe.hafta").read_text())["instance"] == "0"


@pytest.mark.parametrize("text", ["", 'a"b\\c', "\n\t\x1b\x00", "größer, 試験, \U0001f9ed", "\udcff"])
def test_any_text_comes_back_from_the_json(text: str):
    assert json.loads(as_json({"a": text, "b": [text, text], "c": 7})) == {"a": text, "b": [text, text], "c": 7}


def test_a_board_has_always_the_same_size():
    assert {len(board(text)) for text in ("", "x" * SIZE, "\udcff" * 9, "é" * SIZE)} == {SIZE}
