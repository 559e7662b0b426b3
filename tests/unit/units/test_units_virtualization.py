"""ConditionVirtualization=: what machines and containers are called, by files that tell (systemd-detect-virt(1))."""

import os

import pytest

from hafta.units.checks import virtualization
from hafta.units.checks.virtualization import find_container, find_machine, has_private_users, is_virtualized

STATUS = "/proc/self/status"
DMI = "/sys/class/dmi/id"
CGROUP2 = {("/sys/fs/cgroup", "cgroup2")}
#: What stands in the files: what the container is called.
CONTAINERS = {
    "none": ({}, ""),
    "openvz": ({"/proc/vz": ""}, "openvz"),
    "openvz's host": ({"/proc/vz": "", "/proc/bc": ""}, ""),
    "wsl": ({"/proc/sys/kernel/osrelease": "5.15.1-microsoft-standard-WSL2"}, "wsl"),
    "proot": ({STATUS: "Name:\tx\nTracerPid:\t7\n", "/proc/7/comm": "proot"}, "proot"),
    "a debugger": ({STATUS: "TracerPid:\t7\n", "/proc/7/comm": "gdb"}, ""),
    "by its manager": ({"/run/host/container-manager": "podman"}, "podman"),
    "by systemd": ({"/run/systemd/container": "lxc"}, "lxc"),
    "by the first process": ({"/proc/1/environ": "A=1\0container=docker\0"}, "docker"),
    "none says the first process": ({"/proc/1/environ": "container=\0", "/.dockerenv": ""}, "docker"),
    "a name of nobody": ({"/run/systemd/container": "shed"}, "container-other"),
    "an image's word and a mark": ({"/run/systemd/container": "oci", "/run/.containerenv": ""}, "container-other"),
    "an image's word alone": ({"/run/systemd/container": "oci"}, ""),
    "podman's mark": ({"/run/.containerenv": "", "/.dockerenv": ""}, "podman"),
    "its own cgroups": (
        {"/proc/self/ns/cgroup": "", "/sys/fs/cgroup/cgroup.events": "", "/sys/fs/cgroup/cgroup.type": ""},
        "container-other",
    ),
    "the machine's cgroups": ({"/proc/self/ns/cgroup": "", "/sys/kernel/cgroup/features": ""}, ""),
}
MACHINES = {
    "none": ({}, ""),
    "kvm": ({f"{DMI}/product_name": "KVM", f"{DMI}/sys_vendor": "QEMU"}, "kvm"),
    "qemu": ({f"{DMI}/sys_vendor": "QEMU"}, "qemu"),
    "amazon": ({f"{DMI}/sys_vendor": "Amazon EC2", "/proc/xen": ""}, "amazon"),
    "hyper-v": ({f"{DMI}/product_version": "Hyper-V UEFI"}, "microsoft"),
    "uml": ({"/proc/cpuinfo": "vendor_id\t: User Mode Linux\n"}, "uml"),
    "xen's guest": ({"/proc/xen": "", "/proc/xen/capabilities": ""}, "xen"),
    "xen's own": ({"/proc/xen": "", "/proc/xen/capabilities": "control_d"}, ""),
    "xen by its driver": ({"/sys/hypervisor/type": "xen"}, "xen"),
    "another by its driver": ({"/sys/hypervisor/type": "sun"}, "vm-other"),
    "the processor's word": ({"/proc/cpuinfo": "flags\t\t: fpu hypervisor sse\n"}, "vm-other"),
    "a real processor": ({"/proc/cpuinfo": "flags\t\t: fpu sse\n"}, ""),
}


@pytest.fixture
def machine(monkeypatch):
    """A machine that has these files and no others."""

    def made(files, mounts=CGROUP2):
        monkeypatch.setattr(virtualization, "content_or_nothing", lambda path: files.get(path, ""))
        monkeypatch.setattr(virtualization, "content", lambda path: files[path])
        monkeypatch.setattr(virtualization, "first_line", lambda path: files.get(path, "").partition("\n")[0])
        monkeypatch.setattr(virtualization, "mounts", lambda: mounts)
        monkeypatch.setattr(os.path, "exists", files.__contains__)

    return made


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_called_as_systemd_calls_it(machine, name):
    files, kind = CONTAINERS[name]
    machine(files)
    assert find_container() == kind


@pytest.mark.parametrize("name", MACHINES)
def test_a_virtual_machine_is_called_as_systemd_calls_it(machine, name):
    files, kind = MACHINES[name]
    machine(files)
    assert find_machine() == kind


@pytest.mark.parametrize(("marks", "kind"), [({"/sys/fs/cgroup/systemd"}, "container-other"), (set(), "")])
def test_with_the_old_cgroups_the_release_agent_tells_the_machine(machine, marks, kind):
    machine(dict.fromkeys(marks | {"/proc/self/ns/cgroup"}, ""), mounts=set())
    assert find_container() == kind


@pytest.mark.parametrize(
    ("files", "true"),
    [
        ({}, {"no"}),
        ({"/run/.containerenv": "", f"{DMI}/sys_vendor": "QEMU"}, {"yes", "container", "podman"}),
        ({f"{DMI}/sys_vendor": "QEMU"}, {"yes", "vm", "qemu"}),
    ],
)
def test_a_condition_asks_for_any_for_a_class_or_for_one_kind(machine, files, true):
    machine(files)
    words = ("yes", "no", "vm", "container", "podman", "qemu", "nobody", "")
    assert {word for word in words if is_virtualized(word)} == true


@pytest.mark.parametrize(
    ("uids", "groups", "private"),
    [("0 0 4294967295", "allow", False), ("0 1000 1", "allow", True), ("0 0 4294967295", "deny", True)],
)
def test_private_users_are_those_of_another_namespace(machine, uids, groups, private):
    machine({"/proc/self/uid_map": uids, "/proc/self/gid_map": "0 0 4294967295", "/proc/self/setgroups": groups})
    assert has_private_users() is private
    assert is_virtualized("private-users") is private
