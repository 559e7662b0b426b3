"""Rules of restarts: HC009 to HC015."""

from __future__ import annotations

from hafta import exits
from hafta.check.rule import ERROR, NOTE, WARNING, rule
from hafta.service.holdoff import CAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.check.rule import Spot
    from hafta.check.unit import Merged

STEPS = 254  # the first release of systemd that has RestartSteps=
BURST, INTERVAL = 5, 10.0  # systemd's DefaultStartLimitBurst= and DefaultStartLimitIntervalSec=
DELAY = 0.1  # and its DefaultRestartSec=
SLACK = 0.25  # seconds by which systemd may set off a timer later
LIMITS = ("StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst")


def _has_limit(unit: Merged) -> bool:
    return any(unit.last(name, section) for name in LIMITS for section in ("Unit", "Service"))


def _restarts(unit: Merged) -> bool:
    return unit.is_kept_up and unit.value("Restart", "no") != "no"


@rule(
    "HC009", ERROR, "RestartSec=0 with the default limit of starts",
    reason="The default limit is 5 starts in 10 s. With RestartSec=0 a minute of trouble uses that up in a second, and"
    " the unit is down for good. RestartSec=0 is right for what holds itself back; then the limit has to be higher.",
    cure="set StartLimitIntervalSec=10 and StartLimitBurst=40 in [Unit] for a service of HAFTA; RestartSec=1 and"
    " StartLimitIntervalSec=0 for others",
    bad="[Unit]\n# no StartLimitIntervalSec=\n# no StartLimitBurst=\n[Service]\nRestartSec=0",
    good="[Unit]\nStartLimitIntervalSec=10\nStartLimitBurst=40\n[Service]\nRestartSec=0",
)  # fmt: skip
def at_once(unit: Merged) -> Iterator[Spot]:
    """Find a unit that is given up after five bad starts in a row."""
    if _restarts(unit) and unit.value("RestartSec", DELAY) == 0 and not _has_limit(unit):
        text = f"RestartSec=0 with the default limit: {BURST} starts in {INTERVAL:g} s, then down for good"
        yield unit.spot(text, "RestartSec")


@rule(
    "HC010", WARNING, "the default limit of starts can be met",
    reason="If a start and the wait for it take less than 2 s together, five crashes in a row meet the default limit"
    " of 5 starts in 10 s. Then the unit is not started again, also when what made it crash has passed.",
    cure="set StartLimitIntervalSec=0 in [Unit], or RestartSec=2 or more",
    bad="[Unit]\n# no StartLimitIntervalSec=\n# no StartLimitBurst=\n[Service]\nExecStart=/usr/bin/feed\n"
    "RestartSec=500ms",
    good="[Unit]\nStartLimitIntervalSec=0\n# no StartLimitBurst=\n[Service]\nExecStart=/usr/bin/feed\n"
    "RestartSec=1",
)  # fmt: skip
def default_limit(unit: Merged) -> Iterator[Spot]:
    """Find a unit that a minute of trouble leaves down."""
    delay = unit.value("RestartSec", DELAY)
    if _restarts(unit) and 0 < delay < INTERVAL / BURST and not _has_limit(unit):
        text = f"restarts after {delay:g} s meet the default limit of {BURST} starts in {INTERVAL:g} s"
        yield unit.spot(text, "RestartSec", "Restart")


@rule(
    "HC011", WARNING, "not every end is followed by a restart",
    reason="A service that is to stay up has ends that nobody thought of: status 0 because its input ended, a signal"
    " from somebody. Only Restart=always covers all. A stop by systemctl stays a stop with it.",
    cure="set Restart=always",
    bad="Restart=on-failure", good="Restart=always",
)  # fmt: skip
def restarts(unit: Merged) -> Iterator[Spot]:
    """Find a service of ours, or one with a watchdog, that may stay down."""
    word = unit.value("Restart", "no")
    if unit.is_kept_up and unit.type != "dbus" and word != "always" and (unit.is_ours or unit.watchdog):
        after = "nobody restarts it" if word == "no" else "other ends leave it down"
        yield unit.spot(f"Restart={word}: {after}", "Restart", "ExecStart")


@rule(
    "HC012", NOTE, "a service that holds itself back waits twice",
    reason="A service of HAFTA counts its crashes and waits by itself, the first five times not at all. RestartSec= is"
    f" added to each restart, and systemd may add up to {SLACK * 1000:g} ms to any value but 0.",
    cure="set RestartSec=0, together with StartLimitIntervalSec=10 and StartLimitBurst=40 in [Unit]",
    bad="RestartSec=100ms", good="RestartSec=0",
)  # fmt: skip
def slack(unit: Merged) -> Iterator[Spot]:
    """Find a delay that is not needed."""
    delay = unit.value("RestartSec", DELAY)
    if unit.is_ours and _restarts(unit) and delay > 0:
        text = f"restarts take {delay:g} to {delay + SLACK:g} s longer than with RestartSec=0"
        yield unit.spot(text, "RestartSec", "Restart")


@rule(
    "HC013", WARNING, "a restart delay that grows is unknown to this release of systemd",
    reason="RestartSteps= and RestartMaxDelaySec= came with systemd 254. An older one ignores them: each restart waits"
    " RestartSec=.",
    cure="let the service hold itself back (hafta.service, hafta guard), or set one RestartSec= that fits",
    bad="RestartSteps=5\nRestartMaxDelaySec=10", good="# no RestartSteps=",
)  # fmt: skip
def steps(unit: Merged) -> Iterator[Spot]:
    """Find a directive that the release does not have."""
    name = next((name for name in ("RestartSteps", "RestartMaxDelaySec") if unit.last(name)), "")
    if name and unit.seen.systemd < STEPS:
        yield unit.spot(f"{name}= is ignored by systemd {unit.seen.systemd}", name)


@rule(
    "HC014", WARNING, "a wrong setting is tried again for ever",
    reason="Status 2 of a service of HAFTA is a wrong option or setting. A restart cannot correct it, and hides it.",
    cure="set RestartPreventExitStatus=2",
    bad="# no RestartPreventExitStatus=", good="RestartPreventExitStatus=2",
)  # fmt: skip
def wrong_settings(unit: Merged) -> Iterator[Spot]:
    """Find a service that is restarted for what only a person can correct."""
    prevented = {status for each in unit.each("RestartPreventExitStatus") for status in each.codes}
    if unit.is_body and _restarts(unit) and exits.USAGE not in prevented:
        yield unit.spot("a wrong setting (status 2) is followed by restarts", "RestartPreventExitStatus", "Restart")


@rule(
    "HC015", WARNING, "a start has less time than the hold-off takes",
    reason=f"After many crashes a service of HAFTA waits up to {CAP:g} s inside of its start. It asks systemd for that"
    " time, but on a busy machine it may come to ask too late, and then the start counts as failed.",
    cure="set TimeoutStartSec=10 or more",
    bad="TimeoutStartSec=3", good="TimeoutStartSec=10",
)  # fmt: skip
def short_start(unit: Merged) -> Iterator[Spot]:
    """Find a short start."""
    timeout = unit.value("TimeoutStartSec", unit.value("TimeoutSec", 90.0))
    if unit.is_ours and timeout < CAP:
        text = f"TimeoutStartSec={timeout:g}, and a hold-off takes up to {CAP:g} s"
        yield unit.spot(text, "TimeoutStartSec", "TimeoutSec")


RESTART = (at_once, default_limit, restarts, slack, steps, wrong_settings, short_start)
