"""What systemd and we understand of the attributes of a process: generated values, and what is compared."""

from oracle_pieces import CAPABILITIES, CPUS, GROUPS, NANOSECONDS, SCHEDULING, SECURE_BITS, SIGNED, WORDS

from hafta.units import amounts
from hafta.units.capabilities import ALL, names_of

#: directive -> pieces of its values
ATTRIBUTES = {
    **dict.fromkeys(("Nice", "OOMScoreAdjust", "IOSchedulingPriority", "CPUSchedulingPriority"), SIGNED),
    **dict.fromkeys(("AmbientCapabilities", "CapabilityBoundingSet"), CAPABILITIES),
    **dict.fromkeys(("IOSchedulingClass", "CPUSchedulingPolicy"), SCHEDULING),
    **dict.fromkeys(("NoNewPrivileges", "CPUSchedulingResetOnFork"), WORDS),
    "SecureBits": SECURE_BITS,
    "CPUAffinity": CPUS,
    "TimerSlackNSec": NANOSECONDS,
    "SupplementaryGroups": GROUPS,
}
_IO_CLASSES = ("none", "realtime", "best-effort", "idle")
_POLICIES = {0: "other", 1: "fifo", 2: "rr", 3: "batch", 5: "idle"}
_SECURE_BITS = (
    *("keep-caps", "keep-caps-locked", "no-setuid-fixup", "no-setuid-fixup-locked", "noroot", "noroot-locked"),
)
_BITS = dict(zip(_SECURE_BITS, (4, 5, 2, 3, 0, 1), strict=True))


def capabilities(bits, initial):
    """Return capabilities as the dump shows them: not at all if nothing was asked for."""
    return [] if bits is None or bits == initial else [" ".join(names_of(bits)).lower()]


def cpus(text):
    """Return the numbers of CPUs that the dump shows."""
    found = []
    for word in text.split():
        first, _, last = word.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def number(value):
    """Return a number as the dump shows it: not at all if nothing was asked for."""
    return [] if value is None else [str(value)]


def scheduling(unit):
    """Return policy and priority as the dump shows them."""
    return [] if not unit.attributes.cpu else [_POLICIES[unit.attributes.cpu[0]], str(unit.attributes.cpu[1])]


def input_output(unit):
    """Return class and priority of I/O as the dump shows them."""
    return [] if not unit.attributes.io else [_IO_CLASSES[unit.attributes.io[0]], str(unit.attributes.io[1])]


def yes(value):
    """Return a boolean as the dump shows it."""
    return "yes" if value else "no"


#: directive -> (understood, unit) -> two values that must be equal
COMPARED_ATTRIBUTES = {
    "AmbientCapabilities": lambda d, u: (d.values("AmbientCapabilities"), capabilities(u.attributes.ambient, 0)),
    "CapabilityBoundingSet": lambda d, u: (d.values("CapabilityBoundingSet"), capabilities(u.attributes.bounding, ALL)),
    "SecureBits": lambda d, u: (
        [word for line in d.values("Secure Bits") for word in line.split()],
        [name for name in _SECURE_BITS if u.attributes.secure_bits >> _BITS[name] & 1],
    ),
    "Nice": lambda d, u: (d.values("Nice"), number(u.attributes.nice)),
    "OOMScoreAdjust": lambda d, u: (d.values("OOMScoreAdjust"), number(u.attributes.oom_score)),
    **dict.fromkeys(
        ("IOSchedulingClass", "IOSchedulingPriority"),
        lambda d, u: (d.values("IOSchedulingClass") + d.values("IOPriority"), input_output(u)),
    ),
    **dict.fromkeys(
        ("CPUSchedulingPolicy", "CPUSchedulingPriority"),
        lambda d, u: (d.values("CPUSchedulingPolicy") + d.values("CPUSchedulingPriority"), scheduling(u)),
    ),
    "CPUAffinity": lambda d, u: (cpus(" ".join(d.values("CPUAffinity"))), sorted(u.attributes.affinity)),
    "TimerSlackNSec": lambda d, u: (
        [amounts.nanoseconds(each) for each in d.values("TimerSlackNSec")],
        [] if u.attributes.timer_slack is None else [u.attributes.timer_slack],
    ),
    "SupplementaryGroups": lambda d, u: (" ".join(d.values("SupplementaryGroups")).split(), list(u.account.groups)),
}
