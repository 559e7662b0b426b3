"""What comes of units, told in a few words: how the overlord ends, and what it and its services have said."""

from overlord_stories import AGAIN, SLEEP, WITH_A, check, interrupt, kill, stop, told, wait

POST = "ExecStopPost=/bin/sh -c 'echo POST $$SERVICE_RESULT [$$EXIT_CODE] [$$EXIT_STATUS]'"
FORKING = "Type=forking | PIDFile=d.pid"
DAEMON = "ExecStart=/bin/sh -c 'sleep 1000 & echo $$! > $$PIDFILE'"
TELL = "ExecStart=/bin/sh -c 'echo told $MONITOR_UNIT $MONITOR_SERVICE_RESULT $MONITOR_EXIT_CODE $MONITOR_EXIT_STATUS'"
ONCE = "Type=oneshot | ExecStart"
DEAF = "trap : TERM; echo deaf; while :; do sleep 0.01; done"

#: Promise: the units, what is started, steps, exit status, what is said. These units end by themselves.
ENDING = {
    "the run ends with 0 when all units have ended well": ("good: ExecStart=/bin/true", "good", [], 0, {}),
    "and with 1 when one failed": (
        "good: ExecStart=/bin/true\nbad: ExecStart=/bin/false", "good bad", [], 1,
        {"Unit bad.service failed: its main process failed": 1},
    ),
    "what a service writes is shown with its name": (
        "a: ExecStart=/bin/sh -c 'echo out; echo err >&2; echo \"<3>bad\"; printf tail'", "a", [], 0,
        {r"(?m)^a        \| (.*)$": ["out", "err", "error: bad", "tail"]},
    ),
    "--for ends it by itself, and --kill kills about every so often": (
        f"a: {SLEEP} | {AGAIN} | StartLimitBurst=0", "a --for 1.5 --kill a=0.2 --set X=1", [], 0,
        {"a.service is starting as process": range(2, 20), "kills a.service, process": ...,
         "Overlord stopped: it has run for 1.5 s (--for)": 1},
    ),
    "--kill passes over a unit that waits for its restart, though one may come before it has ended by itself": (
        "a: ExecStart=/bin/false | Restart=always | RestartSec=1000", "a --kill=a=0.05 --for=0.5", [], 0,
        {"kills a.service": range(2), "Unit a.service is stopped": 1},
    ),
    "the start limit makes a crash loop end as failed": (
        f"a: ExecStart=/bin/false | {AGAIN} | StartLimitBurst=3", "a", [], 1,
        {"a.service is starting as process": 3,
         "Unit a.service failed: started more than 3 times in 10 s (StartLimitBurst=)": 1},
    ),
    "RestartPreventExitStatus= ends the restarts": (
        "a: ExecStart=/bin/sh -c 'exit 2' | Restart=always | RestartPreventExitStatus=2", "a", [], 1,
        {"a.service is starting as process": 1},
    ),
    "a start that takes too long is ended": (
        f"a: {SLEEP} | Type=notify | TimeoutStartSec=100ms", "a", [], 1,
        {"Unit a.service failed: no READY=1 within 100 ms (TimeoutStartSec=)": 1},
    ),
    "EXTEND_TIMEOUT_USEC= gives a slow start its time": (
        ("a: ExecStart={says} EXTEND_TIMEOUT_USEC=60000000 sleep2.5 READY=1,STOPPING=1 | Type=notify"
        " | TimeoutStartSec=2"),
        "a", [], 0, {"Unit a.service is ready": 1},
    ),
    "a working directory that is missing fails with the reason, and a dash forgives it": (
        ("a: ExecStart=/bin/true | WorkingDirectory={place}/missing\n"
        "b: ExecStart=/bin/pwd | WorkingDirectory=-{place}/missing"), "a b", [], 1,
        {"exited with status 200: cannot enter {place}/missing: No such file or directory": 1, "b        | /\n": 1},
    ),
    "an environment file that vanished fails the start with the reason": (
        "a: ExecStart=/bin/true | EnvironmentFile={place}/missing", "a", [], 1,
        {"it could not be started: a.service: EnvironmentFile={place}/missing: No such file": 1,
         "; correct it, or write EnvironmentFile=-{place}/missing if the unit can do without it": 1},
    ),
    "--debug shows where an error came from": (
        "a: ExecStart=/bin/true", "nosuch --debug", [], 4,
        {"Traceback": ..., "hafta: error: there is no unit nosuch.service": 1},
    ),
    "what is not honoured is one line for each unit, and the sandboxes of all units are one line": (
        ("a: ExecStart=/bin/true | CPUQuota=5% | PrivateTmp=yes | ProtectHome=yes | CPUQuota=6% | PAMName=x\n"
        "b: ExecStart=/bin/true | PrivateTmp=no | PrivateDevices=yes\nc: ExecStart=/bin/true"), "a b c", [], 0,
        {r"warning: Unit a.service: (.*)":
            ["the embedded overlord does not honour CPUQuota= (line 4), PAMName= (line 8)"],
         r"warning: No sandbox for (.*)":
            ["a.service, b.service: the embedded overlord does not honour PrivateDevices= PrivateTmp= ProtectHome="]},
    ),
    "MAINPID= of a foreign process is refused": (
        "a: ExecStart={says} MAINPID=1,MAINPID=999999999,MAINPID=x,READY=1 | Type=notify", "a", [], 0,
        {"a.service: MAINPID=1 is none of its processes": 1},
    ),
    "ERRNO= is shown with the failure": (
        "a: ExecStart={says} READY=1,ERRNO=28 exit7 | Type=notify", "a", [], 1,
        {"exited with status 7: No space left on device": ...},
    ),
    "WATCHDOG=trigger and WATCHDOG_USEC= are obeyed": (
        ("trigger: ExecStart={says} READY=1 WATCHDOG=trigger sleep1000 | Type=notify | WatchdogSec=1000\n"
        "change: ExecStart={says} READY=1,WATCHDOG_USEC=50000 sleep1000 | Type=notify | WatchdogSec=1000"),
        "trigger change", [], 1,
        {"was killed by signal 6 (SIGABRT): the watchdog ran out": ..., "no ping for 50 ms": ...,
         "failed: the watchdog ran out": 2},
    ),
    "a required unit that fails keeps its dependent down": (
        f"needed: {ONCE}=/bin/false\nb: {SLEEP} | Requires=needed.service | After=needed.service", "b", [], 1,
        {"Unit b.service failed: it requires needed.service, which is not up": 1, "b.service is starting": 0},
    ),
    "what runs otherwise than the unit says is said": (
        "a: ExecStart=/bin/true | KillMode=none | Wants=nosuch.service", "a", [], 0,
        {"a.service: no process outlives its unit: runs as KillMode=control-group": 1,
         "a.service wants nosuch.service, which does not exist: skipped": 1},
    ),
    "a program that is not there fails its own unit with 203, and a dash forgives it": (
        ("missing: ExecStart=/none/program | Restart=no\noptional: ExecStart=-/none/program\n"
        "bare: ExecStart=nosuchprogram\ngood: ExecStart=/bin/echo fine"), "missing optional bare good", [], 1,
        {"good     | fine": 1, "exited with status 203": 3, "Unit optional.service failed": 0,
         "Unit missing.service failed: its main process failed: cannot run /none/program: No such file": 1},
    ),
    "a program that is not there is not looked for in a storm": (
        f"a: ExecStart=/none/program | {AGAIN} | StartLimitBurst=0", "a --for=1.5", [], 0,
        {"Unit a.service restarts in 1": ..., "a.service is starting as process": range(1, 3)},
    ),
    "an earlier unit may make the program": (
        (f"maker: {ONCE}=/bin/ln -s /bin/echo {{place}}/program\n"
        "user: ExecStart={place}/program made | Requires=maker.service | After=maker.service"), "user", [], 0,
        {"user     | made": 1},
    ),
    "a cycle is broken and named": (
        ("all.target: Wants=a.service b.service\na: ExecStart=/bin/true | After=b.service\n"
        "b: ExecStart=/bin/true | After=a.service"), "all.target", [], 0,
        {"ordering cycle: a.service after b.service after a.service: b.service is left out": 1,
         "a.service is starting as process": 1, "b.service is starting as process": 0},
    ),
    "the barrier of systemd-notify is not mentioned": (
        "a: ExecStart=/bin/sh -c '{says} BARRIER=1; exec sleep 1000' | NotifyAccess=main", "a --for=1", [], 0,
        {"takes no notification": 0},
    ),
    "what is wanted but wrong is left out": (
        f"all.target: Wants=bad.service good.service\nbad: {SLEEP} | Restart=maybe\ngood: ExecStart=/bin/true",
        "all.target", [], 0,
        {"all.target wants bad.service, which cannot be run: ": 1, "good.service is starting as process": 1},
    ),
    "each command of a start has its own start timeout, as systemd 252 counts": (
        ("u: Type=oneshot | TimeoutStartSec=1 | ExecStartPre=/bin/sleep 0.6 | ExecStartPre=/bin/sleep 0.6"
        " | ExecStart=/bin/true"), "u", [], 0, {},
    ),
    "a stop-post runs before each restart": (
        f"u: Restart=on-failure | StartLimitBurst=2 | RestartSec=0 | ExecStart=/bin/false | {POST}", "u", [], 1,
        {"POST exit-code [exited] [1]": 2},
    ),
    "what a stop-post leaves behind is ended too": (
        "u: ExecStart=/bin/true | ExecStopPost=/bin/sh -c 'setsid sleep 1000 &'", "u", [], 0, {},
    ),
    "a daemon that ends before it writes its PID file broke the protocol": (
        f"d: {FORKING} | ExecStart=/bin/true | {POST}", "d", [], 1,
        {"d.service failed: it ended before it was ready": 1, "POST protocol [] []": 1},
    ),
    "a daemon that dies before its start-post is through is not waited for": (
        f"d: {FORKING} | {DAEMON} | ExecStartPost=/bin/sh -c 'kill -9 $$MAINPID; sleep 0.3' | {POST}", "d", [], 1,
        {"d.service failed: its main process was killed": 1, "POST signal [killed] [KILL]": 1},
    ),
    "a daemon whose ExecStart= fails is not waited for": (
        f"d: {FORKING} | ExecStart=/bin/sh -c 'sleep 1000 & exit 4' | {POST}", "d", [], 1,
        {"d.service failed: a command of ExecStart= failed": 1},
    ),
    "a skipped unit is no failure and says why, and who requires it goes on": (
        f"a: ExecStart=/bin/echo never | ConditionPathExists=/nowhere\nb: {ONCE}=/bin/echo ran | {WITH_A}", "b", [], 0,
        {r"Unit (.*) is skipped: (.*)": [("a.service", "ConditionPathExists=/nowhere is not met")],
         r"\| (ran|never)": ["ran"]},
    ),
    "who is bound to a skipped unit and comes after it fails": (
        ("a: ExecStart=/bin/true | ConditionPathExists=/nowhere\n"
        "b: ExecStart=/bin/echo never | BindsTo=a.service | After=a.service"), "b", [], 1,
        {r"Unit b.service failed: (.*)": ["it requires a.service, which is not up"]},
    ),
    "a failed assertion is a failure": (
        f"a: ExecStart=/bin/echo never | AssertPathExists=/nowhere\nb: {ONCE}=/bin/echo never | {WITH_A}", "b", [], 1,
        {r"failed: (.*)": ["AssertPathExists=/nowhere is not met", "it requires a.service, which is not up"],
         "never": 0},
    ),
    "a condition is looked at when its unit starts": (
        (f"maker: {ONCE}=/bin/touch {{place}}/made | Before=user.service\n"
        f"user: {ONCE}=/bin/echo ran | ConditionPathExists={{place}}/made"), "maker user", [], 0,
        {r"\| (ran)": ["ran"]},
    ),
    "a condition that fails before a restart ends the unit": (
        f"a: ExecStart=/bin/sh -c 'touch {{place}}/flag; exit 1' | {AGAIN} | ConditionPathExists=!{{place}}/flag",
        "a", [], 0,
        {"a.service is starting as process": 1,
         "Unit a.service is skipped: ConditionPathExists=!{place}/flag is not met": 1},
    ),
    "a target may have conditions, on which what it wants does not depend": (
        "t.target: Wants=a.service | ConditionUser=!0 | ConditionHost=nowhere\na: ExecStart=/bin/echo ran",
        "t.target", [], 0, {"Unit t.target is skipped": 1, r"\| (ran)": ["ran"]},
    ),
    "what fails for good starts what it names, which is told of the end": (
        ("a: ExecStart=/bin/sh -c 'exit 7' | Restart=on-abort | OnFailure=tell@%n.service | OnSuccess=never.service\n"
        f"tell@: {TELL} | Type=oneshot\nnever: ExecStart=/bin/true"), "a", [], 1,
        {r"\| told (.*)": ["a.service exit-code exited 7"],
         r"Unit (\S+) starts: (.*)": [("tell@a.service.service", "OnFailure=, because of a.service")]},
    ),
    "what restarts has not failed yet": (
        ("a: ExecStart=/bin/false | Restart=on-failure | RestartSec=0 | StartLimitBurst=3 | OnFailure=tell.service\n"
        f"tell: {TELL} | Type=oneshot"), "a", [], 1,
        {r"\| told a\.service (\S+)": ["start-limit-hit"], "a.service is starting as process": 3},
    ),
    "what ends well starts what it names": (
        (f"a: {ONCE}=/bin/true | OnSuccess=tell.service | OnFailure=never.service\nnever: ExecStart=/bin/true\n"
        f"tell: {TELL} | Type=oneshot | Wants=more.service\nmore: ExecStart=/bin/echo more"), "a", [], 0,
        {r"\| told (.*)": ["a.service success exited 0"], r"\| (more)": ["more"], "never.service is starting": 0},
    ),
    "a failed dependency is a failure to a handler too": (
        ("a: ExecStart=/bin/true | Requires=b.service | After=b.service | OnFailure=tell.service\n"
        f"b: {ONCE}=/bin/false\ntell: {TELL} | Type=oneshot"), "a", [], 1, {r"\| told (.*)": ["a.service dependency"]},
    ),
    "a start limit ends upholding": (
        "t.target: Upholds=a.service\na: ExecStart=/bin/false | StartLimitBurst=3", "t.target", [], 1,
        {"a.service is starting as process": 3},
    ),
    "a requisite is not started": (
        f"a: ExecStart=/bin/true | Requisite=b.service | OnFailure=c.service\nb: {SLEEP}\nc: ExecStart=/bin/echo c",
        "a", [], 1, {r"Unit a\.service failed: (.*)": ["it requires b.service, which is not up"]},
    ),
    "a stop goes on to what is named": (
        (f"a: ExecStart=/bin/sleep 0.3 | PropagatesStopTo=b.service\nb: {SLEEP}\n"
        f"c: {SLEEP} | StopPropagatedFrom=b.service"), "a b c", [], 0, {".service is stopped": 3},
    ),
    "what nobody needs any more stops": (
        f"a: ExecStart=/bin/sleep 0.3 | Wants=b.service\nb: {SLEEP} | StopWhenUnneeded=yes", "a", [], 0,
        {r"Unit (.*) stops: StopWhenUnneeded=": ["b.service"]},
    ),
    "a unit that is for others only cannot be asked for": (
        "a: ExecStart=/bin/true | RefuseManualStart=yes", "a", [], 2,
        {"a.service is started by other units only (RefuseManualStart=yes)": 1},
    ),
    "and starts for others": (
        "a: ExecStart=/bin/true | RefuseManualStart=yes\nb: ExecStart=/bin/true | Wants=a.service", "b", [], 0,
        {"a.service is starting as process": 1},
    ),
}  # fmt: skip


