"""The commands of a service as they are read: phases, prefixes, how many there may be, and the types."""

import pytest

from hafta import exits
from hafta.units.unit import Command, Commands
from hafta.units.unitfile import UnitError


def read(files, text, **unit):
    """Read a service that consists of these lines."""
    files.write("c.service", f"[Service]\n{text}\n", **unit)
    return files.load("c")["c.service"]


def command(*argv, **how):
    """Return a command of these words."""
    return Command(argv[0], argv, **how)


def test_the_commands_of_each_phase_are_kept_in_their_order(files):
    unit = read(
        files,
        "ExecCondition=/c\nExecStartPre=-/p 1 ; /p 2\nExecStartPre=+/p 3\nExecStart=@/s name $X\nExecStartPost=:/o $X\n"
        "ExecReload=/r $MAINPID\nExecStop=!/t\nExecStopPost=/gone\nExecStopPost=\nExecStopPost=!!/u",
    )
    assert unit.commands == Commands(
        condition=(command("/c"),),
        start_pre=(
            command("/p", "1", ignore_failure=True),
            command("/p", "2"),
            command("/p", "3", privileged=True),
        ),
        start=(Command("/s", ("name", "$X")),),
        start_post=(command("/o", "$X", plain=True),),
        reload=(command("/r", "$MAINPID"),),
        stop=(command("/t", keeps_user=True),),
        stop_post=(command("/u"),),
    )


def test_a_oneshot_may_take_for_ever_to_start(files):
    assert read(files, "Type=oneshot\nExecStart=/a").timeout_start == float("inf")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("ExecStart=/a\nExecStart=/b", "2 commands in ExecStart= for c.service", "give it exactly one"),
        ("ExecStart=a ; b", "2 commands in ExecStart= for c.service", "give it exactly one"),
        ("ExecStop=/a", "no ExecStart= for c.service", "give it one, or Type=oneshot"),
        ("Type=dbus\nExecStart=/a", "Type=dbus: expected a type without D-Bus", "correct Type="),
        ("Type=x\nExecStart=/a", "Type=x: expected one of simple, exec, ", "correct Type="),
        ("Type=oneshot\nRestart=always\nExecStart=/a", "expected anything but always", "correct Restart="),
        (
            "Type=oneshot\nRestartForceExitStatus=1\nExecStart=/a",
            "expected nothing, because of Type=oneshot",
            "correct",
        ),
        ("PIDFile=../x\nExecStart=/a", "PIDFile=../x: expected a path without ..", "correct PIDFile="),
    ],
)
def test_what_systemd_does_not_load_is_refused_with_a_hint(files, text, message, hint):
    with pytest.raises(UnitError) as caught:
        read(files, text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.status == exits.USAGE


def test_a_relative_pid_file_is_below_the_runtime_directory(files):
    unit = read(files, "PIDFile=a/b.pid\nExecStart=/a")
    assert unit.pid_file.endswith("/a/b.pid")
    assert read(files, "PIDFile=/x//y.pid\nExecStart=/a").pid_file == "/x/y.pid"


def test_a_unit_that_only_ends_the_machine_is_refused_with_its_line(files):
    files.write("c.service", "[Unit]\nSuccessAction=poweroff-force\n")
    with pytest.raises(UnitError, match=r"c.service:2: SuccessAction=poweroff-force: expected a command, too: .*"):
        files.load("c")


#: Unit files of Debian 12, and what is to be run of them: each has what the others do not have.
DEBIAN = {
    "nginx": (
        """
        Type=forking
        PIDFile=/run/nginx.pid
        ExecStartPre=/usr/sbin/nginx -t -q -g 'daemon on; master_process on;'
        ExecStart=/usr/sbin/nginx -g 'daemon on; master_process on;'
        ExecStop=-/sbin/start-stop-daemon --quiet --stop --retry QUIT/5 --pidfile /run/nginx.pid
        """,
        {
            "start_pre": [("/usr/sbin/nginx", "-t", "-q", "-g", "daemon on; master_process on;")],
            "start": [("/usr/sbin/nginx", "-g", "daemon on; master_process on;")],
            "stop": [
                ("/sbin/start-stop-daemon", *["--quiet", "--stop", "--retry", "QUIT/5", "--pidfile", "/run/nginx.pid"]),
            ],
        },
    ),
    "unbound": (
        "Type=notify\nExecStart=/usr/sbin/unbound -d -p $DAEMON_OPTS\nExecReload=+/bin/kill -HUP $MAINPID",
        {
            "start": [("/usr/sbin/unbound", "-d", "-p", "$DAEMON_OPTS")],
            "reload": [("/bin/kill", "-HUP", "$MAINPID")],
        },
    ),
    "chrony": (
        "Type=forking\nPIDFile=/run/chrony/chronyd.pid\nUser=_chrony\nExecStart=!/usr/sbin/chronyd $DAEMON_OPTS",
        {"start": [("/usr/sbin/chronyd", "$DAEMON_OPTS")]},
    ),
}


@pytest.mark.parametrize("name", DEBIAN)
def test_the_commands_of_debians_units_are_what_is_written_there(files, name):
    text, expected = DEBIAN[name]
    unit = read(files, text)
    found = {phase: [each.argv for each in getattr(unit.commands, phase)] for phase in Commands._fields}
    assert {phase: commands for phase, commands in found.items() if commands} == expected
    assert [each.keeps_user for each in unit.commands.start] == [name == "chrony"]
    assert [each.privileged for each in unit.commands.reload] == [True] * (name == "unbound")
    assert [each.ignore_failure for each in unit.commands.stop] == [True] * (name == "nginx")
