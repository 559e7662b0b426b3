"""Rules of starting, notifications and the watchdog: HC001 to HC008."""

from __future__ import annotations

import os
import re
import signal

from hafta.check.rule import ERROR, WARNING, at, rule
from hafta.guard.arithmetic import watchdog_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.check.rule import Spot
    from hafta.check.unit import Merged

NOTIFY = frozenset(("notify", "notify-reload"))
#: Types that wait for nothing; a fork, or a name on the bus, says that a program is ready.
UNREADY = frozenset(("simple", "exec", "idle"))
SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "busybox"))
NOTIFY_RELOAD = 253  # the first release of systemd that has it
SHORTEST = 1.0  # seconds: waits of a service are looked after twice in a second, and pings come at half the period
LONG = 10.0  # seconds for the end of a process that hangs
_SEVERAL = re.compile(r"[;&|\n]+")


@rule(
    "HC001", ERROR, "a shell stands between systemd and the program",
    reason="With NotifyAccess=main, systemd hears only the main process, and that is the shell. READY and WATCHDOG of"
    " the program below it are ignored: the start times out.",
    cure="begin the last command of the shell with exec, or name the program itself",
    bad="Type=notify\nExecStart=/bin/sh -c 'umask 027; /usr/bin/python3 -m hafta.service feed:feed'",
    good="Type=notify\nExecStart=/bin/sh -c 'umask 027; exec /usr/bin/python3 -m hafta.service feed:feed'",
)  # fmt: skip
def shell(unit: Merged) -> Iterator[Spot]:
    """Find a shell that stays."""
    words = unit.words
    if unit.type not in NOTIFY or not words or os.path.basename(words[0]) not in SHELLS:
        return
    script = next((words[at_ + 1] for at_ in range(len(words) - 1) if re.fullmatch("-[a-z]*c", words[at_])), "")
    parts = [part.strip() for part in _SEVERAL.split(script) if part.strip()]
    if len(parts) > 1 and not parts[-1].startswith("exec ") and unit.value("NotifyAccess", "main") in {"main", "none"}:
        yield unit.spot(f"a shell is the main process: READY of `{parts[-1]}` is ignored", "ExecStart")


@rule(
    "HC002", WARNING, "every process of the unit may feed its watchdog",
    reason="With NotifyAccess=all a child can say READY and WATCHDOG while the main process hangs, and then nobody"
    " notices. It may also name another main process.",
    cure="leave NotifyAccess= out: the main process alone speaks for the unit",
    bad="NotifyAccess=all", good="NotifyAccess=main",
)  # fmt: skip
def notify_access(unit: Merged) -> Iterator[Spot]:
    """Find a watchdog that anybody feeds."""
    if unit.value("NotifyAccess") == "all" and (unit.watchdog or unit.is_ours):
        yield unit.spot("NotifyAccess=all: a child can feed the watchdog while the main process hangs", "NotifyAccess")


@rule(
    "HC003", ERROR, "Type=notify-reload is unknown to this release of systemd",
    reason="Before systemd 253 the line is ignored, and the unit is of Type=simple: it counts as started before it is,"
    " and no READY is waited for.",
    cure="use Type=notify and ExecReload=/bin/kill -HUP $MAINPID",
    bad="Type=notify-reload", good="Type=notify\nExecReload=/bin/kill -HUP $MAINPID",
)  # fmt: skip
def notify_reload(unit: Merged) -> Iterator[Spot]:
    """Find a type that the release does not have."""
    if unit.value("Type") == "notify-reload" and unit.seen.systemd < NOTIFY_RELOAD:
        text = f"Type=notify-reload is ignored by systemd {unit.seen.systemd}, which takes Type=simple"
        yield unit.spot(text, "Type")


@rule(
    "HC004", WARNING, "a watchdog without READY",
    reason="A program that pings can say READY, too. Without Type=notify the unit counts as started at once, units"
    " that are ordered after it start too early, and the watchdog runs before the program can feed it.",
    cure="set Type=notify, if the program says READY; else take WatchdogSec= out, or put hafta guard around it",
    bad="Type=exec\nWatchdogSec=10", good="Type=notify\nWatchdogSec=10",
)  # fmt: skip
def watchdog_without_notify(unit: Merged) -> Iterator[Spot]:
    """Find a watchdog of a type that waits for no READY."""
    if unit.watchdog and unit.type in UNREADY:
        yield unit.spot(f"WatchdogSec={unit.watchdog:g} with Type={unit.type}, which waits for no READY", "WatchdogSec")


