"""`hafta checkpoints`: where sequences stand, of live, hung and dead processes; showing and discarding a record."""

import errno
import json
import os
import pty
import signal
import subprocess
import sys
import time
from unittest.mock import Mock

import pytest
from cli_support import Holder, damaged, ended, foreign, link

from hafta import Sequence, exits
from hafta.causes import cause_of
from hafta.cli import checkpoints, checkpoints_show
from hafta.cli.group import run_group
from hafta.durable.checkpoints import Checkpoints
from hafta.engine.words import EXIT
from hafta.observe.sources import records
from hafta.stores import FileStore

PATIENCE = 120.0
NOBODY = 65534


@pytest.fixture
def killed(tmp_path):
    """A directory with the record of a process that was killed."""
    with Holder(tmp_path) as process:
        process.kill()
    return tmp_path


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path_factory):
    """This machine has no services but those of the test."""
    monkeypatch.setattr(records, "SYSTEM", ())
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setattr(records, "roots", lambda *_: records_roots(str(home)))
    monkeypatch.setenv("STATE_DIRECTORY", str(home / "none"))
    monkeypatch.setenv("COLUMNS", "80")


def records_roots(home):
    from hafta.units.roots import Roots

    return Roots(f"{home}/run/hafta-overlord", f"{home}/state/hafta-overlord", "", "", "")


def hafta(capsys, *words):
    """Return status, stdout and stderr of a command line."""
    status = run_group(["checkpoints", *map(str, words)])
    return status, *capsys.readouterr()


def names(out):
    """Return the first word of each row below the head."""
    head, *rows = [line.split()[0] for line in out.splitlines()]
    assert head == "SEQUENCE"
    return rows


def test_a_killed_process_is_listed_with_its_nested_sequences_in_80_columns(killed, capsys):
    status, out, err = hafta(capsys, "--directory", killed)
    lines = out.splitlines()
    assert (status, err) == (exits.OK, "")
    assert lines[0].split() == ["SEQUENCE", "NODE", "CP", "FAILS", "AGE", "HOLDER", "CAUSE", "STATE"]
    assert lines[1].split() == ["copy@x", "each", "1", "0", lines[1].split()[4], "(interrupted)", "done=3", "total=7"]
    assert lines[2].split()[:4] == ["chunk", "write", "3", "0"]
    assert lines[2].startswith("  chunk")
    assert len(lines[2]) == 80
    assert lines[2].endswith("…")


@pytest.mark.parametrize("stopped", [False, True])
def test_a_live_or_hung_process_is_read_without_touching_it(tmp_path, capsys, stopped):
    with Holder(tmp_path) as process:
        if stopped:
            process.send_signal(signal.SIGSTOP)
        (path,) = tmp_path.iterdir()
        times = lambda: (path.stat().st_mtime_ns, path.stat().st_atime_ns, path.stat().st_ctime_ns)
        before = times()
        status, out, _ = hafta(capsys, "--directory", tmp_path)
        assert (status, f"[{process.pid}]" in out, times()) == (exits.OK, True, before)


def test_json_has_stable_keys(killed, capsys):
    status, out, _ = hafta(capsys, "--directory", killed, "--json")
    (found,) = json.loads(out)
    assert status == exits.OK
    assert list(found) == [
        "sequence", "instance", "path", "status", "held", "holder", "written", "age", "number", "entered", "pid",
        "host", "bound", "cause", "sequences", "kept", "trouble", "incidents",
    ]  # fmt: skip
    outer, inner = found["sequences"]
    assert list(outer) == [
        "sequence", "version", "node", "function", "begun", "stopped", "checkpoint", "attempt", "state", "visited",
        "nodes",
    ]  # fmt: skip
    assert (found["status"], found["held"], found["kept"]) == ("interrupted", False, {"total": 7})
    assert found["cause"] is None  # nobody has resumed it yet
    assert list(found["holder"]) == ["pid", "unit", "since", "host", "token"]
    assert (outer["version"], outer["node"], outer["state"]) == ("2", "each", {"done": 3})
    assert (outer["function"], outer["begun"], outer["stopped"]) == ("normal", True, False)
    state = {"path": "a\x1b[31mb", "raw": {"base64": "AAE="}}
    assert outer["visited"] == [{"node": "open_file", "checkpoint": 2, "state": state}]
    assert (inner["checkpoint"], inner["state"]["offset"]) == (3, 12345)
    assert 0 <= found["age"] < PATIENCE
    assert found["written"] == pytest.approx(time.time(), abs=PATIENCE)


