"""Settings: where they are written, what a wrong one does, and how systemctl edit changes what is no setting."""

import pytest
from services import CLIENT, SERVER, configure, explained, gave_up, said, start, stop, wait_for_read


@pytest.fixture
def ready(installed):
    """A machine in which the services are installed and stopped; its configuration is as shipped again afterwards."""
    shipped = {unit: installed.sh(f"cat /etc/default/{unit.removesuffix('.service')}") for unit in (SERVER, CLIENT)}
    yield installed
    stop(installed)
    for unit, text in shipped.items():
        installed.write(f"/etc/default/{unit.removesuffix('.service')}", text)


def test_the_shipped_file_shows_every_setting_and_changes_none(ready):
    """All but those with which a service ends by itself: its unit would start it again at once, for ever."""
    for program in ("hafta-server", "hafta-client"):
        lines = ready.sh(f"cat /etc/default/{program}").splitlines()
        assert all(line.startswith("#") or not line for line in lines)
        helped = ready.sh(f"{program} --help")
        variables = {word for word in helped.split() if word.startswith("HAFTA_")}
        shown = {line[1:].partition("=")[0] for line in lines if line.startswith("#HAFTA_")}
        assert variables - shown == {"HAFTA_COUNT" if program == "hafta-server" else "HAFTA_ONCE"}
        assert shown < variables


def test_every_shown_line_can_be_uncommented(ready):
    """Then the services run as before: what is shown is the default."""
    ready.sh("sed -i 's/^#HAFTA/HAFTA/' /etc/default/hafta-server /etc/default/hafta-client")
    cursor = ready.cursor()
    ready.run("systemctl", "start", "hafta.target")
    wait_for_read(ready, cursor)


def test_a_setting_is_taken_over_at_a_restart(ready):
    start(ready, interval=0.05, bad_rate=0)
    configure(ready, SERVER, interval=0.05, bad_rate=2)
    cursor = ready.cursor()
    ready.run("systemctl", "restart", SERVER)
    rolled_back = lambda: said(ready, CLIENT, "rolled-back", cursor)
    ready.wait_until("bad data comes", lambda: any("BadData" in entry["HAFTA_REASON"] for entry in rolled_back()))


@pytest.mark.parametrize(
    ("unit", "setting", "words"),
    [
        (SERVER, {"interval": "often"}, "HAFTA_INTERVAL: 'often' is not a number, 0 or more"),
        (SERVER, {"mode": "0777"}, "HAFTA_MODE: '0777' is not an octal mode"),
        (CLIENT, {"reads": "-1"}, "HAFTA_READS: '-1' is not a whole number, 1 or more"),
    ],
    ids=["interval", "mode", "reads"],
)
def test_a_wrong_setting_is_said_once_and_not_tried_again(ready, unit, setting, words):
    configure(ready, unit, **setting)
    cursor = ready.cursor()
    ready.run("systemctl", "start", unit, check=False)
    ready.wait_for_state(unit, "failed")
    (entry,) = said(ready, unit, "service-failed", cursor)
    assert words in entry["MESSAGE"]
    assert entry["HAFTA_STATUS"] == "2"
    assert entry["HAFTA_HINT"]
    assert ready.show(unit, "NRestarts", "ExecMainStatus") == {"NRestarts": "0", "ExecMainStatus": "2"}
    assert "Defined-By: HAFTA" in explained(ready, f"--cursor={cursor}", "HAFTA_EVENT=service-failed")


def test_an_installation_that_cannot_start_is_given_up(ready):
    """It dies before it can hold itself back, so that the start limit is what stops it: 40 starts in 10 s.

    A loaded machine may take longer than that for 40, and goes on until it does not.
    """
    broken = "[Service]\nExecStart=\nExecStart=/bin/false\n"
    ready.write("/etc/systemd/system/hafta-server.service.d/broken.conf", broken)
    cursor = ready.cursor()
    ready.sh("systemctl daemon-reload; systemctl start hafta-server || :")
    ready.wait_until("the start limit is met", lambda: gave_up(ready, SERVER, cursor), timeout=400)
    assert ready.get(SERVER, "ActiveState") == "failed"
    assert int(ready.get(SERVER, "NRestarts")) >= 40
    ready.sh("rm -r /etc/systemd/system/hafta-server.service.d; systemctl daemon-reload; systemctl reset-failed")
    start(ready)


def test_systemctl_edit_changes_what_is_no_setting(ready):
    """A pipe elsewhere needs a place to write to."""
    ready.sh("mkdir -p /srv/pipes; chown hafta:hafta /srv/pipes; chmod 750 /srv/pipes")
    editor = "[Service]\nReadWritePaths=/srv/pipes\n"
    ready.write("/etc/systemd/system/hafta-server.service.d/override.conf", editor)
    ready.run("systemctl", "daemon-reload")
    configure(ready, SERVER, pipe="/srv/pipes/here", interval=0.05)
    configure(ready, CLIENT, pipe="/srv/pipes/here")
    cursor = ready.cursor()
    ready.run("systemctl", "start", "hafta.target")
    wait_for_read(ready, cursor)
    assert "/srv/pipes/here" in ready.sh("find /srv/pipes -type p")
