"""`hafta checkpoints`: where sequences stand, of live, hung and dead processes; showing and discarding a record."""

import errno
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from hafta import exits
from hafta.cli import checkpoints, checkpoints_show, picture, records
from hafta.cli.group import run_group
from hafta.cli.table import LEAST, table
from hafta.errors import HaftaError
from hafta.stores import FileStore, codec

PATIENCE = 20.0
NOBODY = 65534

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

outer.call(store=FileStore(sys.argv[1]), instance="x", keep={"total": 7})
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
    monkeypatch.setattr(records, "roots", lambda _environ: records_roots(str(home)))
    monkeypatch.setenv("STATE_DIRECTORY", str(home / "none"))
    monkeypatch.setenv("COLUMNS", "80")


def records_roots(home):
    from hafta.overlord.dirs import Roots

    return Roots(f"{home}/run/hafta-overlord", f"{home}/state/hafta-overlord", "", "", "")


def hafta(capsys, *words):
    """Return status, stdout and stderr of a command line."""
    status = run_group(["checkpoints", *map(str, words)])
    return status, *capsys.readouterr()


def ended(place, sequence="done", instance=""):
    with FileStore(str(place)).claim(sequence, instance):
        pass


def damage(place, sequence="broken"):
    """Make a record of which no slot is whole."""
    with FileStore(str(place)).claim(sequence) as claim:
        claim.enter(b"frame")
        claim.write(b"body")
    path = place / f"hafta-{sequence}.checkpoint"
    path.write_bytes(b"\0" * path.stat().st_size)
    return path


def test_a_killed_process_is_listed_with_its_nested_sequences_in_80_columns(killed, capsys):
    status, out, err = hafta(capsys, "--directory", killed)
    lines = out.splitlines()
    assert (status, err) == (exits.OK, "")
    assert lines[0].split() == ["SEQUENCE", "NODE", "CP", "FAILS", "AGE", "HOLDER", "STATE"]
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
        before = path.stat()
        status, out, _ = hafta(capsys, "--directory", tmp_path)
        after = path.stat()
        assert (status, f"[{process.pid}]" in out) == (exits.OK, True)
        assert (before.st_mtime_ns, before.st_atime_ns, before.st_ctime_ns) == (
            after.st_mtime_ns,
            after.st_atime_ns,
            after.st_ctime_ns,
        )


def test_json_has_stable_keys(killed, capsys):
    status, out, _ = hafta(capsys, "--directory", killed, "--json")
    (found,) = json.loads(out)
    assert status == exits.OK
    assert list(found) == [
        "sequence", "instance", "path", "status", "held", "holder", "written", "age", "number", "entered", "pid",
        "levels", "kept", "trouble", "incidents",
    ]  # fmt: skip
    outer, inner = found["levels"]
    assert list(outer) == [
        "sequence", "version", "node", "doing", "phase", "checkpoint", "attempt", "state", "visited", "nodes",
    ]  # fmt: skip
    assert (found["status"], found["held"], found["kept"]) == ("interrupted", False, {"total": 7})
    assert list(found["holder"]) == ["pid", "unit", "since"]
    assert (outer["version"], outer["node"], outer["doing"], outer["state"]) == ("2", "each", "normal", {"done": 3})
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


def test_a_sequence_that_has_ended_says_so(tmp_path, capsys):
    ended(tmp_path)
    assert hafta(capsys, "--directory", tmp_path)[1].splitlines()[1].split()[:1] == ["done"]
    assert "(ended)" in hafta(capsys, "--directory", tmp_path)[1]
    assert "status      ended" in hafta(capsys, "show", "--directory", tmp_path, "done")[1]


def test_one_that_ended_and_keeps_values_shows_them(tmp_path, capsys):
    from hafta import EXIT, Sequence

    sequence = Sequence("counter")
    sequence.node(name="only")(lambda _run: EXIT)
    sequence.call(store=FileStore(str(tmp_path)), keep={"n": 5})
    out = hafta(capsys, "--directory", tmp_path)[1]
    assert out.splitlines()[1].split()[2:] == ["(ended)", "n=5"]
    shown = hafta(capsys, "show", "--directory", tmp_path, "counter")[1]
    assert "  node        none: the sequence has ended" in shown