def test_show_tells_everything_and_nothing_that_a_terminal_obeys(killed, capsys):
    status, out, _ = hafta(capsys, "show", "--directory", killed, "copy@x")
    assert status == exits.OK
    assert out.startswith(
        f"copy@x\n  file        {killed}/hafta-copy@x.checkpoint\n  status      interrupted; last held"
    )
    for line in (
        "  kept        total = 7",
        "  node        each: in its normal function",
        "  checkpoint  1",
        "  failures    0 in a row",
        "  state       done = 3",
        r"  visited     open_file: checkpoint 2; path = 'a\x1b[31mb'; raw = b'\x00\x01'",
        "  nodes       open_file, each",
        "  version     2",
        "sequence chunk",
        "  state       offset = 12345",
    ):
        assert line in out.splitlines()


def test_show_for_programs(killed, capsys):
    status, out, _ = hafta(capsys, "show", "copy@x", f"--directory={killed}", "--json")
    assert (status, json.loads(out)["instance"]) == (exits.OK, "x")


@pytest.mark.parametrize(("keep", "cells"), [(None, ["(ended)"]), ({"n": 5}, ["(ended)", "n=5"])])
def test_a_sequence_that_has_ended_says_so_and_shows_what_it_keeps(tmp_path, capsys, keep, cells):
    sequence = Sequence("counter")
    sequence.node(name="only")(lambda _run: EXIT)
    sequence.call(checkpoints=Checkpoints(FileStore(str(tmp_path)), keep=keep))
    assert hafta(capsys, "--directory", tmp_path)[1].splitlines()[1].split()[2:] == cells
    shown = hafta(capsys, "show", "--directory", tmp_path, "counter")[1]
    assert "status      ended" in shown
    assert ("  node        none: the sequence has ended" in shown) == bool(keep)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (damaged, "damaged", "{path}: no whole record is left"),
        (foreign, "damaged", "the record cannot be understood"),
        (link, "not-a-file", "{path}: it is a symbolic link"),
    ],
)
def test_a_record_that_cannot_be_read_is_shown_as_such_and_the_state_is_bad(tmp_path, capsys, make, kind, words):
    path = make(tmp_path)
    status, out, _ = hafta(capsys, "--directory", tmp_path)
    assert (status, f"({kind})" in out) == (exits.FAILED, True)
    status, out, _ = hafta(capsys, "show", "--directory", tmp_path, "s")
    assert (status, f"trouble     {words.format(path=path)}" in out) == (exits.FAILED, True)
    (found,) = json.loads(hafta(capsys, "--directory", tmp_path, "--json")[1])
    assert (found["status"], found["trouble"]["kind"], found["sequences"]) == (kind, kind, [])


def test_a_slot_that_was_damaged_is_told_beside_the_record(killed, capsys):
    path = killed / "hafta-copy@x.checkpoint"
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 4096):
        if data[at : at + 8] == b"HAFTA-CP" and not data[at + 40 :].startswith(b"\0" * 8):
            data[at + 45] ^= 0xFF
            break
    path.write_bytes(data)
    status, out, err = hafta(capsys, "--directory", killed)
    assert (status, "(interrupted)" in out) == (exits.OK, True)
    assert err.startswith(f"hafta: copy@x: {path}: slot ")
    assert "  note " in hafta(capsys, "show", "--directory", killed, "copy@x")[1]


def test_the_directories_of_services_and_their_instances_are_found(killed, capsys, monkeypatch, tmp_path_factory):
    """StateDirectory=ingest/a: one deeper. Behind the link of a dynamic user, too; each real directory once."""
    root = tmp_path_factory.mktemp("var-lib")
    for name in ("copier", "ingest"):
        (root / "private" / name).mkdir(parents=True)
        (root / name).symlink_to(f"private/{name}")
    (root / "a-file").write_text("")
    (root / "nowhere").symlink_to("missing")
    ended(root / "copier", "one")
    ended(root / "private" / "ingest", "shared")
    killed.rename(root / "private" / "ingest" / "a")
    ended(root / "feed" / "b", "feed")
    monkeypatch.setattr(records, "SYSTEM", (str(root), str(root / "private"), str(root / "missing")))
    status, out, err = hafta(capsys)
    assert (status, err, sorted(names(out))) == (exits.OK, "", ["chunk", "copy@x", "feed", "one", "shared"])


