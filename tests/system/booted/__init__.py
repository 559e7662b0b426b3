"""Machines with a real systemd, booted in containers."""

from booted.machine import Machine, MachineError
from booted.rootfs import SUITES, Suite, root_file_system
from booted.runtime import why_not

__all__ = ["SUITES", "Machine", "MachineError", "Suite", "root_file_system", "why_not"]
