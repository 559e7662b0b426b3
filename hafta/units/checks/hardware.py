"""Conditions on the hardware: processors, memory, firmware, power."""

from __future__ import annotations

import os
import sys

from hafta.units import amounts, words
from hafta.units.checks.cgroups import memory_limit
from hafta.units.checks.compare import compare, holds, order, take_operator
from hafta.units.checks.reading import content, content_or_nothing, first_line
from hafta.units.checks.virtualization import find_container
from hafta.units.specifiers import architecture

#: What systemd calls a feature of x86 -> what Linux calls it.
_NAMES = """
fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht pni monitor ssse3
cx16 sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand bmi1 avx2 bmi2 rdseed adx sha_ni syscall rdtscp lm lahf_lm
abm constant_tsc
"""
_FEATURES = {name: name for name in _NAMES.split()} | {"pclmul": "pclmulqdq", "fma3": "fma", "osxsave": "xsave"}
_DEVICE_TREE = "/proc/device-tree/compatible"
_POWER = "/sys/class/power_supply"
_NATIVE = {"x86-64": "x86", "arm64": "arm", "ppc64-le": "ppc-le", "ppc64": "ppc", "s390x": "s390"}


def has_architecture(wanted: str) -> bool:
    """Answer for one of systemd's names of architectures, or `native`: the machine's is the one we are built for."""
    machine = architecture()
    if wanted == "native":
        return sys.maxsize > 1 << 32 or machine not in _NATIVE
    return wanted == machine


def has_cpus(value: str) -> bool:
    """Compare how many processors we may use."""
    operator, number = take_operator(value)
    wanted = amounts.whole_number(number, 1 << 32)
    return holds(operator or ">=", order(len(os.sched_getaffinity(0)), wanted))


def has_memory(value: str) -> bool:
    """Compare how much memory there is, or how much of it we may use."""
    operator, size = take_operator(value)
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return holds(operator or ">=", order(min(there, memory_limit()), amounts.size(size)))


def has_cpu_feature(name: str) -> bool:
    """Tell whether the processor has a feature: one of those of x86 that systemd knows."""
    flags = next((line for line in content_or_nothing("/proc/cpuinfo").splitlines() if line.startswith("flags")), "")
    return _FEATURES.get(name.lower(), "") in flags.partition(":")[2].split()


def is_efi() -> bool:
    """Tell whether EFI has started the machine; a container does not see that."""
    return not find_container() and os.path.exists("/sys/firmware/efi/")


def has_firmware(value: str) -> bool:
    """Answer for uefi, device-tree, device-tree-compatible(NAME) and smbios-field(NAME OPERATOR VALUE)."""
    if value == "device-tree":
        return os.path.exists("/sys/firmware/devicetree/")
    if value == "uefi":
        return is_efi()
    if (name := _between(value, "device-tree-compatible(")) is not None:
        return os.path.exists(_DEVICE_TREE) and name in content(_DEVICE_TREE).rstrip("\0").split("\0")
    if (expression := _between(value, "smbios-field(")) is not None:
        return _has_field(expression)
    if value.startswith("smbios-field("):
        raise ValueError("a parenthesis is missing")
    return False


def _between(value: str, begin: str) -> str | None:
    return value[len(begin) : -1] if value.startswith(begin) and value.endswith(")") else None


def _has_field(expression: str) -> bool:
    at = next((at for at, character in enumerate(expression) if character in "!<=>$"), len(expression))
    field = expression[:at].rstrip(words.WHITESPACE)
    operator, rest = take_operator(expression[at:], patterns=True)
    wanted = words.split(rest, words.VARIABLES)
    if not operator or len(wanted) != 1 or "/" in field or field in {"", ".", ".."}:
        raise ValueError("smbios-field(NAME OPERATOR VALUE) is expected")
    try:
        found = content(f"/sys/class/dmi/id/{field}")
    except FileNotFoundError:
        return False
    return compare(operator, found.rstrip(words.WHITESPACE), wanted[0])


def is_on_power(value: str) -> bool:
    """Answer whether the machine is on AC power: it is, unless a battery is being emptied."""
    wanted = amounts.boolean(value)
    try:
        supplies = [f"{_POWER}/{name}" for name in os.listdir(_POWER)]
    except FileNotFoundError:
        supplies = []
    online = any(_is_online(supply) for supply in supplies if first_line(f"{supply}/type") in {"Mains", "USB"})
    discharging = any(_is_discharging(supply) for supply in supplies if first_line(f"{supply}/type") == "Battery")
    return (online or not discharging) is wanted


def _is_online(supply: str) -> bool:
    if first_line(f"{supply}/type") == "USB" and "[sink]" not in first_line(f"{supply}/power_role"):
        return False
    return first_line(f"{supply}/online") in {"1", "2"}


def _is_discharging(supply: str) -> bool:
    is_present = first_line(f"{supply}/present") != "0" and first_line(f"{supply}/scope") != "Device"
    return is_present and first_line(f"{supply}/status") in {"Discharging", ""}
