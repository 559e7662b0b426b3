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
def tell(record_property, request):
    """Say the figure of a torture, in the summary of the run."""

    def figure(faults: int, what: str) -> None:
        record_property("faults", faults)
        record_property("figure", f"{request.node.name}: {faults} faults ({what}), 0 violations")

    return figure


def pytest_terminal_summary(terminalreporter):
    said = [dict(report.user_properties) for report in terminalreporter.stats.get("passed", [])]
    figures = [properties for properties in said if "figure" in properties]
    for properties in figures:
        terminalreporter.write_line(properties["figure"])
    if figures:
        faults = sum(properties["faults"] for properties in figures)
        terminalreporter.write_line(f"torture: {faults} faults, 0 violations in what passed", bold=True)


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