def test_a_name_cannot_break_the_table(capsys, tmp_path):
    ended(tmp_path, "two", "li\nes\x1b[2J\u202e")
    assert names(hafta(capsys, "--directory", tmp_path)[1]) == [r"two@li\nes\x1b[2J\u202e"]


def test_the_environments_directory_and_the_overlords_are_among_them(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "own"))
    monkeypatch.setattr(records, "roots", lambda *_: records_roots(str(tmp_path)))
    for place in ("own", "run/hafta-overlord/a", "state/hafta-overlord/b", "state/c", "run/d"):
        ended(tmp_path / place, place.rpartition("/")[2])
    assert names(hafta(capsys)[1]) == ["a", "b", "c", "d", "own"]


def test_no_records_is_no_error(capsys, monkeypatch):
    assert hafta(capsys, "--json") == (exits.OK, "[]\n", "")
    for environ in ({}, dict.fromkeys(("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_STATE_HOME"), ""), {"HOME": "x"}):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert hafta(capsys) == (exits.OK, "", "hafta: there are no records\n")


def refusing(real, below):
    def look(path, **how):
        if str(path).startswith(below):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, **how)

    return look


@pytest.mark.parametrize("closed", [("listdir",), ("listdir", "stat")], ids=["directory", "link into one"])
def test_a_directory_that_only_root_can_look_into_is_told(capsys, monkeypatch, tmp_path, closed):
    """Where it is one of HAFTA's own; those of strangers are nobody's business."""
    for name in ("hafta-client", "stranger"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(records, "SYSTEM", (str(tmp_path),))
    with monkeypatch.context() as patch:
        for name in closed:
            patch.setattr(os, name, refusing(getattr(os, name), f"{tmp_path}/"))
        status, _, err = hafta(capsys)
    assert status == exits.OK
    assert err == f"hafta: cannot read {tmp_path}/hafta-client: run this as root\nhafta: there are no records\n"


def test_what_vanishes_while_it_looks_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.setattr(records, "SYSTEM", (str(tmp_path),))
    monkeypatch.setattr(os, "listdir", lambda path: os.stat(f"{path}/missing"))
    assert records.find_here(os.environ) == ([], [])


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        (errno.ENOENT, exits.NOT_FOUND, "without --directory"),
        (errno.ENOTDIR, exits.NOT_FOUND, "name the directory"),
        (errno.EACCES, exits.PERMISSION, "run it as root"),
    ],
)
def test_a_directory_that_was_named_must_be_there(capsys, monkeypatch, code, status, said):
    error = OSError(code, os.strerror(code))
    monkeypatch.setattr(os, "listdir", Mock(side_effect=error))
    got, out, err = hafta(capsys, "--directory", "/x")
    assert (got, out) == (status, "")
    assert err.startswith(f"hafta: error: cannot read /x: {cause_of(error).words}\nhafta: {said}")


def test_the_instance_may_be_left_out_where_there_is_only_one(killed, capsys):
    status, _, err = hafta(capsys, "show", "--directory", killed, "copier")
    assert status == exits.NOT_FOUND
    assert err.startswith("hafta: error: there is no record of copier\nhafta: list the records: hafta checkpoints")
    assert hafta(capsys, "show", "--directory", killed, "copy")[1].startswith("copy@x\n")
    ended(killed, "copy", "y")
    status, _, err = hafta(capsys, "show", "--directory", killed, "copy")
    assert (status, "say which: SEQUENCE@INSTANCE" in err) == (exits.USAGE, True)
    ended(killed, "copy")
    assert hafta(capsys, "show", "--directory", killed, "copy")[1].startswith("copy\n")


def test_a_name_in_two_directories_must_be_told_apart(tmp_path, capsys):
    for place in ("a", "b"):
        ended(tmp_path / place)
    status, _, err = hafta(capsys, "show", "done", f"--directory={tmp_path}/a", f"--directory={tmp_path}/b")
    both = ", ".join(f"{tmp_path}/{place}/hafta-done.checkpoint" for place in "ab")
    assert (status, f"done is more than one record: {both}\nhafta: say which" in err) == (exits.USAGE, True)


def test_options_before_a_command_are_refused_rather_than_ignored(capsys):
    status, _, err = hafta(capsys, "--json", "show", "x")
    assert (status, "put options behind show" in err) == (exits.USAGE, True)


