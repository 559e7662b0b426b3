"""docs/overlord.md says what the code does."""

import os

from overlord_harness import ROOT

from hafta import exits
from hafta.overlord.console import ROOM
from hafta.overlord.directives import DIRECTIVES
from hafta.overlord.lines import LINE_MAX
from hafta.overlord.options import PROGRAM
from hafta.overlord.restart import Policy


def text():
    with open(os.path.join(ROOT, "docs/overlord.md"), encoding="utf-8") as file:
        return file.read()


def test_every_honoured_directive_is_named():
    tables = text().partition("## What it takes from unit files")[2].partition("Every other directive")[0]
    named = tables.replace(
        "RuntimeDirectory with Mode and Preserve", "RuntimeDirectory RuntimeDirectoryMode RuntimeDirectoryPreserve"
    )
    named = named.replace("StateDirectory with Mode", "StateDirectory StateDirectoryMode")
    words = set(named.replace(",", " ").replace("(", " ").replace(")", " ").split())
    honoured = {name for section in DIRECTIVES.values() for name in section if not name.startswith("Limit")}
    assert honoured - words == set()
    assert "Limit*" in words


def test_numbers_and_statuses_are_those_of_the_code():
    found = text()
    assert f"up\nto {ROOM // 1024} KiB" in found
    assert f"more than {LINE_MAX // 1024} KiB" in found
    assert f"StartLimitIntervalSec ({Policy.limit_interval:g} s)" in found
    assert f"StartLimitBurst ({Policy.limit_burst})" in found
    statuses = found.partition("## Signals and exit statuses")[2].partition("##")[0]
    assert [status for status in PROGRAM.statuses if f"{status}:" not in statuses] == []
    assert set(PROGRAM.statuses) <= set(exits.MEANING)


def test_every_option_is_explained_in_help_and_the_special_ones_in_prose():
    assert [s.option for s in PROGRAM.settings if s.option not in text()] == ["--debug"]
