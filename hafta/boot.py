"""Which boot of the machine this is."""

from __future__ import annotations


def boot_id() -> str:
    """Return the id of this boot of the machine; empty where the sandbox hides it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:  # hidden by ProcSubset=pid
        return ""
