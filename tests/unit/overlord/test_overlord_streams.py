"""Where standard streams lead, what the lines that come out of them mean, and that nobody's link leads them astray."""

import os

import pytest

from hafta.overlord import streams
from hafta.process.opening import open_safely
from hafta.units.streams import Standard, Stream

SAY = "/bin/sh -c 'echo out; echo bad >&2'"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


def run(place, *lines, command=SAY, status=0):
    place.service("a", command, *lines)
    overlord = place.start("a")
    assert overlord.wait() == status, overlord.text
    return [line.partition("| ")[2] for line in overlord.lines if line.startswith("a ")]


def test_output_goes_to_files_as_the_unit_says(place):
    log = place.file("log")
    with open(log, "w") as file:
        file.write("0123456789")
    assert run(place, f"StandardOutput=file:{log}") == []
    assert place.read("log") == "out\nbad\n89", "file: neither truncates nor appends; errors follow output"
    assert run(place, f"StandardOutput=append:{log}", "StandardError=journal") == ["bad"]
    assert place.read("log") == "out\nbad\n89out\n"
    assert run(place, f"StandardOutput=truncate:{log}", "StandardError=null") == []
    assert place.read("log") == "out\n"
    assert run(place, f"StandardError=append:{log}") == ["out"]
    assert place.read("log") == "out\nbad\n"
    assert run(place, f"StandardOutput=truncate:{log}", f"StandardError=truncate:{log}") == []
    assert place.read("log") == "out\nbad\n", "one file is opened once"


def test_output_may_be_lost_and_inherited(place):
    assert run(place, "StandardOutput=null") == []
    assert run(place, "StandardOutput=null", "StandardError=journal") == ["bad"]
    assert sorted(run(place, "StandardOutput=inherit", "StandardError=inherit")) == ["bad", "out"]
    assert sorted(run(place, "StandardOutput=journal+console", "StandardError=kmsg")) == ["bad", "out"]


def test_a_new_file_has_the_mode_that_the_units_umask_leaves(place):
    run(place, f"StandardOutput=file:{place.file('log')}", "UMask=0027")
    assert os.stat(place.file("log")).st_mode & 0o7777 == 0o640


def test_input_may_be_a_file(place):
    with open(place.file("in"), "w") as file:
        file.write("hello\n")
    assert run(place, f"StandardInput=file:{place.file('in')}", command="/bin/cat") == ["hello"]
    assert run(place, command="/bin/cat") == []
    both = ("StandardInput=file:" + place.file("in"), "StandardOutput=file:" + place.file("in"))
    run(place, *both, command="/bin/sh -c 'read x; echo more'")
    assert place.read("in") == "hello\nmore\n", "input and output share where they are in the file"


@pytest.mark.parametrize(
    ("line", "status", "why"),
    [
        ("StandardInput=file:/no/such", 208, "cannot open StandardInput=file:/no/such: No such file or directory"),
        (
            "StandardOutput=append:/no/such",
            209,
            "cannot open StandardOutput=append:/no/such: No such file or directory",
        ),
        ("StandardError=truncate:/proc", 222, "cannot open StandardError=truncate:/proc: Is a directory"),
    ],
)
def test_a_file_that_cannot_be_opened_fails_the_unit_in_words(place, line, status, why):
    place.service("a", "/bin/true", line)
    overlord = place.start("a")
    assert overlord.wait() == 1
    assert overlord.find(f"exited with status {status}")
    assert f"its main process failed: {why}" in overlord.text


def test_a_terminal_is_refused_in_one_line(place):
    place.service("a", "/bin/true", "StandardInput=tty")
    overlord = place.start("a")
    assert overlord.wait() == 2
    assert (
        "StandardInput=tty: expected null, socket or file:PATH: the overlord has no terminal to give away"
        in overlord.text
    )
    place.service("a", "/bin/true", "StandardOutput=tty")
    overlord = place.start("a")
    assert overlord.wait() == 0
    assert "StandardOutput" in overlord.text


def test_priorities_are_read_unless_the_unit_says_no_and_the_least_are_left_out(place):
    command = '/bin/sh -c \'echo "<4>four"; echo none; echo "<7>seven"\''
    assert run(place, command=command) == ["warning: four", "none", "seven"]
    assert run(place, "SyslogLevelPrefix=no", command=command) == ["<4>four", "none", "<7>seven"]
    assert run(place, "SyslogLevel=err", "LogLevelMax=warning", command=command) == ["warning: four", "error: none"]


@AS_ROOT
@pytest.mark.parametrize("mode", ["file", "append", "truncate"])
def test_a_log_in_a_directory_of_its_user_leads_nowhere_else(place, mode):
    """As root we open it: its user, or anybody in a shared directory, may have put a link there."""
    victim = place.file("victim")
    with open(victim, "w") as file:
        file.write("kept")
    own = place.file("own")
    os.makedirs(f"{own}/sub")
    os.symlink(victim, f"{own}/log")
    os.symlink(os.path.dirname(victim), f"{own}/away")
    for path in (own, f"{own}/sub"):
        os.chown(path, 1, 1)
    for path in ("log", "away/victim", "away/fresh"):
        place.service("a", SAY, f"StandardOutput={mode}:{own}/{path}", "User=daemon")
        overlord = place.start("a")
        assert overlord.wait() == 1
        assert "Too many levels of symbolic links" in overlord.text
    assert (place.read("victim"), os.path.exists(place.file("fresh"))) == ("kept", False)
    run(place, f"StandardOutput={mode}:{own}/sub/new", "User=daemon")
    assert os.path.exists(f"{own}/sub/new")


def test_links_of_ours_are_followed_and_circles_end(tmp_path):
    (tmp_path / "d").mkdir()
    os.symlink("d", tmp_path / "l")
    os.symlink(tmp_path / "d" / "f", tmp_path / "d" / "../up")
    os.symlink("../up", tmp_path / "d" / "dots")
    os.symlink("round", tmp_path / "round")
    os.close(open_safely(f"{tmp_path}/l/dots", os.O_WRONLY | os.O_CREAT, 0o600))
    assert os.path.exists(tmp_path / "d" / "f")
    with pytest.raises(OSError, match="Too many levels"):
        open_safely(f"{tmp_path}/round", os.O_RDONLY, 0)
    with pytest.raises(NotADirectoryError):
        open_safely(f"{tmp_path}/d/f/x", os.O_RDONLY, 0)
    before = len(os.listdir("/proc/self/fd"))
    os.close(open_safely("/dev/null", os.O_RDONLY, 0))
    os.close(open_safely("/", os.O_RDONLY, 0))
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_leads_to_the_overlord_is_nothing_to_do():
    assert streams.steps_of(Standard(), 0o022) == ()
    assert streams.steps_of(Standard(Stream("null"), Stream("journal"), Stream("inherit")), 0o022) == ()
    assert streams.steps_of(Standard(output=Stream("journal"), error=Stream("journal")), 0o022) == ()