@rule(
    "HC005", ERROR, "the watchdog is shorter than the work that feeds it",
    reason="A ping follows the work. If a healthy step can take as long as WatchdogSec=, a healthy service is killed."
    " A guard pings after a round of probes, and allows --failures of them; a service of HAFTA looks twice in a second"
    " whether a ping is due.",
    cure="set WatchdogSec= to at least twice the longest step; hafta unit writes what goes with a guard",
    bad="ExecStart=/usr/bin/hafta guard --interval=5 --failures=3 -- /usr/bin/true\nWatchdogSec=20",
    good="ExecStart=/usr/bin/hafta guard --interval=5 --failures=3 -- /usr/bin/true\nWatchdogSec=40",
)  # fmt: skip
def short_watchdog(unit: Merged) -> Iterator[Spot]:
    """Find a watchdog that kills what is healthy."""
    if not unit.watchdog:
        return
    guard = unit.guard
    least = float(watchdog_for(guard.interval, guard.timeout, guard.failures)) if guard else SHORTEST
    if unit.is_ours and unit.watchdog < least:
        yield unit.spot(f"WatchdogSec={unit.watchdog:g}, and what feeds it needs {least:g} s", "WatchdogSec")


@rule(
    "HC006", WARNING, "a process that hangs is given long to end",
    reason="A process that missed its watchdog gets SIGABRT. If it hangs so that it does not end of that, SIGKILL comes"
    " after TimeoutAbortSec=, which is TimeoutStopSec= if it is not set (90 s by default). It is down all that time.",
    cure="set TimeoutAbortSec=1, or what writing the stacks needs",
    bad="WatchdogSec=10\n# no TimeoutAbortSec=\nTimeoutStopSec=60", good="WatchdogSec=10\nTimeoutAbortSec=1",
)  # fmt: skip
def long_abort(unit: Merged) -> Iterator[Spot]:
    """Find a long way from SIGABRT to SIGKILL."""
    stop = unit.value("TimeoutStopSec", unit.value("TimeoutSec", 90.0))
    abort = unit.value("TimeoutAbortSec", stop)
    if unit.watchdog and abort > max(LONG, unit.watchdog):
        what = f"a hang is noticed within {unit.watchdog:g} s, and its end may take {abort:g} s more"
        yield unit.spot(what, "TimeoutAbortSec", "TimeoutStopSec", "TimeoutSec", "WatchdogSec")


@rule(
    "HC007", WARNING, "the watchdog does not end with SIGABRT",
    reason="At SIGABRT a service of HAFTA writes where each thread stands; another signal leaves nothing to find the"
    " cause by. After SIGTERM, which asks for a stop, a program may also end with status 0, as if all were well.",
    cure="leave WatchdogSignal= out",
    bad="WatchdogSec=10\nWatchdogSignal=SIGKILL", good="WatchdogSec=10",
)  # fmt: skip
def watchdog_signal(unit: Merged) -> Iterator[Spot]:
    """Find another signal."""
    entry = unit.last("WatchdogSignal")
    if entry and unit.watchdog and unit.value("WatchdogSignal", signal.SIGABRT) != signal.SIGABRT:
        yield at(entry, f"WatchdogSignal={entry.value}: nothing shows where it hung")


@rule(
    "HC008", WARNING, "a hang may write all its memory into a core file",
    reason="SIGABRT makes a core file of the whole process, which takes time and memory. With MemoryMax= that memory"
    " counts for the unit, so that the end of a hang runs into the limit.",
    cure="set LimitCORE=0: the stacks of Python are in the journal without it",
    bad="MemoryMax=64M\n# no LimitCORE=", good="MemoryMax=64M\nLimitCORE=0",
)  # fmt: skip
def core_files(unit: Merged) -> Iterator[Spot]:
    """Find a limit of memory, and none of core files."""
    limit, core = unit.last("MemoryMax"), unit.last("LimitCORE")
    if limit and limit.value != "infinity" and unit.watchdog and (core is None or core.value.split(":")[0] != "0"):
        yield at(limit, f"MemoryMax={limit.value}, and LimitCORE={core.value if core else ''} allows a core file")


START = (
    shell, notify_access, notify_reload, watchdog_without_notify, short_watchdog, long_abort, watchdog_signal,
    core_files,
)  # fmt: skip