@pytest.mark.parametrize("make", [foreign, damaged])
@pytest.mark.parametrize("owner", [os.geteuid(), pytest.param(NOBODY, marks=pytest.mark.skipif("os.geteuid()"))])
def test_discard_removes_a_record_also_a_damaged_one_and_for_root_one_of_a_services_user(tmp_path, capsys, make, owner):
    for path in (make(tmp_path), tmp_path):
        os.chown(path, owner, owner if owner == NOBODY else -1)
    assert hafta(capsys, "discard", "--directory", tmp_path, "s", "--yes") == (exits.OK, "", "")
    assert list(tmp_path.iterdir()) == []


def test_discard_refuses_while_a_process_holds_it_and_asks_nobody_where_there_is_no_terminal(
    tmp_path, capsys, monkeypatch
):
    with Holder(tmp_path) as process:
        status, _, err = hafta(capsys, "discard", "--directory", tmp_path, "copy@x", "--yes")
        assert status == exits.IN_USE
        assert f"hafta-copy@x.checkpoint: held by pid {process.pid}" in err
        assert "\nhafta: stop that process first\n" in err
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        status, _, err = hafta(capsys, "discard", "--directory", tmp_path, "copy@x")
    assert (status, "discarding copy@x needs a yes\nhafta: there is no terminal" in err) == (exits.USAGE, True)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "redirect", "status"),
    [
        ("discard copy@x", "0<&-", exits.USAGE),
        ("show copy@x", ">&-", exits.OK),
        ("", ">&-", exits.OK),
        ("show nobody", ">&- 2>&-", exits.NOT_FOUND),
        *((words, ">/dev/full", exits.SYSTEM) for words in ("", "--json", "show copy@x")),
    ],
)
def test_a_closed_stream_is_not_an_error_and_a_full_disk_is_told_with_a_status_of_help(killed, words, redirect, status):
    command = f'"$0" -m hafta.cli checkpoints {words} --directory "$1" {redirect}'
    done = subprocess.run(["sh", "-c", command, sys.executable, killed], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)
    if "full" in redirect:
        assert done.stderr.splitlines()[1] == "hafta: fix that and run it again"
        assert exits.SYSTEM in (checkpoints if "show" not in words else checkpoints_show).PROGRAM.statuses


@pytest.mark.parametrize("words", ["", "--json", "show copy@x", "show copy@x --json"])
def test_a_reader_that_has_gone_is_no_error(killed, words):
    reader, gone = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "hafta.cli", "checkpoints", *words.split(), "--directory", str(killed)]
    done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, check=False)
    os.close(gone)
    assert (done.returncode, done.stderr) == (exits.OK, b"")


@pytest.mark.parametrize(("answer", "status", "left"), [("n", exits.FAILED, 1), ("y", exits.OK, 0)])
def test_discard_shows_the_record_and_asks_on_a_terminal(killed, answer, status, left):
    master, slave = pty.openpty()
    words = [sys.executable, "-m", "hafta.cli", "checkpoints", "discard", "--directory", str(killed), "copy@x"]
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        said = ""
        while "[y/N]" not in said:
            said += os.read(master, 4096).decode()
        os.write(master, f"{answer}\n".encode())
        assert process.wait(PATIENCE) == status
    os.close(master)
    assert "checkpoint  1" in said
    assert len(list(killed.iterdir())) == left


def test_a_record_that_somebody_else_has_discarded_meanwhile(killed, capsys, monkeypatch):
    monkeypatch.setattr(FileStore, "discard", lambda *_names: False)
    status, _, err = hafta(capsys, "discard", "--directory", killed, "copy@x", "--yes")
    assert (status, "was already gone" in err) == (exits.OK, True)


def test_a_terminal_shows_what_was_interrupted_in_colour_unless_it_is_unwanted(killed):
    def seen(**environ):
        master, slave = pty.openpty()
        words = [sys.executable, "-m", "hafta.cli", "checkpoints", "--directory", str(killed)]
        clean = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM"}}
        subprocess.run(words, stdout=slave, env={**clean, **environ}, check=True, timeout=PATIENCE)
        os.close(slave)
        said = os.read(master, 65536).decode()
        os.close(master)
        return said

    assert "\x1b[33mcopy@x" in seen(TERM="xterm")
    assert "\x1b" not in seen(TERM="xterm", NO_COLOR="1")
    assert "\x1b" not in seen(TERM="dumb")
