"""The .rpm in a booted machine. Debian's rpm stands in for Fedora's: payload and scriptlets are the same."""

import pytest
from booted import SUITES, Machine
from booted.packages import build_next
from services import CLIENT, SERVER, STARTED, explained, leftovers, pid, push_packages, wait_for_read, wait_for_running

#: Fedora's Python looks there by itself; Debian's has to be told. (The services' launchers say it themselves.)
SITE = "/usr/lib/python3.11/site-packages"


@pytest.fixture(scope="module")
def fedora(packages):
    """A machine with the .rpm packages installed and both services running."""
    with Machine(SUITES["bookworm"]) as machine:
        machine.sh(f"echo {SITE} > /usr/lib/python3/dist-packages/rpm.pth")
        push_packages(machine, packages, "*.noarch.rpm", "/srv/first")
        machine.sh("rpm --upgrade --verbose --hash --nodeps /srv/first/*.rpm; journalctl --update-catalog")
        yield machine


def test_it_installs_and_starts_nothing_and_its_commands_answer_and_have_pages(fedora):
    assert fedora.sh("rpm --query hafta python3-hafta").count("hafta-") == 2
    assert fedora.get(SERVER, "ActiveState") == "inactive"
    assert fedora.sh("id -nG hafta-client").split() == ["hafta-client", "hafta"]
    assert fedora.sh("rpm --verify --nodeps hafta python3-hafta || :") == ""
    assert fedora.sh("hafta --version") == "hafta 0.1.0\n"
    fedora.sh("for page in hafta hafta-run hafta-server.service; do man --warnings $page > /dev/null; done")


def test_it_runs_with_the_settings_of_sysconfig(fedora):
    fedora.sh("printf 'HAFTA_INTERVAL=0.05\\nHAFTA_BAD_RATE=0\\n' >> /etc/sysconfig/hafta-server")
    cursor = fedora.cursor()
    fedora.run("systemctl", "enable", "--now", "hafta.target")
    wait_for_read(fedora, cursor)
    fedora.wait_until("STATUS shows the setting", lambda: "one per 0.05 s" in fedora.get(SERVER, "StatusText"))
    fedora.wait_for_entry("HAFTA_EVENT=sequence-succeeded")
    assert "Defined-By: HAFTA" in explained(fedora, "HAFTA_EVENT=sequence-succeeded")


def test_an_upgrade_restarts_once_and_keeps_the_configuration(fedora, tmp_path_factory):
    push_packages(fedora, build_next("rpm", tmp_path_factory.mktemp("next")), "*.noarch.rpm", "/srv/next")
    before = {unit: pid(fedora, unit) for unit in (SERVER, CLIENT)}
    cursor = fedora.cursor()
    fedora.sh("rpm --upgrade --nodeps /srv/next/*.rpm")
    wait_for_running(fedora, *before)
    for unit, old in before.items():
        assert pid(fedora, unit) != old
        assert len(fedora.journal(f"MESSAGE_ID={STARTED}", f"UNIT={unit}", since=cursor)) == 1
    assert fedora.sh("tail -n 1 /etc/sysconfig/hafta-server") == "HAFTA_BAD_RATE=0\n"
    assert "+next" in fedora.sh("rpm --query hafta")
    wait_for_read(fedora, fedora.cursor())


def test_erasing_stops_and_disables_everything(fedora):
    fedora.sh("rpm --erase --nodeps hafta python3-hafta; rm -r /srv/first /srv/next; journalctl --update-catalog")
    assert leftovers(fedora) == []
    found = fedora.sh("find /usr /etc /run -xdev -name '*hafta*'").split()
    assert [path for path in found if not path.endswith(".rpmsave")] == []
