"""Whether we are in a container or a virtual machine, and of which kind (systemd-detect-virt(1))."""

from __future__ import annotations

import os

from hafta.settings import switch
from hafta.units.checks.reading import content, content_or_nothing, first_line, mounts

_CONTAINERS = frozenset(
    ("lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot", "pouch"),
)
#: The files that container managers leave; docker's comes last, because images have it by accident.
_MARKS = (("/run/.containerenv", "podman"), ("/.dockerenv", "docker"))
_DMI = ("product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version")
_VENDORS = (
    *(("KVM", "kvm"), ("OpenStack", "kvm"), ("KubeVirt", "kvm"), ("Amazon EC2", "amazon"), ("QEMU", "qemu")),
    *(("VMware", "vmware"), ("VMW", "vmware"), ("innotek GmbH", "oracle"), ("VirtualBox", "oracle"), ("Xen", "xen")),
    *(("Bochs", "bochs"), ("Parallels", "parallels"), ("BHYVE", "bhyve"), ("Hyper-V", "microsoft")),
    *(("Apple Virtualization", "apple"), ("Google Compute Engine", "google")),
)
_EVERYTHING = 4294967295


def is_virtualized(wanted: str) -> bool:
    """Answer for a boolean, vm, container, private-users, or the name of one kind."""
    if wanted == "private-users":
        return has_private_users()
    container = find_container()
    machine = "" if container else find_machine()
    try:
        return switch(wanted) is bool(container or machine)
    except ValueError:
        pass
    if wanted in {"vm", "container"}:
        return bool(machine if wanted == "vm" else container)
    return bool(wanted) and wanted == (container or machine)


def find_container() -> str:
    """Return which kind of container we are in; empty if in none."""
    if os.path.exists("/proc/vz") and not os.path.exists("/proc/bc"):
        return "openvz"
    kernel = first_line("/proc/sys/kernel/osrelease")
    if "Microsoft" in kernel or "WSL" in kernel:
        return "wsl"
    if _is_traced_by_proot():
        return "proot"
    named = _named()
    if named is None:
        return _marked() or ("container-other" if _has_own_cgroups() else "")
    if named == "oci":  # images say so, of whatever runs them
        return "container-other" if _marked() else ""
    return named if named in _CONTAINERS else "container-other" if named else ""


def _named() -> str | None:
    """Return what the container's manager, or the first process, calls it. Empty: it is not one. None: nobody says."""
    if found := first_line("/run/host/container-manager"):
        return found
    if os.getpid() == 1:
        return os.environ.get("container")  # noqa: SIM112 - so it is written
    if found := first_line("/run/systemd/container"):
        return found
    for variable in content_or_nothing("/proc/1/environ").split("\0"):
        if variable.startswith("container="):
            return variable.partition("=")[2] or None
    return None


def _marked() -> str:
    return next((name for path, name in _MARKS if os.path.exists(path)), "")


def _is_traced_by_proot() -> bool:
    for line in content_or_nothing("/proc/self/status").splitlines():
        if line.startswith("TracerPid:"):
            tracer = line.split()[1]
            return tracer != "0" and first_line(f"/proc/{tracer}/comm").startswith("proot")
    return False


def _has_own_cgroups() -> bool:
    """Tell whether the cgroups that we see begin below those of the machine."""
    if not os.path.exists("/proc/self/ns/cgroup"):
        return False
    if ("/sys/fs/cgroup", "cgroup2") in mounts():
        has_events = os.path.exists("/sys/fs/cgroup/cgroup.events")
        has_type = os.path.exists("/sys/fs/cgroup/cgroup.type")
        return has_events and (has_type or not os.path.exists("/sys/kernel/cgroup/features"))
    return os.path.exists("/sys/fs/cgroup/systemd") and not os.path.exists("/sys/fs/cgroup/systemd/release_agent")


def find_machine() -> str:
    """Return which kind of virtual machine we are on; empty if on none.

    A program in Python cannot ask the processor for its name, so kvm and others may be vm-other here.
    """
    firmware = _firmware()
    if firmware in {"oracle", "xen", "amazon", "parallels"}:
        return firmware
    processor = content_or_nothing("/proc/cpuinfo")
    if "vendor_id\t: User Mode Linux" in processor:
        return "uml"
    if os.path.exists("/proc/xen"):
        return "" if "control_d" in content_or_nothing("/proc/xen/capabilities") else "xen"
    if firmware:
        return firmware
    if kind := first_line("/sys/hypervisor/type"):
        return "xen" if kind == "xen" else "vm-other"
    flags = next((line for line in processor.splitlines() if line.startswith("flags")), "")
    return "vm-other" if "hypervisor" in flags.split() else ""


def _firmware() -> str:
    for file in _DMI:
        text = first_line(f"/sys/class/dmi/id/{file}")
        if found := next((name for vendor, name in _VENDORS if text.startswith(vendor)), ""):
            return found
    return ""


def has_private_users() -> bool:
    """Tell whether we are in a user namespace that is not the machine's."""
    for file in ("uid_map", "gid_map"):
        words = content(f"/proc/self/{file}").split()
        if list(map(int, words[:3])) != [0, 0, _EVERYTHING]:
            return True
    return content_or_nothing("/proc/self/setgroups").strip() == "deny"
