"""We find out conditions as systemd does: thousands of generated lines, held against `systemd-analyze condition`.

docs/overlord.md lists the differences that stay. What is generated here leaves them out.
"""

import os
import random
import socket
import string

import oracle
import pytest
from load_support import ROOTS
from oracle_pieces import pieces

from hafta.units.condition_lines import reader
from hafta.units.conditions import KINDS, PATHS, unmet
from hafta.units.specifiers import Specifiers

pytestmark = pytest.mark.skipif(
    not oracle.ANALYZE and not os.environ.get("CI"), reason="systemd-analyze is missing: install systemd"
)

SPECIFIERS = Specifiers("test.service", "/x/test.service", ROOTS)
RELEASE = os.uname().release
VERSIONS = 500
OPERATORS = ("", "=", "!=", "<", "<=", "==", "<>", ">=", ">", "$=", "!$=", ">= ", " <", "lt ")
ODD = (*pieces("|x|-1|+2|010|0x2|99999999999|infinity| 1|1 |'1'|%n|%z|é|a b|!"), "|")
NAMES = (
    *("empty", "hidden", "full", "none", "some", "run", "fifo", "dangling", "todir", "loop", "tofile", "sock", "nope"),
    *("full/a", "some/x", "full/", "full/sub dir", "./some", "full/../some", "todir/a", "loop/a"),
)
SYSTEM = (
    *("/", "/proc", "/sys", "/dev", "/dev/null", "/dev/pts", "/dev/shm", "/etc", "/usr", "/var", "/etc/hosts"),
    *pieces("/proc/self|/proc/1/fd|/sys/fs/cgroup|//etc///hosts|/etc/.|.|etc|/%n|/%z"),
    f"/{'a' * 300}",
)
GLOBS = (
    *("*", "f*", "{some,none}", "{x,y}", "[a-z]ome", "[!a]ome", "[^s]ome", "\\some", "so?e", "*/a", "*/*/*", "{some"),
    *("full/{b,a}", "{a,{b,some}}", "some{,x}", "dangl*", "dangling/*", "loop/*", ".*", "hidden/*", "hidden/.*"),
    *("[[:alpha:]]ome", "**/a", "todir/*", "nope*/a", "[", "\\*"),
)
BOOLEANS = ("yes", "no", "true", "0", "1", "off", "YES", "t", "maybe")
FEATURES = (
    "sse sse2 avx2 lm fma3 osxsave pclmul pclmulqdq fma foo sha_ni rdtscp hypervisor syscall constant_tsc abm adx"
)
CAPABILITIES = (
    "CAP_SYS_ADMIN cap_sys_admin sys_admin CAP_SYS_TIME CAP_SYS_MODULE CAP_FOO 0 21 40 41 62 63 64 007 CAP_BPF"
)
PRESSURES = (
    *("100%", "100.00%", "1000‰", "10000‱", "100%/10sec", "100%/1min", "100% / 5min", "100%/2min", "100%/", "100%:"),
    *("user.slice:100%", "user.slice:", "x:100%", "a:b:c", ":100%", "+100%", "-5%", "101%", "99.999%", "5.%", ".5%"),
    *("100", "user.slice:x", "100%/10secx", "100.0‰", "%"),
)
VALUES = {
    "PathExistsGlob": GLOBS,
    "Architecture": ("x86-64", "x86", "arm64", "native", "X86-64", "riscv64"),
    "Firmware": (
        *("uefi", "device-tree", "device-tree-compatible(x)", "device-tree-compatible(x", "smbios-field(a=b)"),
        *pieces("smbios-field(sys_vendor $= *)|smbios-field(x|smbios-field()|smbios-field(../x=1)|smbios-field(a)"),
    ),
    "Virtualization": (
        *BOOLEANS,
        *["vm", "container", "private-users", "docker", "podman", "kvm", "none", "vm-other", "container-other"],
    ),
    "Host": (os.uname().nodename, os.uname().nodename.upper(), "*", "?*", "[", "[a", "0" * 32, "[!x]*", "\\*"),
    "KernelCommandLine": ("quiet", "quiet=", "console", "--", "-", "a", "systemd"),
    "KernelVersion": (
        *(RELEASE, f"=={RELEASE}", f"= {RELEASE}", ">=5 <99", ">=5 <6", ">= 5 < 99", ">=", "'>= 5'", '"*" *', "* x"),
        *("$=*", "!$=*", "> 5.0", "=", f"<{RELEASE}~", f">{RELEASE}~", f"<{RELEASE}^", f"<{RELEASE}.0", f"<{RELEASE}a"),
    ),
    "Credential": ("x", "a/b", "..", "."),
    "Environment": ("PATH", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "LC_ALL=", "LC", "=", "PATH=x"),
    "Security": ["selinux", "smack", "apparmor", "audit", "ima", "tomoyo", "uefi-secureboot", "tpm2", "cvm", "foo"],
    "Capability": CAPABILITIES.split(),
    "ACPower": BOOLEANS,
    "FirstBoot": BOOLEANS,
    "User": ["root", "nobody", "@system", "0", "00", "1000", "daemon", "bin", "nope", "65534", "65535", "@"],
    "Group": ["root", "nogroup", "0", "1000", "daemon", "adm", "nope", "65534", "00", "disk"],
    "ControlGroupController": (
        *pieces("v1|v2|v3|cpu|memory|io|blkio|pids|devices|cpuset|cpuacct|bpf-firewall|hugetlb|cpu,memory"),
        *("cpu memory", "memory foo", "'cpu'"),
    ),
    "Memory": ("1", "1G", ">1G", "<1G", ">=1G", "= 5", "1T", "<= 1T", "1.5G", ">", "!=4G", "<>4G", "1 G 5M", "~1"),
    "CPUs": ("1", "2", "<3", ">1", ">= 2", "=2", "!=2", "<>2", "==2", "< 99"),
    "CPUFeature": FEATURES.split(),
    "OSRelease": (
        *("ID=debian", "ID!=x", "VERSION_ID>11", "VERSION_ID>=12", "VERSION_ID<12", "ID$=d*", "ID!$=d*", "NOPE=x"),
        *("NOPE$=*", "ID", "=x", "ID=", "ID= debian", "ID=debian VERSION_ID=12", "'ID=debian'", "ID='debian'", "A-B=x"),
        *("ID==debian", "VERSION_ID=12 ID=x", "VERSION$=*book*", "id=debian", "9a=b", "NOPE<1", "NOPE>1", "NOPE!=x"),
    ),
    **dict.fromkeys(("MemoryPressure", "CPUPressure", "IOPressure"), PRESSURES),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("c")
    for name in ("empty", "hidden", "full", "full/sub dir"):
        (path / name).mkdir()
    for name in ("hidden/.x", "hidden/a~", "hidden/b.bak", "hidden/lost+found", "full/a", "none"):
        (path / name).touch()
    (path / "some").write_text("x")
    (path / "run").write_text("x")
    (path / "run").chmod(0o700)
    os.mkfifo(path / "fifo")
    for name, target in (("dangling", "nowhere"), ("todir", "full"), ("loop", "loop"), ("tofile", "some")):
        (path / name).symlink_to(target)
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.open(path, os.O_PATH)
        sock.bind(f"/proc/self/fd/{here}/sock")
        os.close(here)
    return path


def lines(folder, kind, rng):
    """Yield values of a kind, some of them turned round, some with a blank where there may be one."""
    paths = [f"{folder}/{name}" for name in (*NAMES, *VALUES.get(kind, ()))]
    values = [*paths, *SYSTEM] if kind in PATHS else [*VALUES[kind], *ODD]
    if kind == "PathIsEncrypted":  # systemd opens it, and then waits for somebody to write to the pipe
        values.remove(f"{folder}/fifo")
    for value in values:
        yield from (value, f"!{value}")
        if rng.random() < 0.2:
            yield f"! {value}"


def versions(rng):
    """Yield versions of the kernel that are nearly ours, with an operator."""
    for _ in range(VERSIONS):
        text = list(RELEASE)
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(text) + 1)
            text[at : at + rng.randrange(3)] = rng.choice(
                (*"~-^._+0019", "00", "rc", "a", *string.ascii_lowercase, "é")
            )
        yield rng.choice(OPERATORS) + "".join(text)


def ours(kind, value):
    """Return the line as it is shown, and what we find out; None for a line that is an error."""
    try:
        (condition,) = reader(kind)(f"|{value}", SPECIFIERS)
    except ValueError:
        return None
    why = unmet((condition.replace(trigger=False),), "Condition")
    shown = str(condition).lower() if kind == "CPUFeature" else str(condition)
    return shown, "unknown" if "cannot be found out" in why else "failed" if why else "succeeded"


@pytest.mark.parametrize("seed", range(2))
def test_conditions_are_found_out_as_systemd_does(folder, monkeypatch, seed):
    for name in os.environ:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    rng = random.Random(seed)
    given = [(kind, value.strip()) for kind in KINDS for value in lines(folder, kind, rng)]
    given += [("KernelVersion", value) for value in versions(rng)]
    theirs, taken = oracle.conditions(folder, given)
    theirs = {(key.lower() if key.startswith("CPUFeature") else key): said for key, said in theirs.items()}
    found = [answer for kind, value in given if (answer := ours(kind, value))]
    assert len(found) > 1800
    assert {key: (theirs.get(key), said) for key, said in found if theirs.get(key) != said} == {}
    assert len(found) == taken, "what we refuse, systemd ignores with a warning"
