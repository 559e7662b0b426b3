"""Installing the .deb: what it does, what it does not do, and what the machine then is."""

import re
from pathlib import Path

import pytest
from services import CLIENT, SERVER, is_running, leftovers, pid, push_packages, start, stop, wait_for_read

ROOT = Path(__file__).parents[2]
UNITS = (SERVER, CLIENT)


@pytest.fixture(scope="module")
def fresh(machine, packages):
    """A machine in which apt has installed the packages, from files alone: no repository can be reached."""
    push_packages(machine, packages)
    machine.sh("apt-get install --yes --no-install-recommends /srv/packages/*.deb </dev/null")
    return machine


def test_nothing_is_started_or_enabled_by_installing(fresh):
    for unit in (*UNITS, "hafta.target"):
        shown = fresh.show(unit, "ActiveState", "UnitFileState")
        assert shown == {"ActiveState": "inactive", "UnitFileState": "disabled"}


def test_nothing_comes_from_elsewhere(fresh):
    """Only the distribution's own packages are needed, and nothing of theirs is vendored."""
    depends = fresh.sh("dpkg-query --show --showformat='${Depends}\\n' hafta python3-hafta")
    needed = {word.split()[0] for word in depends.replace("|", ",").replace("\n", ",").split(",") if word.strip()}
    allowed = {"python3-click", "python3-sdnotify", "python3-hafta", "python3:any"}
    assert needed - allowed <= {"systemd", "systemd-standalone-sysusers", "systemd-sysusers"}
    assert (
        fresh.sh("dpkg-query --listfiles hafta python3-hafta | grep -c -E '/(click|sdnotify|systemd-python)/' || :")
        == "0\n"
    )


def test_both_start_and_records_are_read(fresh):
    cursor = fresh.cursor()
    fresh.run("systemctl", "start", "hafta-server", "hafta-client")
    wait_for_read(fresh, cursor)
    assert is_running(fresh, *UNITS)
    for unit, words in ((SERVER, "written"), (CLIENT, "good reads")):
        fresh.wait_until(f"STATUS of {unit}", lambda unit=unit, words=words: words in fresh.get(unit, "StatusText"))
    stop(fresh)
    assert leftovers(fresh) == []


def test_the_target_starts_and_stops_both(fresh):
    """Again and again: whichever of the two ends first, neither has failed."""
    for _ in range(5):
        start(fresh, interval=0.001, bad_rate=0)
        assert is_running(fresh, *UNITS)
        fresh.run("systemctl", "stop", "hafta.target")
        for unit in UNITS:
            fresh.wait_for_state(unit, "inactive")
            assert fresh.get(unit, "Result") == "success"


@pytest.mark.parametrize("unit", UNITS)
def test_the_sandbox_is_real(fresh, unit):
    start(fresh)
    process = pid(fresh, unit)
    mount = ("readlink", f"/proc/{process}/ns/mnt")
    assert fresh.run(*mount).stdout != fresh.run("readlink", "/proc/1/ns/mnt").stdout
    status = dict(
        line.split(":\t", 1)
        for line in fresh.run("cat", f"/proc/{process}/status").stdout.splitlines()
        if ":\t" in line
    )
    assert "0" not in status["Uid"].split() + status["Gid"].split()
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    inside = f"nsenter --target {process} --mount sh -c"
    for path in ("/usr", "/etc", "/var"):
        assert "Read-only file system" in fresh.sh(f"{inside} 'touch {path}/probe' 2>&1", check=False)
    fresh.sh("touch /home/secret /tmp/secret")
    assert fresh.sh(f"{inside} 'ls /home /tmp'") == "/home:\n\n/tmp:\n"
    assert fresh.sh(f"readlink /proc/{process}/ns/net") != fresh.sh("readlink /proc/1/ns/net")


@pytest.mark.parametrize("unit", UNITS)
def test_exposure_is_at_most_half_of_ten_live(fresh, unit):
    start(fresh)
    fresh.run("systemd-analyze", "security", "--threshold=5", "--no-pager", unit)


def test_an_instance_reads_a_pipe_of_its_own(fresh):
    """As its page shows: a second server makes the pipe, and is started with its client and stopped with the first."""
    page = (ROOT / "packaging/man/hafta-client.service.8.in").read_text().replace("\\-", "-")
    unit, commands = re.findall(r"(?s)\.EX\n(.*?)\.EE", page)
    fresh.write("/etc/systemd/system/hafta-second.service", unit)
    fresh.write("/etc/systemd/system/hafta-second.service.d/fast.conf", "[Service]\nEnvironment=HAFTA_INTERVAL=0.05\n")
    fresh.sh(commands.replace("# ", ""))
    fresh.wait_for_entry("_SYSTEMD_UNIT=hafta-client@second.service", "HAFTA_EVENT=sequence-succeeded")
    assert is_running(fresh, "hafta-second.service")
    assert is_running(fresh, SERVER)
    fresh.run("systemctl", "stop", SERVER, "hafta.target")
    fresh.wait_for_state("hafta-second.service", "inactive")
    fresh.run("systemctl", "disable", "hafta-second.service", "hafta-client@second.service")
    fresh.sh("rm -r /etc/systemd/system/hafta-second.service*; systemctl daemon-reload")
    stop(fresh)
    assert leftovers(fresh) == []


def test_enabled_services_run_again_after_a_reboot(fresh):
    for units in (("hafta.target",), UNITS):
        fresh.run("systemctl", "enable", "--now", *units)
        fresh.reboot()
        for unit in UNITS:
            fresh.wait_for_state(unit, "active")
        wait_for_read(fresh, fresh.cursor())
        fresh.run("systemctl", "disable", "--now", *units)


def test_every_page_and_every_catalog_entry_is_there(fresh):
    files = fresh.sh("dpkg-query --listfiles hafta | grep /usr/share/man/man./").split()
    pages = {path.rpartition("/")[2].removesuffix(".gz") for path in files}
    sources = {path.name.removesuffix(".in") for path in (ROOT / "packaging/man").glob("*.in")}
    assert pages == sources
    fresh.sh(f"for page in {' '.join(pages)}; do man --warnings $page >/dev/null; done")
    identifiers = fresh.sh("sed -n 's/^-- //p' /usr/lib/systemd/catalog/hafta.catalog").split()
    listed = fresh.run("journalctl", "--list-catalog", *identifiers).stdout
    assert all(identifier in listed for identifier in identifiers)
    assert len(identifiers) > 10
