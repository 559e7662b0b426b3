"""Fixtures of the packaging tests: what the generator writes, and the packages, each made once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
sys.path[:0] = [str(ROOT / "packaging" / "generate"), str(ROOT / "docs" / "site")]


def pytest_itemcollected(item):
    """Mark what stands here."""
    if item.path.is_relative_to(Path(__file__).parent):
        item.add_marker(pytest.mark.packaging)


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    """The directory that packaging/generate fills, for Debian."""
    output = tmp_path_factory.mktemp("generated")
    subprocess.run([sys.executable, "-B", str(ROOT / "packaging" / "generate"), str(output)], check=True, cwd=output)
    return output


@pytest.fixture(scope="session")
def tool():
    """Return the path of one of the distribution's tools. As root it is installed; in CI it must be there."""

    def find(command, package=None):
        if not shutil.which(command, path=PATH) and os.geteuid() == 0:
            subprocess.run([str(ROOT / "packaging" / "need"), package or command], check=False, capture_output=True)
        found = shutil.which(command, path=PATH)
        if found is None:
            text = f"{command} is missing: install {package or command}"
            pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)
        return found

    return find
