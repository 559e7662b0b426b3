"""What is written of the event log is kept: killed at each write, on a full disk, over many files."""

import errno
import os
import resource
import stat
import subprocess
from pathlib import Path

import pytest
from eventlog_support import Killed, begin, folder, numbers, read, say, writing
from processes import in_child

from hafta.eventlog import log as logs
from hafta.eventlog import series
from hafta.eventlog.format import EVENTS, OUTPUT, REALTIME, decode, encode, file_name, number_of, value_of
from hafta.eventlog.place import claim, is_held, logs_in

CUTS = (0, 1, 7, 0.5, -2, -1, None)  # bytes that are written before the end: a number, a share, from the back, all


def say_all(log, numbers):
    for number in numbers:
        say(log, number)


def part(cut, data):
    if cut is None:
        return data
    return data[: int(len(data) * cut)] if isinstance(cut, float) else data[:cut]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("at", range(1, 8))
def test_a_kill_at_any_write_takes_that_line_alone_and_the_next_overlord_goes_on(tmp_path, monkeypatch, at, cut):
    count = 0

    def write(real, fd, data):
        nonlocal count
        count += 1
        if count < at:
            return real(fd, data)
        real(fd, part(cut, data))
        raise Killed

    first = begin(tmp_path)
    with writing(monkeypatch, write), pytest.raises(Killed):
        say_all(first, range(100, 120))
    first._place.close()  # as the kernel does when it is dead
    second = begin(tmp_path)
    say(second, 200)
    second.close()
    written = list(range(100, 100 + max(0, at - 2)))  # the head is a write, too
    is_whole = cut is None or (at > 1 and cut == -1)  # all but the newline is there, and the next line begins with one
    if is_whole and at > 1:
        written.append(100 + at - 2)
    found = numbers(read(folder(tmp_path)))
    assert [number for number in found if number is not None] == [*written, 200]
    assert found.count(None) <= 1
    if not is_whole and cut != 0 and at > 1:
        assert None in found, "the gap is told"


def test_a_line_is_one_write(tmp_path, monkeypatch):
    seen = []

    def write(real, fd, data):
        seen.append(bytes(data))
        return real(fd, data)

    log = begin(tmp_path)
    with writing(monkeypatch, write):
        for number in range(5):
            say(log, number)
    log.close()
    assert len(seen) == 6
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in seen)


def test_a_full_disk_drops_counts_and_tells_once(tmp_path, monkeypatch):
    notes, full = [], False

    def write(real, fd, data):
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data)

    log = begin(tmp_path, notes)
    with writing(monkeypatch, write):
        say(log, 1)
        full = True
        for number in range(2, 7):
            say(log, number)
        full = False
        say(log, 7)
        say(log, 8)
    log.close()
    assert numbers(read(folder(tmp_path))) == [1, 7, -5, 8]
    assert [note for note in notes if "No space" in note] == notes[:1]
    assert len(notes) == 2
    assert "5 entries are missing" in notes[1]


def test_a_write_that_the_disk_takes_in_part_is_damage_and_what_follows_is_whole(tmp_path, monkeypatch):
    count = 0

    def write(real, fd, data):
        nonlocal count
        count += 1
        return real(fd, data[:9] if count == 3 else data)

    log = begin(tmp_path)
    with writing(monkeypatch, write):
        for number in range(1, 5):
            say(log, number)
    log.close()
    assert numbers(read(folder(tmp_path))) == [1, None, 3, -1, 4]


def test_the_limit_of_a_files_size_is_like_a_full_disk(tmp_path):
    def work():
        notes = []
        log = begin(tmp_path, notes)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        for number in range(20):
            say(log, number)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        say(log, 99)
        log.close()
        return len(notes)

    assert in_child(work) == "2"
    found = numbers(read(folder(tmp_path)))
    lost = -next(number for number in found if number is not None and number < 0)
    kept = [number for number in found if number is not None and number >= 0]
    assert len(kept) + lost == 21
    assert kept[-1] == 99


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone mounts")
def test_a_small_disk_that_is_really_full_loses_no_line_that_was_written(tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=False)
    if mounted.returncode:
        return  # a container that may not: the limit of a file's size stands for it
    try:
        notes = []
        log = begin(tmp_path, notes)
        for number in range(400):
            say(log, number)
        assert len(notes) == 1
        kept = [number for number in numbers(read(folder(tmp_path))) if number is not None]
        assert kept == list(range(len(kept)))
        assert 50 < len(kept) < 400
        log._place.close()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_files_are_numbered_never_renamed_and_sixteen_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "SIZE", 1500)
    log, seen = begin(tmp_path), {}
    for number in range(200):
        say(log, number)
        for name in os.listdir(folder(tmp_path)):
            inode = os.stat(os.path.join(folder(tmp_path), name)).st_ino
            assert seen.setdefault(name, inode) == inode
    log.close()
    files = sorted(name for name in os.listdir(folder(tmp_path)) if name.endswith(".jsonl"))
    newest = number_of(EVENTS, files[-1])
    assert files == [file_name(EVENTS, number) for number in range(newest - 15, newest + 1)]
    found = numbers(read(folder(tmp_path)))
    assert found == list(range(200 - len(found), 200))
    for name in files:
        head = decode(Path(folder(tmp_path), name).read_bytes().partition(b"\n")[0])
        assert head["HAFTA_EVENT_LOG"] == "1"