def test_a_damaged_record_is_shown_as_such_and_the_state_is_bad(tmp_path, capsys):
    path = damage(tmp_path)
    status, out, _ = hafta(capsys, "--directory", tmp_path)
    assert status == exits.FAILED
    assert "(damaged)" in out
    status, out, _ = hafta(capsys, "show", "--directory", tmp_path, "broken")
    assert (status, f"trouble     {path}" in out) == (exits.FAILED, True)
    (found,) = json.loads(hafta(capsys, "--directory", tmp_path, "--json")[1])
    assert (found["status"], found["trouble"]["kind"], found["levels"]) == ("damaged", "damaged", [])


def test_a_record_of_something_else_is_damaged(tmp_path, capsys):
    with FileStore(str(tmp_path)).claim("foreign") as claim:
        claim.enter(b"not ours")
        claim.write(b"either")
    status, out, _ = hafta(capsys, "--directory", tmp_path)
    assert (status, "(damaged)" in out, "cannot be understood" in out) == (exits.FAILED, True, True)


def test_a_symbolic_link_is_not_followed(tmp_path, killed, capsys):
    place = tmp_path / "links"
    place.mkdir()
    (place / "hafta-copy@x.checkpoint").symlink_to(killed / "hafta-copy@x.checkpoint")
    status, out, _ = hafta(capsys, "--directory", place)
    assert (status, "(not-a-file)" in out) == (exits.FAILED, True)


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


def test_the_directories_of_services_are_found_by_themselves(killed, capsys, monkeypatch, tmp_path_factory):
    """Also behind the link that systemd makes for a dynamic user; each real directory once."""
    root = tmp_path_factory.mktemp("var-lib")
    (root / "private").mkdir()
    killed.rename(root / "private" / "copier")
    (root / "copier").symlink_to("private/copier")
    (root / "a-file").write_text("")
    (root / "nowhere").symlink_to("missing")
    monkeypatch.setattr(records, "SYSTEM", (str(root), str(root / "private"), str(root / "missing")))
    status, out, err = hafta(capsys)
    assert (status, err) == (exits.OK, "")
    assert [line.split()[0] for line in out.splitlines()] == ["SEQUENCE", "copy@x", "chunk"]


def test_the_directories_of_instances_are_found_one_deeper(killed, capsys, monkeypatch, tmp_path_factory):
    """StateDirectory=ingest/a; with DynamicUser= behind a link to private/ingest."""
    root = tmp_path_factory.mktemp("var-lib")
    (root / "private" / "ingest").mkdir(parents=True)
    (root / "feed").mkdir()
    (root / "ingest").symlink_to("private/ingest")
    ended(root / "private" / "ingest", "shared")
    killed.rename(root / "private" / "ingest" / "a")
    (root / "feed" / "b").mkdir()
    ended(root / "feed" / "b", "feed")
    monkeypatch.setattr(records, "SYSTEM", (str(root), str(root / "private")))
    out = hafta(capsys)[1]
    assert [line.split()[0] for line in out.splitlines()] == ["SEQUENCE", "copy@x", "chunk", "feed", "shared"]


def test_a_name_cannot_break_the_table(capsys, tmp_path):
    FileStore(str(tmp_path)).claim("two", "li\nes\x1b[2J\u202e").close()
    out = hafta(capsys, "--directory", tmp_path)[1]
    assert [line.split()[0] for line in out.splitlines()] == ["SEQUENCE", r"two@li\nes\x1b[2J\u202e"]


def test_the_environments_directory_and_the_overlords_are_among_them(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "own"))
    monkeypatch.setattr(records, "roots", lambda _environ: records_roots(str(tmp_path)))
    for place in ("own", "run/hafta-overlord/a", "state/hafta-overlord/b", "state/c", "run/d"):
        (tmp_path / place).mkdir(parents=True)
        ended(tmp_path / place, place.rpartition("/")[2])
    out = hafta(capsys)[1]
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["a", "b", "c", "d", "own"]


