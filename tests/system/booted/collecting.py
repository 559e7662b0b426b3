"""What the suites of booted machines share at collection: the mark, and the words where none can be booted."""

from __future__ import annotations

import os

import pytest

from .runtime import remove_leftovers, why_not


def mark(item, here):
    """Mark what stands here."""
    if item.path.is_relative_to(here):
        item.add_marker(pytest.mark.system)


def skip_without_machines(config, items, here):
    """Where no machine can be booted, skip what stands here and say why; but never in CI."""
    mine = [item for item in items if item.path.is_relative_to(here)]
    if mine and not config.option.collectonly and not os.environ.get("CI") and (reason := why_not()):
        for item in mine:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def no_leftovers():
    """Machines of a run that was killed are removed before this one."""
    assert not why_not(), why_not()
    remove_leftovers()
