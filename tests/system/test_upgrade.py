"""From one version to the next, and away again: the .deb."""

import pytest
from booted import Machine
from booted.packages import build_next
from booted.rootfs import SUITES
from services import CLIENT, SERVER, STARTED, is_running, leftovers, pid, start, wait_for_read

INSTANCE = "hafta-client@second.service"
DROP_IN = "/etc/systemd/system/hafta-server.service.d"


@pytest.fixture(scope="module")
def next_packages(tmp_path_factory):
    """The packages of the same tree with a higher version."""
    return build_next("deb", tmp_path_factory.mktemp("next"))


@pytest.fixture(scope="module", params=SUITES.values(), ids=SUITES)
def upgraded(request, packages, next_packages):
    """A machine where the services ran, an instance among them, while the next version was installed."""
    with Machine(request.param) as machine:
        machine.install(packages)
        start(machine, interval=0.05, bad_rate=0)
        machine.run("systemctl", "start", INSTANCE)
        machine.sh("echo '# kept by the administrator' >> /etc/default/hafta-client")
        before = {unit: pid(machine, unit) for unit in (SERVER, CLIENT, INSTANCE)}
        cursor = machine.cursor()
        machine.sh("rm /srv/packages/*")
        machine.install(next_packages)
        yield machine, before, cursor


def test_the_version_is_the_next_one(upgraded):
    machine, _, _ = upgraded
    assert machine.sh("dpkg-query --show --showformat='${Version}' hafta").endswith("+next")


def test_each_running_service_is_restarted_exactly_once(upgraded):
    machine, before, cursor = upgraded
    for unit, old in before.items():
        machine.wait_until(f"{unit} runs", lambda unit=unit: is_running(machine, unit))
        assert pid(machine, unit) != old
        assert len(machine.journal(f"MESSAGE_ID={STARTED}", f"UNIT={unit}", since=cursor)) == 1
        # The server may have died of its own, of the client that is stopped before it: still it was started once.
        assert unit == SERVER or machine.get(unit, "NRestarts") == "0"
    wait_for_read(machine, machine.cursor())


def test_the_configuration_is_kept(upgraded):
    machine, _, _ = upgraded
    assert machine.sh("cat /etc/default/hafta-server") == "HAFTA_INTERVAL=0.05\nHAFTA_BAD_RATE=0\n"
    assert "kept by the administrator" in machine.sh("cat /etc/default/hafta-client")


def test_a_stopped_service_stays_stopped_over_an_upgrade(upgraded):
    machine, _, _ = upgraded
    machine.run("systemctl", "stop", "hafta.target", CLIENT)
    machine.sh("dpkg --install /srv/packages/*.deb")
    assert machine.get(CLIENT, "ActiveState") == "inactive"


def test_removing_stops_everything_and_keeps_the_configuration(upgraded):
    machine, _, _ = upgraded
    machine.run("systemctl", "start", "hafta.target", INSTANCE)
    machine.run("systemctl", "enable", "hafta.target", INSTANCE)
    machine.write(f"{DROP_IN}/override.conf", "[Service]\nNice=1\n")
    machine.write("/var/lib/hafta-overlord/hafta-client/record", "of `hafta run`, beside systemd")
    machine.write("/run/hafta-overlord/left", "by one that was killed")
    machine.sh("dpkg --remove hafta 2>&1")
    assert machine.sh("ps -e -o comm= | grep '^hafta-' || echo none") == "none\n"
    assert machine.sh("ls /etc/default").split().count("hafta-server") == 1


def test_what_is_purged_in_another_root_is_not_this_machine(upgraded):
    machine, _, _ = upgraded
    machine.sh("mkdir /srv/elsewhere; DPKG_ROOT=/srv/elsewhere sh /var/lib/dpkg/info/hafta.postrm purge 2>&1")
    assert machine.sh("ls -d /var/lib/hafta-client /var/lib/hafta-overlord").split()
    assert machine.sh("id -nG hafta-client").split() == ["hafta-client", "hafta"]


def test_purging_leaves_only_the_files_of_systemctl_edit(upgraded):
    machine, _, _ = upgraded
    machine.sh("dpkg --purge hafta python3-hafta 2>&1; rm -r /srv/packages; systemctl daemon-reload")
    assert machine.sh(f"find {DROP_IN} -type f").split() == [f"{DROP_IN}/override.conf"]
    machine.sh(f"rm -r {DROP_IN}")
    assert leftovers(machine) == []
    elsewhere = "! -path '/proc/*' ! -path '/sys/*' ! -path '/var/lib/systemd/catalog/*'"
    assert machine.sh(f"find / -xdev -name '*hafta*' {elsewhere}").split() == []
    assert machine.sh("grep hafta /etc/passwd /etc/group /etc/shadow /etc/gshadow || echo none") == "none\n"
    assert machine.sh("journalctl --list-catalog | grep -c HAFTA || :") == "0\n"