def test_no_records_is_no_error(capsys, monkeypatch):
    assert hafta(capsys) == (exits.OK, "", "hafta: there are no records\n")
    assert hafta(capsys, "--json") == (exits.OK, "[]\n", "")
    monkeypatch.setenv("STATE_DIRECTORY", "")
    monkeypatch.setenv("RUNTIME_DIRECTORY", "")
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", "relative")
    assert hafta(capsys) == (exits.OK, "", "hafta: there are no records\n")


def test_a_directory_that_only_root_can_look_into_is_told(capsys, monkeypatch, tmp_path):
    """Where it is one of HAFTA's own; those of strangers are nobody's business."""
    for name in ("hafta-client", "stranger"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(records, "SYSTEM", (str(tmp_path),))
    real = os.listdir

    def refuse(path):
        if str(path).startswith(str(tmp_path)):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "listdir", refuse)
    status, _, err = hafta(capsys)
    assert status == exits.OK
    assert err == f"hafta: {tmp_path}/hafta-client cannot be looked into: root can\nhafta: there are no records\n"


def test_what_vanishes_while_it_looks_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.setattr(records, "SYSTEM", (str(tmp_path),))
    monkeypatch.setattr(os, "listdir", lambda path: os.stat(f"{path}/missing"))
    assert records.find_here(os.environ) == ([], [])


def test_a_link_into_a_closed_directory_is_told(monkeypatch, tmp_path):
    (tmp_path / "hafta-client").mkdir()
    monkeypatch.setattr(records, "SYSTEM", (str(tmp_path),))

    def refuse(*_args, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "listdir", refuse)
    assert records.find_here({"STATE_DIRECTORY": "/nowhere"}) == ([], [f"{tmp_path}/hafta-client"])


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), exits.NOT_FOUND, "without --directory"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), exits.NOT_FOUND, "name the directory"),
        (PermissionError(errno.EACCES, "Permission denied"), exits.PERMISSION, "run it as root"),
    ],
)
def test_a_directory_that_was_named_must_be_there(capsys, monkeypatch, error, status, said):
    def refuse(_path):
        raise error

    monkeypatch.setattr(os, "listdir", refuse)
    got, out, err = hafta(capsys, "--directory", "/x")
    assert (got, out) == (status, "")
    assert err.startswith(f"hafta: error: cannot look into /x: {error.strerror}\nhafta: {said}")


def test_a_name_that_is_not_there(killed, capsys):
    status, _, err = hafta(capsys, "show", "--directory", killed, "copier")
    assert status == exits.NOT_FOUND
    assert err.startswith("hafta: error: there is no record of copier\nhafta: see what there is: hafta checkpoints")


def test_the_instance_may_be_left_out_where_there_is_only_one(killed, capsys):
    assert hafta(capsys, "show", "--directory", killed, "copy")[1].startswith("copy@x\n")
    ended(killed, "copy", "y")
    status, _, err = hafta(capsys, "show", "--directory", killed, "copy")
    assert (status, "say which: SEQUENCE@INSTANCE" in err) == (exits.USAGE, True)
    ended(killed, "copy")
    assert hafta(capsys, "show", "--directory", killed, "copy")[1].startswith("copy\n")


def test_a_name_in_two_directories_must_be_told_apart(tmp_path, capsys):
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        ended(tmp_path / place)
    status, _, err = hafta(capsys, "show", "done", f"--directory={tmp_path}/a", f"--directory={tmp_path}/b")
    assert status == exits.USAGE
    name = "hafta-done.checkpoint"
    assert f"done is more than one record: {tmp_path}/a/{name}, {tmp_path}/b/{name}\nhafta: say which" in err


def test_options_before_a_command_are_refused_rather_than_ignored(capsys):
    status, _, err = hafta(capsys, "--json", "show", "x")
    assert (status, "options go behind show" in err) == (exits.USAGE, True)


