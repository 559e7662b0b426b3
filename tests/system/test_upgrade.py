"""From one version to the next, and away again: the .deb."""

import pytest
from booted import Machine
from booted.packages import build_next
from booted.rootfs import SUITES
from services import CLIENT, SERVER, STARTED, leftovers, pid, start, wait_for_read, wait_for_running

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
        machine.before = {unit: pid(machine, unit) for unit in (SERVER, CLIENT, INSTANCE)}, machine.cursor()
        machine.sh("rm /srv/packages/*")
        machine.install(next_packages)
        yield machine


def test_the_version_is_the_next_one_and_the_configuration_is_kept(upgraded):
    assert upgraded.sh("dpkg-query --show --showformat='${Version}' hafta").endswith("+next")
    assert upgraded.sh("cat /etc/default/hafta-server") == "HAFTA_INTERVAL=0.05\nHAFTA_BAD_RATE=0\n"
    assert "kept by the administrator" in upgraded.sh("cat /etc/default/hafta-client")


def test_each_running_service_is_restarted_exactly_once(upgraded):
    before, cursor = upgraded.before
    wait_for_running(upgraded, *before)
    for unit, old in before.items():
        assert pid(upgraded, unit) != old
        assert len(upgraded.journal(f"MESSAGE_ID={STARTED}", f"UNIT={unit}", since=cursor)) == 1
        # The server may have died of its own, of the client that is stopped before it: still it was started once.
        assert unit == SERVER or upgraded.get(unit, "NRestarts") == "0"
    wait_for_read(upgraded, upgraded.cursor())


def test_a_stopped_service_stays_stopped_over_an_upgrade(upgraded):
    upgraded.run("systemctl", "stop", "hafta.target", CLIENT)
    upgraded.sh("dpkg --install /srv/packages/*.deb")
    assert upgraded.get(CLIENT, "ActiveState") == "inactive"


def test_removing_stops_everything_and_keeps_the_configuration(upgraded):
    upgraded.run("systemctl", "start", "hafta.target", INSTANCE)
    upgraded.run("systemctl", "enable", "hafta.target", INSTANCE)
    upgraded.write(f"{DROP_IN}/override.conf", "[Service]\nNice=1\n")
    upgraded.write("/var/lib/hafta-overlord/hafta-client/record", "of `hafta run`, beside systemd")
    upgraded.write("/run/hafta-overlord/left", "by one that was killed")
    upgraded.sh("dpkg --remove hafta 2>&1")
    assert upgraded.sh("ps -e -o comm= | grep '^hafta-' || echo none") == "none\n"
    assert upgraded.sh("ls /etc/default").split().count("hafta-server") == 1


def test_what_is_purged_in_another_root_is_not_this_machine(upgraded):
    upgraded.sh("mkdir /srv/elsewhere; DPKG_ROOT=/srv/elsewhere sh /var/lib/dpkg/info/hafta.postrm purge 2>&1")
    assert upgraded.sh("ls -d /var/lib/hafta-client /var/lib/hafta-overlord").split()
    assert upgraded.sh("id -nG hafta-client").split() == ["hafta-client", "hafta"]


def test_purging_leaves_only_the_files_of_systemctl_edit(upgraded):
    upgraded.sh("dpkg --purge hafta python3-hafta 2>&1; rm -r /srv/packages; systemctl daemon-reload")
    assert upgraded.sh(f"find {DROP_IN} -type f").split() == [f"{DROP_IN}/override.conf"]
    upgraded.sh(f"rm -r {DROP_IN}")
    assert leftovers(upgraded) == []
    elsewhere = "! -path '/proc/*' ! -path '/sys/*' ! -path '/var/lib/systemd/catalog/*'"
    assert upgraded.sh(f"find / -xdev -name '*hafta*' {elsewhere}").split() == []
    assert upgraded.sh("grep hafta /etc/passwd /etc/group /etc/shadow /etc/gshadow || echo none") == "none\n"
    assert upgraded.sh("journalctl --list-catalog | grep -c HAFTA || :") == "0\n"
