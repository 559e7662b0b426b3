"""The package's own tests (packaging/debian/tests), as a distribution would run them: offline, in a booted machine."""

import re
import shutil
import subprocess

import pytest
from booted import Machine
from booted.packages import ROOT
from booted.rootfs import SUITES


@pytest.fixture(scope="module", params=SUITES.values(), ids=SUITES)
def tested(request, packages, tmp_path_factory):
    """A machine with the packages and the source tree, as a distribution would unpack it, and nothing installed."""
    source = tmp_path_factory.mktemp("source") / "hafta"
    subprocess.run([str(ROOT / "packaging/export"), "--worktree", str(source)], check=True, capture_output=True)
    shutil.copytree(source / "packaging/debian", source / "debian")
    (source / "debian/files").touch()  # a built tree: nothing is compiled for the tests
    with Machine(request.param) as machine:
        machine.push(source, "/srv/source")
        for package in packages.glob("*.deb"):
            machine.push(package, f"/srv/packages/{package.name}")
        machine.sh("rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")  # nothing outside can be reached anyway
        yield machine


def test_every_test_of_the_package_passes(tested):
    command = "autopkgtest /srv/packages/*.deb /srv/source -- null 2>&1"
    done = tested.run("sh", "-c", command, check=False, timeout=900)
    outcome = dict(
        re.findall(r"^(\w+) +(PASS|FAIL|SKIP|FLAKY)", done.stdout.split("summary\n")[-1], flags=re.MULTILINE)
    )
    assert outcome == {"services": "PASS", "library": "PASS", "command": "PASS"}, done.stdout[-9000:]
    assert done.returncode == 0