def test_discard_removes_a_record(killed, capsys):
    assert hafta(capsys, "discard", "--directory", killed, "copy@x", "--yes") == (exits.OK, "", "")
    assert list(killed.iterdir()) == []


def test_discard_removes_a_damaged_record(tmp_path, capsys):
    path = damage(tmp_path)
    assert hafta(capsys, "discard", "--directory", tmp_path, "broken", "--yes")[0] == exits.OK
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="root may, for the users of services")
def test_root_discards_the_record_of_a_services_user(killed, capsys):
    for path in (killed, *killed.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    assert hafta(capsys, "discard", "--directory", killed, "copy@x", "--yes")[0] == exits.OK
    assert list(killed.iterdir()) == []


def test_discard_refuses_while_a_process_holds_it(tmp_path, capsys):
    with Holder(tmp_path) as process:
        status, _, err = hafta(capsys, "discard", "--directory", tmp_path, "copy@x", "--yes")
        assert status == exits.IN_USE
        assert f"hafta-copy@x.checkpoint: held by pid {process.pid}" in err
        assert "\nhafta: stop that process first\n" in err
    assert len(list(tmp_path.iterdir())) == 1


def test_discard_asks_nobody_where_there_is_no_terminal(killed, capsys, monkeypatch):
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        status, _, err = hafta(capsys, "discard", "--directory", killed, "copy@x")
    assert (status, "discarding copy@x needs a yes\nhafta: there is no terminal" in err) == (exits.USAGE, True)
    assert len(list(killed.iterdir())) == 1


@pytest.mark.parametrize(
    ("closed", "words", "status"),
    [
        ("0<&-", "discard copy@x", exits.USAGE),
        (">&-", "show copy@x", exits.OK),
        (">&-", "", exits.OK),
        (">&- 2>&-", "show nobody", exits.NOT_FOUND),
    ],
)
def test_a_closed_stream_is_no_error(killed, closed, words, status):
    command = f'"$0" -m hafta.cli checkpoints {words} --directory "$1" {closed}'
    done = subprocess.run(["sh", "-c", command, sys.executable, killed], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)


@pytest.mark.parametrize("words", ["", "--json", "show copy@x"])
def test_a_full_disk_is_told_with_a_status_that_help_has_and_no_option_that_there_is_not(killed, words):
    command = f'"$0" -m hafta.cli checkpoints {words} --directory "$1" >/dev/full'
    done = subprocess.run(["sh", "-c", command, sys.executable, killed], capture_output=True, text=True, check=False)
    assert done.returncode == exits.SYSTEM
    assert done.stderr.splitlines()[1] == "hafta: mend that and run it again"
    assert exits.SYSTEM in checkpoints.PROGRAM.statuses
    assert exits.SYSTEM in checkpoints_show.PROGRAM.statuses


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
    assert (status, "was gone already" in err) == (exits.OK, True)


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


@pytest.mark.parametrize(("command", "cells"), [("", "copy@x"), ("show \u65e5\u672c", "copy = '\\u65e5'")])
def test_what_the_terminals_encoding_lacks_is_shown_as_an_escape(killed, command, cells):
    with FileStore(killed).claim("\u65e5\u672c") as claim:
        claim.enter(codec.frame(position("normal")))
        claim.write(codec.body(1, {"copy": "\u65e5"}, claim.capacity))
    words = [sys.executable, "-m", "hafta.cli", "checkpoints", *command.split(), "--directory", str(killed)]
    environ = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(words, capture_output=True, check=False, env=environ)
    assert (done.returncode, done.stderr) == (exits.OK, b"")
    said = done.stdout.decode("latin-1")
    assert "\\u65e5\\u672c" in said
    assert cells in said


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0.9, "0s"), (99, "99s"), (100, "1m"), (5999, "99m"), (6000, "1h"), (359999, "99h"), (864000, "10d")],
)
def test_ages_are_short(tmp_path, seconds, shown):
    ended(tmp_path)
    (entry,) = records.find([str(tmp_path)])
    assert picture.age(entry, entry.snapshot.written + seconds) == shown


