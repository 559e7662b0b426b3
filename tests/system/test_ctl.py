"""The same questions to systemd, by systemctl, and to the overlord, by `hafta ctl`: the same exit statuses and formats.

Both have the same units, each in its own directory. What differs on purpose stands in docs/ctl.md, and is not asked.
"""

import re

import pytest

UNITS = {
    "good": "[Unit]\nDescription=A good one\n[Service]\nExecStart=/bin/sleep 1000\n",
    "rel": "[Service]\nExecStart=/bin/sleep 1001\nExecReload=/bin/true\n",
    "badrel": "[Service]\nExecStart=/bin/sleep 1002\nExecReload=/bin/false\n",
    "bad": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    "needs": "[Unit]\nRequires=bad.service\nAfter=bad.service\n[Service]\nExecStart=/bin/sleep 1003\n",
    "late": "[Service]\nType=notify\nTimeoutStartSec=1\nExecStart=/bin/sleep 1004\n",
    "early": "[Service]\nType=notify\nExecStart=/bin/true\n",
    "noexec": "[Service]\nType=exec\nExecStart=/nonexistent\n",
    "killed": '[Service]\nType=oneshot\nExecStart=/bin/sh -c "kill -9 $$$$"\n',
    "again": "[Service]\nType=oneshot\nRestart=on-failure\nRestartSec=100\nExecStart=/bin/false\n",
    "once": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "stays": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    "skipped": "[Unit]\nConditionPathExists=/nonexistent\n[Service]\nExecStart=/bin/sleep 1005\n",
    "asserts": "[Unit]\nAssertPathExists=/nonexistent\n[Service]\nExecStart=/bin/sleep 1006\n",
    "wanted": "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
}
#: Each line is asked of both, in this order. `show` needs its properties named: systemd has many more.
ASKED = """
start good
start rel badrel stays
start nosuch
start masked
start bad
start needs
start late
start early
start noexec
start killed
start again
start once
start skipped
start asserts
start --no-block once
is-active good
is-active good bad nosuch again once stays masked
is-active bad
is-active -q good
is-failed good bad
is-failed good
is-enabled good wanted masked
is-enabled wanted
is-enabled masked
show -p ActiveState,SubState,Result,Type,Restart good bad once stays again
show -p RestartUSec,TimeoutStartUSec,TimeoutStopUSec,WatchdogUSec,RemainAfterExit late
show -p Id,Names,Description,LoadState,FragmentPath,UnitFileState,CanReload,NRestarts good rel
show -p ActiveState,SubState --value good
show -P ActiveState good
show -p Nonsense good
show -p ActiveState,MainPID nosuch
show -p ExecMainCode,ExecMainStatus killed noexec
show -p ExecMainExitTimestamp,ActiveExitTimestampMonotonic,StatusText,StatusErrno good
reload good
reload rel
reload badrel
reload nosuch
reload once
restart good
restart nosuch
try-restart once
try-restart nosuch
try-reload-or-restart once
reload-or-restart good
kill -s USR1 --kill-who=main good
is-active good
reset-failed good
kill nosuch
kill once
reset-failed nosuch
stop rel
reload rel
stop nosuch
stop masked
stop good badrel stays again
list-units --plain --no-legend --no-pager --all --type service bad.service killed.service
cat once
cat nosuch
daemon-reload
""".strip().splitlines()


@pytest.fixture(scope="module")
def asked(installed):
    """A machine in which systemd and an overlord have the same units, each in its own directory."""
    for folder in ("/etc/systemd/system", "/srv/units"):
        for name, text in UNITS.items():
            installed.write(f"{folder}/{name}.service", text)
        installed.sh(f"ln -s /dev/null {folder}/masked.service")
    installed.run("systemctl", "daemon-reload")
    installed.write("/srv/units/holds.service", "[Service]\nExecStart=/bin/sleep 2000\n")
    command = "hafta run --unit-path /srv/units --runtime-dir /run/ho --state-dir /var/lib/ho holds"
    installed.run("systemd-run", "--unit", "overlord", "--property", "Delegate=yes", *command.split())
    installed.wait_until("the overlord answers", lambda: ctl(installed, "is-active holds").stdout == "active\n")
    return installed


def ctl(machine, words):
    return machine.run("sh", "-c", f"HAFTA_RUNTIME_DIR=/run/ho exec hafta ctl {words}", check=False)


def comparable(text):
    """Return the first line that each complaint has, and of other output all but what differs by the directory."""
    return re.sub(r"/(etc/systemd/system|srv/units)/", "/UNITS/", text).replace("systemctl", "hafta ctl")


def first_lines(text):
    """Return what went wrong, without the sentences on where to look."""
    kept = [line for line in comparable(text).splitlines() if not line.startswith(("See ", "To force", "followed"))]
    return [re.sub(r"\. See .*", ".", line) for line in kept]


def test_both_answer_alike(asked):
    different = []
    for words in ASKED:
        theirs = asked.run("sh", "-c", f"exec systemctl {words}", check=False)
        ours = ctl(asked, words)
        answers = [(each.returncode, comparable(each.stdout), first_lines(each.stderr)) for each in (theirs, ours)]
        if answers[0] != answers[1]:
            different.append((words, *answers))
    assert different == []
