"""Rules of what reaches the journal: HC020 to HC024."""

from __future__ import annotations

from hafta.check.rule import ERROR, WARNING, at, rule
from hafta.units.streams import INFO, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.check.rule import Spot
    from hafta.check.unit import Merged

FEW = 10.0  # lines in a second, below which a limit cuts off what a service says in a storm
BURST, INTERVAL = 10_000, 30.0  # journald's own limit
_JOURNAL = Stream("journal")


@rule(
    "HC020", WARNING, "the unit may fill the journal",
    reason="Without a limit a loop that logs fills the journal, and the oldest entries of all services are removed for"
    " it: those that would have shown the cause. HAFTA sums up its own storms, so the default limit is not met.",
    cure="leave LogRateLimitIntervalSec= and LogRateLimitBurst= out, or set a high burst",
    bad="LogRateLimitIntervalSec=0", good="LogRateLimitIntervalSec=30s\nLogRateLimitBurst=100000",
)  # fmt: skip
def no_rate_limit(unit: Merged) -> Iterator[Spot]:
    """Find a limit that is switched off."""
    for name in ("LogRateLimitIntervalSec", "LogRateLimitBurst"):
        entry = unit.last(name)
        if entry and entry.value.strip("0") in {"", "s", "us", "ms", "min", "h"}:
            yield at(entry, f"{name}={entry.value}: one loop that logs removes the entries of all others")
            return


@rule(
    "HC021", ERROR, "systemd's own entries about the unit are hidden",
    reason="LogLevelMax= counts also for what systemd says of the unit. Its starts and stops are of level info: without"
    " them hafta report cannot say when it was up, and hafta log has holes.",
    cure="set LogLevelMax=info, or leave it out",
    bad="LogLevelMax=notice", good="LogLevelMax=info",
)  # fmt: skip
def hidden(unit: Merged) -> Iterator[Spot]:
    """Find a level below info."""
    entry = unit.last("LogLevelMax")
    if entry and unit.value("LogLevelMax", INFO) < INFO:
        yield at(entry, f"LogLevelMax={entry.value} hides systemd's start and stop entries")


@rule(
    "HC022", WARNING, "events do not reach the journal",
    reason="A service of HAFTA writes events with their fields into the journal if stdout or stderr leads there."
    " Otherwise it prints lines, which hafta log, hafta report and journalctl do not find.",
    cure="leave StandardOutput= and StandardError= out, or lead one of them to the journal",
    bad="StandardOutput=null\nStandardError=null", good="StandardOutput=null\nStandardError=journal",
)  # fmt: skip
def away(unit: Merged) -> Iterator[Spot]:
    """Find both streams somewhere else."""
    output = _stream(unit, "StandardOutput", _JOURNAL)
    error = _stream(unit, "StandardError", output)
    if unit.is_ours and output.kind not in {"journal", ""} and error.kind not in {"journal", ""}:
        yield unit.spot(f"stderr leads to {error.text}: events are lines there, without fields", "StandardError",
                        "StandardOutput")  # fmt: skip


def _stream(unit: Merged, name: str, default: Stream) -> Stream:
    found: Stream = unit.value(name, default)
    return default if found.kind == "inherit" else found


@rule(
    "HC023", WARNING, "the unit has a journal to itself",
    reason="What a unit with LogNamespace= logs is in another journal, and what systemd says about it is in the"
    " system's. hafta status, hafta log and hafta report read the system's alone.",
    cure="leave LogNamespace= out",
    bad="LogNamespace=feed", good="# no LogNamespace=",
)  # fmt: skip
def namespace(unit: Merged) -> Iterator[Spot]:
    """Find a namespace."""
    if entry := unit.last("LogNamespace"):
        yield at(entry, f"LogNamespace={entry.value}: hafta log and hafta report do not read that journal")


@rule(
    "HC024", WARNING, "a storm meets the limit of lines",
    reason="When the limit is met, journald drops all lines of the unit until the interval is over, among them those"
    " that say why it failed. The hole makes rollbacks uncountable.",
    cure=f"allow at least {FEW:g} lines in a second on average; journald's default is {BURST:,} in {INTERVAL:g} s",
    bad="LogRateLimitIntervalSec=30s\nLogRateLimitBurst=50",
    good="LogRateLimitIntervalSec=30s\nLogRateLimitBurst=1000",
)  # fmt: skip
def low_rate(unit: Merged) -> Iterator[Spot]:
    """Find a limit that is easily met."""
    from hafta.units.amounts import seconds

    entry, interval = unit.last("LogRateLimitBurst"), unit.last("LogRateLimitIntervalSec")
    try:
        burst = int(entry.value[:18]) if entry and entry.value.isascii() and entry.value.isdigit() else BURST
        span = seconds(interval.value) if interval else INTERVAL
    except ValueError:
        return
    if 0 < burst < FEW * span < float("inf"):
        text = f"{burst} lines in {span:g} s: a storm is cut off"
        yield unit.spot(text, "LogRateLimitBurst", "LogRateLimitIntervalSec")


JOURNAL = (no_rate_limit, hidden, away, namespace, low_rate)