@pytest.mark.parametrize(
    ("phase", "word", "stopped"),
    [
        ("normal", "normal", False),
        ("stopped rollback", "rollback", True),
        ("taking-up 2 stopped again 1 unwind 0 PROCEED stopped", "unwind", True),
        ("taking-up 1 between", "between", False),
        ("unwind 0 PROCEED stopped", "unwind", False),
        ("of a newer version", "of a newer version", False),
    ],
)
def test_the_phase_of_a_record_is_read(phase, word, stopped):
    assert (records.doing(phase), records.is_stopped(phase)) == (word, stopped)


def position(phase, **state):
    level = codec.Level("s", "", ("n",), "n", phase, 1, 4, state)
    return codec.Position((level,), 0.0, 0.0, "", 1)


@pytest.mark.parametrize(
    ("phase", "status", "node", "phrase"),
    [
        ("between", "interrupted", "n (next)", "n: is next"),
        ("stopped normal", "stopped", "n", "n: in its normal function"),
        ("rollback", "interrupted", "n (undo)", "n: in its rollback function"),
        ("back", "interrupted", "n (undo)", "n: is to be rolled back"),
        ("unwind 1 EXIT", "interrupted", "n (undo)", "n: in its rollback function, on the way back"),
    ],
)
def test_what_was_going_on_is_told(tmp_path, phase, status, node, phrase):
    here = position(phase)
    with FileStore(str(tmp_path)).claim("s") as claim:
        claim.enter(codec.frame(here))
        claim.write(codec.body(4, {}, claim.capacity))
    (entry,) = records.find([str(tmp_path)])
    ((_, shown, checkpoint, attempt, *_rest),) = picture.rows(entry, time.time())
    assert (entry.status, shown, checkpoint, attempt) == (status, node, "4", "1")
    assert f"  node        {phrase}\n" in picture.text(entry, time.time())


def test_values_that_json_has_not_are_told_in_words(tmp_path):
    here = position("normal")
    with FileStore(str(tmp_path)).claim("s") as claim:
        claim.enter(codec.frame(here))
        state = {"nan": float("nan"), "many": [b"x", {"inf": float("-inf")}], "none": None}
        claim.write(codec.body(4, state, claim.capacity))
    (entry,) = records.find([str(tmp_path)])
    shown = picture.plain(entry, time.time())["levels"][0]["state"]
    assert shown == {"nan": "nan", "many": [{"base64": "eA=="}, {"inf": "-inf"}], "none": None}
    json.dumps(shown, allow_nan=False)


def test_a_holder_without_a_note_is_another_process(tmp_path):
    with FileStore(str(tmp_path)).claim("s"):
        (entry,) = records.find([str(tmp_path)])
        anonymous = entry.replace(snapshot=entry.snapshot.replace(holder=None))
        (row,) = picture.rows(anonymous, time.time())
        assert row[5] == "another process"
        assert "  status      running\n" in picture.text(anonymous, time.time())
        assert picture.plain(anonymous, 0.0)["holder"] is None
        unit = entry.snapshot.holder.replace(unit="hafta-client.service", pid=12)
        (row,) = picture.rows(entry.replace(snapshot=entry.snapshot.replace(holder=unit)), time.time())
        assert row[5] == "hafta-client[12]"


def test_a_narrow_terminal_still_shows_a_little_of_the_state(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    ((first, last),) = table([("x" * 30, "y" * 30)])
    assert (len(first), last) == (30, "y" * (LEAST - 1) + "…")


def test_a_record_that_cannot_be_opened_is_an_entry_without_an_age(tmp_path):
    (tmp_path / "hafta-s.checkpoint").symlink_to("nowhere")
    (entry,) = records.find([str(tmp_path)])
    assert picture.age(entry, time.time()) == ""
    assert "written" not in picture.text(entry, time.time())
    said = picture.plain(entry, time.time())
    assert (said["written"], said["age"]) == (None, None)


def test_pick_names_the_status():
    with pytest.raises(HaftaError) as caught:
        records.pick([], "x")
    assert caught.value.status == exits.NOT_FOUND
