"""What the kernel has of security, and which capabilities may be had."""

from __future__ import annotations

import errno
import os
import socket
import struct

from hafta.units import amounts
from hafta.units.checks.hardware import is_efi
from hafta.units.checks.reading import content, content_or_nothing, first_line
from hafta.units.checks.virtualization import find_container

_NAMES = """
chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin
sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override
mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore
"""
_CAPABILITIES = _NAMES.split()
_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_NETLINK_AUDIT = 9
_AUDIT_GET_FEATURE = 1019
_NLM_F_REQUEST_ACK = 5
_NLMSG_ERROR = 2


def has_technology(name: str) -> bool:
    """Tell whether a security technology is in use; False for one that nobody knows."""
    return name in _TECHNOLOGIES and _TECHNOLOGIES[name]()


def _secure_boot() -> bool:
    return is_efi() and os.path.exists(_SECURE_BOOT) and content(_SECURE_BOOT)[4:5] == "\1"


def _tpm2() -> bool:
    """Tell whether kernel and firmware know a TPM 2.0; in a container there is none to be had."""
    tables = ("/sys/firmware/acpi/tables/TPM2", "/sys/kernel/security/tpm0/binary_bios_measurements")
    has_firmware = is_efi() and any(map(os.path.exists, tables))
    return has_firmware and not find_container() and os.path.isdir("/sys/class/tpmrm")


def _confidential() -> bool:
    flags = content_or_nothing("/proc/cpuinfo").split()
    return "tdx_guest" in flags or os.path.exists("/dev/sev-guest")


def _audit() -> bool:
    """Ask the kernel for its audit features. It answers at once, or not at all in a container."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_AUDIT) as kernel:
            kernel.send(struct.pack("=IHHII", 16, _AUDIT_GET_FEATURE, _NLM_F_REQUEST_ACK, 1, 0))
            length, kind, _, _, _, *_ = struct.unpack_from("=IHHII", answer := kernel.recv(8192))
            number = -struct.unpack_from("=i", answer, 16)[0] if kind == _NLMSG_ERROR and length >= 20 else 0
    except OSError as error:
        number = error.errno or 0
    return number not in {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EPERM, errno.ECONNREFUSED}


_TECHNOLOGIES = {
    "selinux": lambda: os.path.exists("/sys/fs/selinux/enforce"),
    "smack": lambda: os.path.exists("/sys/fs/smackfs/"),
    "apparmor": lambda: first_line("/sys/module/apparmor/parameters/enabled") == "Y",
    "audit": _audit,
    "ima": lambda: os.path.exists("/sys/kernel/security/ima/"),
    "tomoyo": lambda: os.path.exists("/sys/kernel/security/tomoyo/version"),
    "uefi-secureboot": _secure_boot,
    "tpm2": _tpm2,
    "cvm": _confidential,
}


def has_capability(name: str) -> bool:
    """Tell whether a capability may be had: it is in the bounding set. Raises ValueError for one that nobody knows."""
    number = _capability(name)
    for line in content("/proc/self/status").splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return True


def _capability(name: str) -> int:
    short = name.lower().removeprefix("cap_")
    if short in _CAPABILITIES and short != name.lower():
        return _CAPABILITIES.index(short)
    try:
        return amounts.whole_number(name, 64)
    except ValueError:
        raise ValueError("there is no such capability") from None