@told(ENDING)
def test_a_unit_that_ends(place, text, words, steps, status, said):
    check(place, text, words, steps, status, said)


#: The same of units that something happens to.
LIVING = {
    "SIGTERM that is ignored is followed by SIGKILL after TimeoutStopSec=": (
        f"a: ExecStart=/bin/sh -c '{DEAF}' | TimeoutStopSec=100ms", "a", [wait(r"a +\| deaf"), stop], 0,
        {"killed by signal 9 (SIGKILL): it did not end within 100 ms (TimeoutStopSec=)": 1},
    ),
    "a second Ctrl-C kills at once": (
        f"a: ExecStart=/bin/sh -c '{DEAF}' | TimeoutStopSec=1000", "a",
        [wait(r"a +\| deaf"), interrupt, wait("is stopping"), interrupt], 0, {"ending at once": 1},
    ),
    "and runs no more commands": (
        f"u: {SLEEP} | ExecStop=/bin/sh -c 'echo stopping; sleep 1000' | {POST}", "u",
        [wait("Unit u.service is ready"), interrupt, wait(r"\| stopping"), interrupt], 0, {"POST": 0},
    ),
    "KillMode=mixed kills the rest at once": (
        f"a: ExecStart=/bin/sh -c '({DEAF}) & wait' | KillMode=mixed | TimeoutStopSec=1000", "a",
        [wait(r"a +\| deaf"), stop], 0, {},
    ),
    "a service of type exec is ready when its program runs": (
        f"a: {SLEEP} | Type=exec", "a", [wait("Unit a.service is ready"), stop], 0, {},
    ),
    "a service of type exec that ends at once was up and remains": (
        "\n".join(f"e{number}: ExecStart=/bin/true | Type=exec | RemainAfterExit=yes" for number in range(8)),
        "e0 e1 e2 e3 e4 e5 e6 e7", [wait(r"e\d.service: process .* exited with status 0", 8), stop], 0,
        {"is ready": 8, "is stopping": 8},
    ),
    "a oneshot that succeeded lets its dependents start, and a unit that remains keeps the overlord": (
        (f"once: {ONCE}=/bin/echo once\nkept: {ONCE}=/bin/true | RemainAfterExit=yes\n"
        "b: ExecStart=/bin/echo then | Requires=once.service kept.service | After=once.service kept.service"), "b",
        [wait("Unit b.service is stopped"), stop], 0,
        {r"(?m)\| (once|then)$": ["once", "then"], "Overlord stopped: SIGTERM": 1},
    ),
    "the notifications of others than the main process need NotifyAccess=all": (
        ("main: ExecStart=/bin/sh -c '{says} READY=1,STATUS=child sleep1000 & wait' | Type=notify\n"
        "all: ExecStart=/bin/sh -c '{says} READY=1,STATUS=child sleep1000 & wait' | Type=notify | NotifyAccess=all"),
        "main all",
        [wait("Unit all.service is ready"),
         wait(r"main.service: the overlord takes no notification from process \d+ \(NotifyAccess=\)"), stop], 0,
        {"Unit main.service is ready": 0},
    ),
    "another process may be the one that gets ready": (
        ("a: ExecStart=/bin/sh -c '{says} sleep0.2 READY=1 sleep1000 & exit 0' | Type=notify | NotifyAccess=all"
        " | RemainAfterExit=yes\n"
        "b: ExecStart=/bin/true | Type=notify | NotifyAccess=all | RemainAfterExit=yes"), "a b",
        [wait("Unit a.service is ready"), wait("Unit b.service failed: it ended before it was ready"), stop], 0, {},
    ),
    "what requires a skipped unit starts": (
        f"a: ExecCondition=/bin/false | {SLEEP}\nb: {SLEEP} | {WITH_A}", "b",
        [wait("Unit b.service is ready"), stop], 0, {"Unit a.service is skipped": 1},
    ),
    "a unit is up for others when its start-post is through": (
        f"a: {SLEEP} | ExecStartPost=/bin/sh -c 'sleep 0.3; echo through'\nb: ExecStart=/bin/echo b | {WITH_A}", "b",
        [wait("b        . b"), stop], 0, {r"[ab]        \| (\w+)": ["through", "b"]},
    ),
    "a command may speak for its unit with NotifyAccess=exec": (
        f"a: NotifyAccess=exec | ExecStartPre={{says}} STATUS=from_pre | {SLEEP}", "a",
        [wait("a.service is ready"), lambda overlord: overlord.send(10),
         wait("a.service: active, process .*, from_pre"), stop], 0, {},
    ),
    "a program of type idle does not wait for ever": (
        f"idle: Type=idle | ExecStart=/bin/echo idle\nslow: {ONCE}=/bin/sleep 1000", "idle slow",
        [wait("idle     . idle"), stop], 0, {},
    ),
    "a handler that does not exist is noted, and nothing starts while all stops": (
        f"a: {SLEEP} | OnFailure=none.service | OnSuccess=late.service\nlate: ExecStart=/bin/true", "a",
        [wait("Unit a.service is ready"), stop], 0,
        {"a.service has in OnFailure= or OnSuccess= none.service, which does not exist: skipped": 1,
         "late.service is starting": 0},
    ),
    "a requisite that is up already is enough": (
        f"a: ExecStart=/bin/echo ran | Requisite=b.service | After=b.service\nb: {SLEEP}", "a b",
        [wait(r"\| ran"), stop], 0, {},
    ),
    "a unit that starts stops first what it is in conflict with, whoever of the two says so": (
        (f"a: {SLEEP}\nb: {ONCE}=/bin/false | After=a.service | OnFailure=c.service\n"
        f"c: {SLEEP} | Conflicts=a.service"), "a b", [wait(r"Unit c\.service is ready"), stop], 0,
        {r"Unit (a\.service stops: Conflicts=, because of c\.service|a\.service is stopped|c\.service is starting)":
            ["a.service stops: Conflicts=, because of c.service", "a.service is stopped", "c.service is starting"]},
    ),
    "what is upheld is started whenever it rests": (
        ("t.target: Upholds=a.service\n"
        "a: ExecStart=/bin/sh -c 'echo >> {place}/n; [ $(wc -l < {place}/n) -gt 2 ] && exec sleep 1000'"), "t.target",
        [wait(r"Unit a\.service is starting", 3), stop], 0,
        {r"Unit a\.service starts: (.*)": ["Upholds=, because of t.target"] * 2},
    ),
    "a restart takes along what requires the unit, and leaves what only wants it": (
        (f"a: {SLEEP} | {AGAIN}\nbound: {SLEEP} | BindsTo=a.service | After=a.service\n"
        f"wanting: {SLEEP} | Wants=a.service | After=a.service"), "bound wanting",
        [wait("is ready", 3), kill("a"), wait("Unit bound.service is ready", 2), stop], 0,
        {"a.service is starting as process": 2, "wanting.service is starting as process": 1},
    ),
    "what is taken along takes along its own, and they stop in reverse order": (
        (f"a: {SLEEP} | Restart=always | RestartSec=0.5\nb: {SLEEP} | {WITH_A}\n"
        "c: ExecStart=/bin/sh -c 'trap \"sleep 0.2; exit 0\" TERM; echo up; while :; do sleep 0.01; done'"
        " | Requires=b.service | After=b.service"), "c",
        [wait(r"c +\| up"), kill("a"), wait("Unit c.service is ready", 2), wait(r"c +\| up", 2), stop], 0,
        {r"Unit (\w)\.service is (?:stopping|stopped)": list("ccbbccbbaa"),
         r"Unit (\w)\.service is ready": list("abcabc")},
    ),
    "a restart comes after what the unit requires is up again": (
        f"a: {SLEEP} | Restart=always | RestartSec=1\nb: {SLEEP} | Restart=always | RestartSec=0.3 | {WITH_A}", "b",
        [wait("is ready", 2), kill("b"), wait("Unit b.service restarts"), kill("a"),
         wait("Unit b.service is ready", 2), stop], 0, {r"Unit (\w)\.service is ready": list("abab")},
    ),
    "a start waits until what comes after the unit has stopped": (
        (f"a: {SLEEP} | {AGAIN}\n"
        "b: ExecStart=/bin/sh -c 'trap \"sleep 0.3; exit 0\" TERM; echo up; while :; do sleep 0.01; done'"
        f" | {WITH_A}"), "b", [wait(r"b +\| up"), kill("a"), wait(r"b +\| up", 2), stop], 0,
        {r"Unit (a.service is starting|b.service is stopped)":
            ["a.service is starting", "b.service is stopped", "a.service is starting", "b.service is stopped"]},
    ),
    "a unit that has begun to end is not brought back by a restart": (
        f"a: {SLEEP} | {AGAIN}\nb: ExecStart=/bin/sh -c '({DEAF}) & sleep 0.3; exit 1' | TimeoutStopSec=1 | {WITH_A}",
        "b",
        [wait(r"b.service: process \d+ exited with status 1"), kill("a"), wait("Unit a.service is ready", 2),
         wait("Unit b.service failed"), stop], 0, {"b.service is starting as process": 1},
    ),
    "a restart leaves a dependent alone that rests": (
        f"a: {SLEEP} | {AGAIN}\nb: ExecStart=/bin/true | {WITH_A}", "b",
        [wait("Unit b.service is stopped"), kill("a"), wait("Unit a.service is ready", 2), stop], 0,
        {"b.service is starting as process": 1},
    ),
    "what goes with a bound unit stops before it": (
        (f"a: {SLEEP}\nb: {SLEEP} | BindsTo=a.service | After=a.service\n"
        f"c: {SLEEP} | Requires=b.service | After=b.service"), "c", [wait("is ready", 3), kill("a")], 1,
        {r"Unit (\w)\.service is (?:stopping|stopped)": list("ccbb")},
    ),
    "a unit that is bound stops with the one that it is bound to": (
        f"a: {SLEEP}\nbound: {SLEEP} | BindsTo=a.service | After=a.service", "bound",
        [wait("is ready", 2), kill("a")], 1, {"Unit bound.service is stopped": 1},
    ),
}  # fmt: skip


@told(LIVING)
def test_a_unit_that_lives(place, text, words, steps, status, said):
    check(place, text, words, steps, status, said)
