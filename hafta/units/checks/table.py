"""Every kind of condition and what finds it out."""

from __future__ import annotations

from hafta.units.checks import cgroups, hardware, identity, paths, release, security, words
from hafta.units.checks.virtualization import is_virtualized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHECKS: dict[str, Callable[[str], bool]] = {
    "PathExists": paths.exists,
    "PathExistsGlob": paths.exists_glob,
    "PathIsDirectory": paths.is_directory,
    "PathIsSymbolicLink": paths.is_symbolic_link,
    "PathIsMountPoint": paths.is_mount_point,
    "PathIsReadWrite": paths.is_read_write,
    "PathIsEncrypted": paths.is_encrypted,
    "DirectoryNotEmpty": paths.is_directory_not_empty,
    "FileNotEmpty": paths.is_file_not_empty,
    "FileIsExecutable": paths.is_file_executable,
    "NeedsUpdate": paths.needs_update,
    "Architecture": hardware.has_architecture,
    "Firmware": hardware.has_firmware,
    "CPUs": hardware.has_cpus,
    "CPUFeature": hardware.has_cpu_feature,
    "Memory": hardware.has_memory,
    "ACPower": hardware.is_on_power,
    "Virtualization": is_virtualized,
    "Security": security.has_technology,
    "Capability": security.has_capability,
    "Host": release.is_host,
    "KernelCommandLine": words.is_on_kernel_command_line,
    "KernelVersion": release.is_kernel_version,
    "OSRelease": release.is_release,
    "FirstBoot": release.is_first_boot,
    "Environment": words.is_in_environment,
    "Credential": words.has_credential,
    "User": identity.is_user,
    "Group": identity.is_group,
    "ControlGroupController": cgroups.has_controllers,
    "MemoryPressure": cgroups.pressure("memory"),
    "CPUPressure": cgroups.pressure("cpu"),
    "IOPressure": cgroups.pressure("io"),
}
