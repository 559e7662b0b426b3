"""What is drilled: a unit as its manager says it stands now, under one set of names for both managers. Pure."""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.observe.shown import FOREVER
from hafta.observe.sources.systemd import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Who goes down with a unit, under systemd's names.
DEPENDENTS = ("RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "UpheldBy")
SPANS = (
    "WatchdogUSec", "TimeoutStartUSec", "TimeoutAbortUSec", "RestartUSec", "StartLimitIntervalUSec",
)  # fmt: skip
NAMES = (
    "Id", "Names", "LoadState", "ActiveState", "SubState", "MainPID", "InvocationID", "Restart", "StartLimitBurst",
    "FragmentPath", "DropInPaths", "CPUQuotaPerSecUSec", *SPANS, *DEPENDENTS,
)  # fmt: skip
MARGIN = 10.0  # seconds, besides what the unit's own settings allow
LONGEST = 120.0  # seconds that one of these counts at most
UP = ("active", "reloading", "refreshing")


class Subject(Frozen):
    """A unit. Spans are in seconds; 0: there is none."""

    unit: str
    state: str  # ActiveState
    pid: int  # its main process; 0: none
    run: str
    restart: str  # Restart=
    watchdog: float
    interval: float  # of the start limit
    burst: int
    patience: float  # how long it may take from its end until it is ready again
    dependents: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    quota: str = ""  # CPUQuotaPerSecUSec

    @property
    def is_up(self) -> bool:
        """Whether it is up, with a process that can be drilled."""
        return self.state in UP and self.pid > 0

    @property
    def is_at_rest(self) -> bool:
        """Whether nobody starts it again."""
        return self.state in {"inactive", "failed"}


def subject_of(facts: Mapping[str, Any]) -> Subject:
    """Return it from what systemctl prints, or what the embedded overlord says."""
    spans = {name: seconds(facts.get(name)) for name in SPANS}
    waits = (spans["TimeoutStartUSec"], spans["TimeoutAbortUSec"], spans["RestartUSec"])
    return Subject(
        str(facts.get("Id", "")),
        str(facts.get("ActiveState", "")),
        int(facts.get("MainPID") or 0),
        str(facts.get("InvocationID") or ""),
        str(facts.get("Restart", "")),
        0.0 if spans["WatchdogUSec"] == float("inf") else spans["WatchdogUSec"],
        spans["StartLimitIntervalUSec"],
        int(facts.get("StartLimitBurst") or 0),
        MARGIN + sum(min(each, LONGEST) for each in waits),
        tuple(name for kind in DEPENDENTS for name in words(facts.get(kind))),
        tuple(words(facts.get("Names"))),
        tuple(filter(None, (str(facts.get("FragmentPath") or ""), *words(facts.get("DropInPaths"))))),
        str(facts.get("CPUQuotaPerSecUSec") or ""),
    )


def words(value: Any) -> list[str]:
    """Return a list of names, which systemctl prints as one line."""
    return value.split() if isinstance(value, str) else [str(each) for each in value or ()]


def seconds(value: Any) -> float:
    """Return a span: text of systemctl, or microseconds."""
    usec = span(value) if isinstance(value, str) else value
    if usec is None:
        return 0.0
    return float("inf") if usec >= FOREVER else usec / 1e6