def test_a_new_file_begins_after_a_day_also_when_the_clock_was_set_back(tmp_path):
    stamp = {"__REALTIME_TIMESTAMP": "1", "__MONOTONIC_TIMESTAMP": "1", "_BOOT_ID": "b"}
    place = claim(str(tmp_path))
    now = [10**15]
    row = series.Series(place.fd, EVENTS, lambda: {**stamp, REALTIME: str(now[0])})
    for wall in (10**15, 10**15 + series.AGE - 1, 10**15 + series.AGE, 10**15 + 5):
        now[0] = wall
        assert row.write(b"{}\n", wall)
    row.close()
    place.close()
    assert len([name for name in os.listdir(place.path) if name.startswith(EVENTS)]) == 3


def test_one_overlord_goes_on_in_the_files_of_the_one_before_and_two_do_not_share_them(tmp_path):
    first, second = begin(tmp_path), begin(tmp_path)
    assert first._place.path != second._place.path
    say(first, 1)
    say(second, 2)
    first.close()
    third = begin(tmp_path)
    say(third, 3)
    third.close()
    second.close()
    assert numbers(read(folder(tmp_path))) == [1, 3]
    assert [os.path.basename(path) for path in logs_in(str(tmp_path))] == ["0", "1"]


def test_who_reads_sees_whether_the_writer_lives_and_does_not_disturb_it(tmp_path):
    log = begin(tmp_path)
    fd = os.open(log._place.path, os.O_RDONLY)
    assert in_child(lambda: is_held(fd)) == "True"
    assert in_child(lambda: begin(tmp_path)._place.path) == folder(tmp_path).replace("/0", "/1")
    log.close()
    assert not is_held(fd)
    os.close(fd)


def test_others_may_not_read_it(tmp_path):
    log = begin(tmp_path)
    say(log, 1)
    log.close()
    for path in (folder(tmp_path), os.path.dirname(folder(tmp_path))):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    for name in os.listdir(folder(tmp_path)):
        assert stat.S_IMODE(os.stat(os.path.join(folder(tmp_path), name)).st_mode) == 0o600


@pytest.mark.parametrize("name", ["hafta-overlord", "hafta-overlord/events", "hafta-overlord/events/0"])
def test_a_link_that_stands_in_its_place_is_not_followed(tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    state = tmp_path / "s"
    (state / name).parent.mkdir(parents=True, mode=0o700)
    (state / name).symlink_to(elsewhere)
    with pytest.raises(OSError, match=r"."):
        claim(str(state))
    assert list(elsewhere.iterdir()) == []


def test_a_directory_in_which_others_may_write_is_not_used(tmp_path):
    (tmp_path / "hafta-overlord/events").mkdir(parents=True)
    os.chmod(tmp_path / "hafta-overlord/events", 0o777)
    with pytest.raises(PermissionError):
        claim(str(tmp_path))


def test_a_unit_that_writes_without_end_is_cut_off_counted_and_takes_nothing_of_others(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    log = begin(tmp_path)
    for _ in range(logs.MOST + 50):
        log.take(OUTPUT, "loud.service", {"MESSAGE": "x"}, {"_SYSTEMD_UNIT": "loud.service"})
    log.take(OUTPUT, "calm.service", {"MESSAGE": "y"}, {"_SYSTEMD_UNIT": "calm.service"})
    say(log, 1)
    now[0] += logs.SPAN
    log.take(OUTPUT, "loud.service", {"MESSAGE": "z"}, {"_SYSTEMD_UNIT": "loud.service"})
    log.close()
    said = [one["MESSAGE"] for one in read(folder(tmp_path), OUTPUT)]
    assert (said.count("x"), said[-2:]) == (logs.MOST, ["y", "z"])
    told = read(folder(tmp_path))[-1]
    assert (told["N_DROPPED"], told["OBJECT_SYSTEMD_UNIT"]) == ("50", "loud.service")


@pytest.mark.parametrize(
    "value",
    ["", "a\nb", "\x00\x1b[31m", "\udcff", '"\\', "ü" * 100, "\u2028"],
    ids=["nothing", "newline", "control", "surrogate", "quotes", "long", "separator"],
)
def test_what_is_written_is_read_as_it_was_and_is_one_line(value):
    stamp = {"__REALTIME_TIMESTAMP": "1", "__MONOTONIC_TIMESTAMP": "2", "_BOOT_ID": "b"}
    line = encode({**stamp, "MESSAGE": value})
    assert line.count(b"\n") == 1
    assert decode(line)["MESSAGE"] == value.encode("utf-8", "backslashreplace").decode()


def test_an_entry_that_is_too_long_for_a_reader_is_counted_and_does_no_damage(tmp_path):
    log = begin(tmp_path)
    log.take(EVENTS, "a.service", {"MESSAGE": "long", "X": value_of(b"\xff" * 700_000)}, {})
    log.take(EVENTS, "a.service", {"MESSAGE": "short"}, {})
    log.close()
    assert [one and (one["MESSAGE"], one.get("N_DROPPED")) for one in read(folder(tmp_path))] == [
        ("Suppressed 1 messages from a.service", "1"), ("short", None),
    ]  # fmt: skip


def test_bytes_that_are_not_text_are_a_list_of_numbers_as_journalctl_has_them():
    assert value_of(b"\xff\x00") == [255, 0]
    assert value_of("ü".encode()) == "ü"
