"""The targets of the system itself (systemd.special(7)): they stand for a state of the machine, not for services."""

from __future__ import annotations

_TARGETS = """
basic blockdev@ bluetooth boot-complete cryptsetup cryptsetup-pre ctrl-alt-del default emergency exit factory-reset
final first-boot-complete getty getty-pre graphical halt hibernate hybrid-sleep initrd initrd-fs initrd-root-device
initrd-root-fs initrd-switch-root initrd-usr-fs integritysetup integritysetup-pre kbrequest kexec local-fs local-fs-pre
machines multi-user network network-online network-pre nss-lookup nss-user-lookup paths poweroff printer reboot
remote-cryptsetup remote-fs remote-fs-pre remote-veritysetup rescue rpcbind runlevel0 runlevel1 runlevel2 runlevel3
runlevel4 runlevel5 runlevel6 shutdown sigpwr sleep slices smartcard sockets soft-reboot sound storage-target-mode
suspend suspend-then-hibernate swap sysinit system-update system-update-pre time-set time-sync timers umount usb-gadget
veritysetup veritysetup-pre
"""
SPECIAL = frozenset(f"{name}.target" for name in _TARGETS.split())
#: What is enabled hangs on these. One of them pulls in the others.
ENABLED = frozenset(("default.target", "graphical.target", "multi-user.target"))
#: Enabled sockets hang on this one, which those above need.
SOCKETS = "sockets.target"


def is_systemds(name: str) -> bool:
    """Tell whether a socket is part of systemd itself: nobody listens there without it."""
    return name.endswith(".socket") and (name.startswith("systemd-") or name == "syslog.socket")
