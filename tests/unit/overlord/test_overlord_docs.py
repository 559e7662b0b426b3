"""docs/overlord.md says what the code does."""

import os

from overlord_harness import ROOT

from hafta import exits
from hafta.overlord.console import ROOM
from hafta.overlord.lines import LINE_MAX
from hafta.overlord.options import PROGRAM
from hafta.units import socketfile
from hafta.units.directives import DIRECTIVES
from hafta.units.restart import Policy

#: Directives of which the table names the first word only.
GROUPS = ("Limit", "Condition", "Assert")


def text():
    with open(os.path.join(ROOT, "docs/overlord.md"), encoding="utf-8") as file:
        return file.read()


def test_every_honoured_directive_of_sockets_is_named():
    with open(os.path.join(ROOT, "docs/sockets.md"), encoding="utf-8") as file:
        tables = file.read().partition("## What it takes from a `.socket` unit")[2]
    named, _, refused = tables.partition("Refused, each with a line")
    assert set(socketfile.HONOURED) - words_of(named) == set()
    assert set(socketfile.REFUSED) - words_of(refused) == set()


def words_of(text):
    return set(text.replace(",", " ").replace("(", " ").replace(")", " ").replace(".", " ").split())


def test_every_honoured_directive_is_named():
    tables = text().partition("## What it takes from unit files")[2].partition("Every other directive")[0]
    words = set(tables.replace(",", " ").replace("(", " ").replace(")", " ").split())
    names = (*DIRECTIVES["Unit"], *DIRECTIVES["Service"])
    honoured = {name for name in names if not name.startswith(GROUPS)}
    assert honoured - words == set()
    assert {f"{group}*" for group in GROUPS} <= words


def test_numbers_and_statuses_are_those_of_the_code():
    found = text()
    assert f"up\nto {ROOM // 1024} KiB" in found
    assert f"more than {LINE_MAX // 1024} KiB" in found
    assert f"StartLimitIntervalSec ({Policy().limit_interval:g} s)" in found
    assert f"StartLimitBurst ({Policy().limit_burst})" in found
    statuses = found.partition("## Signals and exit statuses")[2].partition("##")[0]
    assert [status for status in PROGRAM.statuses if f"{status}:" not in statuses] == []
    assert set(PROGRAM.statuses) <= set(exits.MEANING)


def test_every_option_is_explained_in_help_and_the_special_ones_in_prose():
    assert [s.option for s in PROGRAM.settings if s.option not in text()] == ["--debug"]
