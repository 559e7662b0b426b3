"""Readers of CapabilityBoundingSet=, AmbientCapabilities= and SecureBits=, and how their lines add up.

systemd passes over a name that it does not know, in silence. Behind a ~ that would leave more rights than were meant,
so here it is an error.
"""

from __future__ import annotations

from hafta.units import amounts, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafta.units.specifiers import Specifiers

#: In the order of their numbers (capabilities(7)).
NAMES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"),
    *("linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner"),
    *("sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice"),
    *("sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap"),
    *("mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf"),
    "checkpoint_restore",
)
ALL = (1 << len(NAMES)) - 1
_NUMBERS = {f"cap_{name}": number for number, name in enumerate(NAMES)}
#: As <linux/securebits.h> numbers them.
_SECURE_BITS = {
    "noroot": 0,
    "noroot-locked": 1,
    "no-setuid-fixup": 2,
    "no-setuid-fixup-locked": 3,
    "keep-caps": 4,
    "keep-caps-locked": 5,
}

Line = tuple[bool, int]  # whether a ~ inverts it, and the capabilities as bits


def names_of(bits: int) -> list[str]:
    """Return the names of capabilities."""
    return [f"CAP_{name.upper()}" for number, name in enumerate(NAMES) if bits >> number & 1]


def capabilities(value: str, _: Specifiers) -> tuple[Line]:
    """Read one line: capabilities, all but these behind a ~."""
    found = 0
    for word in words.split(value.removeprefix("~"), words.VARIABLES):
        found |= 1 << _number(word)
    return ((value.startswith("~"), found),)


def _number(word: str) -> int:
    if (known := _NUMBERS.get(word.lower())) is not None:
        return known
    try:
        return amounts.whole_number(word, len(NAMES))
    except ValueError:
        raise ValueError(f"capabilities such as CAP_NET_BIND_SERVICE, not {word}") from None


def merged(lines: Iterable[Line], initial: int) -> int:
    """Return what lines mean together (config_parse_capability_set() of systemd)."""
    found = initial
    for inverted, bits in lines:
        if not bits or found == initial:
            found = ALL & ~bits if inverted else bits
        else:
            found = found & ~bits if inverted else found | bits
    return found


def secure_bits(value: str, _: Specifiers) -> int:
    """Read names of secure bits."""
    found = words.split(value, words.STATUSES)
    for word in found:
        if word not in _SECURE_BITS:
            raise ValueError(f"one or more of {', '.join(_SECURE_BITS)}")
    return sum(1 << _SECURE_BITS[word] for word in set(found))
