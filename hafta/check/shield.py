"""Rules of users and the sandbox: HC030 to HC033."""

from __future__ import annotations

import os

from hafta.check.rule import ERROR, WARNING, Spot, at, rule
from hafta.units.sandbox import HOMES, TEMPORARY, is_below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.check.unit import Merged

MOST = 3.0  # of 10: what systemd-analyze security counts
#: Programs that write memory and execute it.
JIT = frozenset(("java", "node", "nodejs", "dotnet", "mono", "luajit", "pypy", "pypy3", "deno", "bun", "beam.smp"))
#: Modules that do so for Python: callbacks from C, or compiled functions.
JIT_MODULES = frozenset(("cffi", "numba", "llvmlite"))
PLACES = ("pipe", "state")  # settings of a service that are paths


@rule(
    "HC030", WARNING, "the service may do more than it needs",
    reason="systemd-analyze security counts what a service that was taken over could do to the machine: 0 is best, 10"
    f" worst. hafta unit writes units from 0.2 to 1.3. Above {MOST:g} most of the sandbox is missing.",
    cure="print what hafta unit writes for it, and take over the sandbox",
    bad="A unit with exposure 9.2, such as one without any directive of the sandbox.",
    good="A unit with exposure 0.4, such as one that hafta unit writes.",
)  # fmt: skip
def exposed(unit: Merged) -> Iterator[Spot]:
    """Find a unit without a sandbox."""
    if unit.is_service and unit.seen.exposure is not None and unit.seen.exposure > MOST:
        yield Spot(f"exposure {unit.seen.exposure:g} of 10, says systemd-analyze security", unit.file)


@rule(
    "HC031", WARNING, "the service starts as root",
    reason="A mistake or an attacker in it has the whole machine, and files that it makes belong to root: another user"
    " that takes over later cannot change them.",
    cure="set DynamicUser=yes, or User= with a user that sysusers.d makes",
    bad="# no User=\n# no Group=", good="User=feed",
)  # fmt: skip
def root(unit: Merged) -> Iterator[Spot]:
    """Find a service without a user."""
    if not unit.is_kept_up or unit.seen.of_user or unit.value("DynamicUser", default=False):
        return
    user = unit.value("User", "root")
    if user in {"root", "0"}:
        yield unit.spot("starts as root", "User", "ExecStart")


@rule(
    "HC032", ERROR, "the sandbox forbids what the program does at its start",
    reason="MemoryDenyWriteExecute= forbids memory that is written and then executed. Java, Node.js, .NET and LuaJIT"
    " need it, and so do modules of Python that compile functions. They end at once.",
    cure="leave MemoryDenyWriteExecute= out (hafta unit --jit)",
    bad="ExecStart=/usr/bin/hafta guard -- /usr/bin/java -jar shop.jar\nMemoryDenyWriteExecute=yes\nWatchdogSec=8",
    good="ExecStart=/usr/bin/hafta guard -- /usr/bin/java -jar shop.jar\n# no MemoryDenyWriteExecute=\nWatchdogSec=8",
)  # fmt: skip
def compiled(unit: Merged) -> Iterator[Spot]:
    """Find a compiler in a sandbox that has none."""
    entry = unit.last("MemoryDenyWriteExecute")
    if entry is None or entry.value.lower() not in {"1", "yes", "y", "true", "t", "on"}:
        return
    name = os.path.basename(unit.program[0]) if unit.program else ""
    modules = sorted(JIT_MODULES & unit.seen.imports)
    if name in JIT:
        yield at(entry, f"MemoryDenyWriteExecute= with {name}, which writes and executes memory")
    elif modules:
        yield at(entry, f"MemoryDenyWriteExecute= with {', '.join(modules)}, which the program imports")


@rule(
    "HC033", WARNING, "a path of a setting is not where the sandbox allows it",
    reason="PrivateTmp= gives the service a /tmp that nobody else sees, ProtectHome= hides homes, and ProtectSystem="
    "strict makes everything read-only but the unit's own directories.",
    cure="use a path in the unit's own directory (%t/NAME, %S/NAME), or open it with ReadWritePaths= or BindPaths=",
    bad="Environment=HAFTA_PIPE=/tmp/pipe\nPrivateTmp=yes", good="Environment=HAFTA_PIPE=%t/feed/pipe\nPrivateTmp=yes",
)  # fmt: skip
def out_of_reach(unit: Merged) -> Iterator[Spot]:
    """Find a pipe or a state directory that the service does not see, or may not write to."""
    if not unit.is_body:
        return
    opened = [word.lstrip("-+") for name in ("ReadWritePaths", "BindPaths") for one in unit.all(name)
              for word in one.value.split()]  # fmt: skip
    for name in PLACES:
        place = unit.setting(name)
        why = _why_not(unit, name, place) if place.startswith("/") and not is_below(place, tuple(opened)) else ""
        if why:
            where = "Environment" if place in unit.environment.values() else "ExecStart"
            yield unit.spot(f"{name} {place}, and {why}", where)


def _why_not(unit: Merged, name: str, place: str) -> str:
    if is_below(place, TEMPORARY) and _is_on(unit, "PrivateTmp"):
        return "PrivateTmp= gives it a /tmp that nobody else sees"
    if is_below(place, HOMES) and _is_on(unit, "ProtectHome"):
        return "ProtectHome= hides it"
    protect = unit.last("ProtectSystem")
    if name == "state" and protect and protect.value == "strict" and not is_below(place, _own(unit)):
        return "ProtectSystem=strict makes it read-only"
    return ""


def _is_on(unit: Merged, name: str) -> bool:
    entry = unit.last(name)
    return entry is not None and entry.value.lower() not in {"0", "no", "n", "false", "f", "off", "read-only"}


def _own(unit: Merged) -> tuple[str, ...]:
    """Return the unit's own directories."""
    roots = {"Runtime": "/run", "State": "/var/lib", "Cache": "/var/cache", "Logs": "/var/log"}
    return tuple(
        f"{root_}/{word}" for kind, root_ in roots.items() for one in unit.all(f"{kind}Directory")
        for word in unit.specifiers_in(one.value).split()
    ) + TEMPORARY  # fmt: skip


SHIELD = (exposed, root, compiled, out_of_reach)
