"""Condition*= and Assert*= of systemd.unit(5): how they are read, and what a list of them means.

Rules
1. `!` in front of a value turns it round; `|` makes it one of several of which one is enough. `|` comes first.
2. All conditions without `|` must be met, and one of those with `|`, if there are any.
3. What cannot be found out is not met, also behind a `!`.
4. An empty value drops all conditions before it, of whatever kind; an empty assertion all assertions.
5. They are looked at when the unit is to start, not when its file is read: an earlier unit may change the answer.
   Conditions come first. If one is not met, the unit is skipped, and that is not a failure; an assertion is.
"""

from __future__ import annotations

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Their values are paths, which must be absolute.
PATHS = (
    *("PathExists", "PathExistsGlob", "PathIsDirectory", "PathIsSymbolicLink", "PathIsMountPoint", "PathIsReadWrite"),
    *("PathIsEncrypted", "DirectoryNotEmpty", "FileNotEmpty", "FileIsExecutable", "NeedsUpdate"),
)
STRINGS = (
    *("Architecture", "Firmware", "Virtualization", "Host", "KernelCommandLine", "KernelVersion", "Credential"),
    *("Environment", "Security", "Capability", "ACPower", "FirstBoot", "User", "Group", "ControlGroupController"),
    *("Memory", "CPUs", "CPUFeature", "OSRelease", "MemoryPressure", "CPUPressure", "IOPressure"),
)
KINDS = (*PATHS, *STRINGS)


class Condition(Frozen):
    """One line: `kind` is the directive without Condition or Assert in front."""

    kind: str
    parameter: str
    trigger: bool = False
    negate: bool = False

    def __str__(self) -> str:
        return f"{self.kind}={'|' if self.trigger else ''}{'!' if self.negate else ''}{self.parameter}"


class Verdict(Frozen):
    """What conditions and assertions say of a start. `why` is empty where they let it happen."""

    why: str = ""
    is_assert: bool = False


def judge(conditions: Sequence[Condition], asserts: Sequence[Condition]) -> Verdict:
    """Find out now whether a unit may start."""
    if why := unmet(conditions, "Condition"):
        return Verdict(why)
    why = unmet(asserts, "Assert")
    return Verdict(why, is_assert=bool(why))


def unmet(conditions: Sequence[Condition], word: str) -> str:
    """Return in words why conditions are not met; empty if they are (rules 1 to 3)."""
    alternatives = []
    one_is_met = False
    for condition in conditions:
        trouble = _trouble(condition)
        if trouble and not condition.trigger:
            return f"{word}{condition} {trouble}"
        if condition.trigger:
            one_is_met = one_is_met or not trouble
            alternatives.append(f"{word}{condition}")
    if one_is_met or not alternatives:
        return ""
    return f"none of {', '.join(alternatives)} is met" if len(alternatives) > 1 else f"{alternatives[0]} is not met"


def _trouble(condition: Condition) -> str:
    from hafta.units.checks.table import CHECKS

    try:
        found = CHECKS[condition.kind](condition.parameter)
    except (OSError, ValueError, OverflowError) as error:
        return f"cannot be found out: {getattr(error, 'strerror', None) or error}"
    return "is not met" if found is condition.negate else ""
