"""Torture: faults in bulk. HAFTA_TORTURE=long takes minutes to hours; the short mode a few minutes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

LONG = os.environ.get("HAFTA_TORTURE") == "long"


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(os.path.dirname(__file__)):
            item.add_marker(pytest.mark.torture)


@pytest.fixture
def long():
    """Whether to take the time."""
    return LONG


@pytest.fixture
def tell(capsys, request):
    """Print the figure of a torture, past pytest's capture."""

    def figure(faults: int, what: str) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}: {faults} faults ({what}), 0 violations")

    return figure


def need(*tools: str) -> pytest.MarkDecorator:
    """Skip, outside CI, where a tool is missing."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def need_fuse() -> pytest.MarkDecorator:
    """Skip, outside CI, where a disk cannot be served from user space."""
    asked = subprocess.run(["/usr/bin/python3", "-c", "import fusepy"], check=False, capture_output=True)
    missing = asked.returncode != 0 or not os.path.exists("/dev/fuse")
    return pytest.mark.skipif(missing, reason="needs /dev/fuse and python3-fusepy")


def as_root(why: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(os.geteuid() != 0, reason=f"needs root: {why}")
