"""CacheDirectory= and its kin: where they are, whose they are, links to them, and what is left at the end."""

import errno
import os
import signal
import stat

import pytest
from overlord_harness import wait_until

from hafta.overlord.dirs import make_folders, remove_links
from hafta.overlord.estate import Estate
from hafta.overlord.folders import removable
from hafta.overlord.heir import _folders, write_folders
from hafta.overlord.intake import take_in
from hafta.units.folders import Directories, Folders
from hafta.units.roots import Roots
from hafta.units.unit import Unit

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories away")
ALL = ("RuntimeDirectory=r/d", "StateDirectory=s", "CacheDirectory=c", "LogsDirectory=l")
_DIRECTORIES = "$RUNTIME_DIRECTORY $STATE_DIRECTORY $CACHE_DIRECTORY $LOGS_DIRECTORY"
SHOW = f"/bin/sh -c 'for d in {_DIRECTORIES}; do stat -c \"%%n %%U %%a\" $d; done'"


def said(overlord):
    return [line.partition("| ")[2] for line in overlord.lines if line.startswith("a ")]


@AS_ROOT
def test_a_service_finds_its_directories_and_they_are_its_own(place):
    place.service("a", SHOW, *ALL, "User=daemon", "CacheDirectoryMode=0700", "LogsDirectoryMode=2750")
    assert place.start("a").wait() == 0
    below = f"{place.state}/hafta-overlord"
    assert said(place.overlords[0]) == [
        f"{place.runtime}/r/d daemon 755",
        f"{place.state}/s daemon 755",
        f"{below}/cache/c daemon 700",
        f"{below}/log/l daemon 2750",
    ]
    assert os.listdir(place.state) == ["hafta-overlord"], "what is empty at the end goes"
    assert os.listdir(below) == ["events"]


def test_specifiers_name_the_roots(place):
    place.service("a", "/bin/echo %t %S %C %L %E")
    assert place.start("a").wait() == 0
    below = f"{place.state}/hafta-overlord"
    settings = "/etc" if os.geteuid() == 0 else os.path.expanduser("~/.config")
    assert said(place.overlords[0]) == [f"{place.runtime} {place.state} {below}/cache {below}/log {settings}"]


def test_several_directories_are_named_in_their_order_and_what_is_in_them_stays(place):
    place.service(
        "a",
        "/bin/sh -c 'touch $STATE_DIRECTORY/../a/kept; echo $CACHE_DIRECTORY'",
        "CacheDirectory=z b/",
        "StateDirectory=a",
    )
    assert place.start("a").wait() == 0
    cache = f"{place.state}/hafta-overlord/cache"
    assert said(place.overlords[0]) == [f"{cache}/b:{cache}/z"]
    assert sorted(os.listdir(place.state)) == ["a", "hafta-overlord"]
    assert os.listdir(f"{place.state}/a") == ["kept"]


def test_links_lead_to_directories_beside_them_and_those_of_a_run_go_with_it(place):
    lines = ("RuntimeDirectory=d/e:l:x d/f:m/n", "StateDirectory=s:t")
    place.service("a", "/bin/sh -c 'touch %S/t/kept; ls -l %t/m; readlink %t/l %t/m/n; exec sleep 1000'", *lines)
    overlord = place.start("a")
    overlord.wait_for(r"\| ../d/f")
    assert said(overlord)[-2:] == ["d/e", "../d/f"]
    assert overlord.stop() == 0
    assert not os.path.exists(place.runtime)
    assert sorted(os.listdir(place.state)) == ["hafta-overlord", "s", "t"]
    assert os.path.exists(f"{place.state}/t/kept")
    overlord = place.start("a")
    overlord.wait_for(r"\| ../d/f")  # links that are there are taken as they are


def test_links_of_an_overlord_that_was_killed_go_too(place):
    overlord = place.up("a", "/bin/sh -c 'echo up; exec sleep 1000'", "RuntimeDirectory=d:l", until=r"\| up")
    assert os.path.islink(f"{place.runtime}/l")
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not os.path.exists(place.runtime))


def test_no_symbolic_link_is_followed_and_nothing_is_put_in_place_of_what_is_there(place):
    os.makedirs(place.state)
    elsewhere = place.file("elsewhere")
    os.mkdir(elsewhere)
    os.symlink(elsewhere, f"{place.state}/s")
    os.mkdir(f"{place.state}/t")
    for line, what in (("s", "s: Not a directory"), ("s/x", "s: Not a directory"), ("x:t", "/t: File exists")):
        place.service("a", "/bin/true", f"StateDirectory={line}")
        overlord = place.start("a")
        assert overlord.wait() == 1
        assert what in overlord.text
    assert os.listdir(elsewhere) == []


def test_a_directory_of_settings_is_not_given_away(tmp_path):
    settings = Folders(("x", "y"), mode=0o750)
    (tmp_path / "x").mkdir(mode=0o700)
    owner = (4321, 4321) if os.geteuid() == 0 else None
    assert make_folders("configuration", settings, str(tmp_path), owner) == [f"{tmp_path}/x", f"{tmp_path}/y"]
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "xy"]
    assert modes == [0o700, 0o750]
    assert {(tmp_path / name).stat().st_uid for name in "xy"} == {os.geteuid()}


def test_only_a_link_that_leads_where_ours_would_is_removed(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "real").mkdir()
    os.symlink("d", tmp_path / "ours")
    os.symlink("real", tmp_path / "theirs")
    remove_links(str(tmp_path), [("d", name) for name in ("ours", "theirs", "real", "none", "none/x")])
    assert sorted(os.listdir(tmp_path)) == ["d", "real", "theirs"]


@pytest.mark.parametrize(("names", "links"), [([], []), (["a"], []), (["a", "b/c"], [("a", "l"), ("b/c", "m/n")])])
def test_an_heir_reads_what_was_written_down(tmp_path, names, links):
    write_folders(str(tmp_path), names, links)
    assert _folders(str(tmp_path)) == (names, links)


def test_what_is_refused_is_not_written_down_for_an_heir(tmp_path):
    own, folder = tmp_path / "id", tmp_path / "lock"
    own.mkdir()
    folder.mkdir()

    class Nobody:
        def entrust(self, estate):
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), "; ".join(estate.names))

    estate = Estate("id", str(tmp_path), str(own), ("old",), (), (), None, links=(("old", "link"),))
    write_folders(str(own), estate.names, estate.links)
    unit = Unit("a.service", "f", directories=Directories(runtime=Folders(("a-longer-name",))))
    places = Roots(str(tmp_path), "/s", "/c", "/l", "/e")
    with pytest.raises(OSError, match="old; a-longer-name"):
        take_in(estate, Nobody(), places, {"a.service": unit})
    assert _folders(str(own)) == (["old"], [("old", "link")])
    assert os.listdir(folder) == []


def test_what_is_the_systems_is_not_removed_with_us(tmp_path):
    unit = Unit("a.service", "f", directories=Directories(state=Folders(("x",))))
    places = Roots("/run", "/var/lib", "/c", "/l", "/e")
    assert removable(places, [unit]) == []
    private = places.replace(runtime=str(tmp_path / "r"), state=str(tmp_path / "s"))
    found = removable(private, [unit])
    assert found == [str(tmp_path / "s" / "x"), str(tmp_path / "s"), str(tmp_path / "r")]
    deep = private.replace(state=str(tmp_path / "a" / "b" / "c"))
    found = removable(deep, [])
    assert found == [str(tmp_path / name) for name in ("a/b/c", "a/b", "a", "r")]
