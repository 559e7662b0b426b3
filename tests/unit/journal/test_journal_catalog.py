"""`journalctl -x` explains every event: the catalog and the code hold each other."""

import pathlib
import re
import shutil
import subprocess

import pytest
from journal_support import KINDS

from hafta.journal import events

CATALOG = pathlib.Path(__file__).parents[3] / "units" / "hafta.catalog"
HEADERS = ["Subject", "Defined-By", "Support", "Documentation"]
ALWAYS = {"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "HAFTA_EVENT", "HAFTA_NUMBER"}


def entries():
    """Return what stands behind each MESSAGE_ID: the header lines and the prose."""
    _, *parts = re.split(r"^-- ([0-9a-f]{32})\n", CATALOG.read_text(), flags=re.MULTILINE)
    found = {}
    for identifier, text in zip(parts[::2], parts[1::2], strict=True):
        assert identifier not in found
        header, _, prose = text.partition("\n\n")
        found[identifier] = (header.splitlines(), prose.strip())
    return found


def fields_always_there(kind):
    required = {f"HAFTA_{name.upper()}" for name in kind._fields if name not in kind._defaults}
    return required | ALWAYS


def test_every_event_is_explained_and_nothing_else_is():
    assert {kind.MESSAGE_ID for kind in KINDS} == set(entries())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.NAME)
def test_an_explanation_has_its_headers_and_says_what_and_what_to_do_with_fields_that_each_such_entry_has(kind):
    header, prose = entries()[kind.MESSAGE_ID]
    assert [line.split(":")[0] for line in header] == HEADERS
    assert "Documentation: man:hafta(7)" in header
    assert len(prose.split("\n\n")) >= 2
    assert set(re.findall(r"@(\w+)@", "\n".join([*header, prose]))) <= fields_always_there(kind)
    every = fields_always_there(kind) | {f"HAFTA_{name.upper()}" for name in kind._fields} | {"HAFTA_REPEATED"}
    assert set(re.findall(r"\bHAFTA_[A-Z_]+", prose)) <= every
    assert "_USEC@" not in prose, "the message says a time as a person would"


def test_a_rollback_of_a_node_that_had_not_failed_is_explained():
    """Every death of the server gives one: control comes back to open_pipe."""
    _, prose = entries()[events.RolledBack.MESSAGE_ID]
    assert "If that is 0, it had not failed" in prose
    assert "If it has a rollback function" in prose


def test_journalctl_compiles_the_catalog(tmp_path):
    if not (journalctl := shutil.which("journalctl")):
        pytest.skip("there is no journalctl on this machine")
    catalogs = tmp_path / "usr/lib/systemd/catalog"
    catalogs.mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    shutil.copy(CATALOG, catalogs)

    def run(option):
        done = subprocess.run([journalctl, option, f"--root={tmp_path}"], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    run("--update-catalog")
    assert {line.split()[0] for line in run("--list-catalog").splitlines()} == set(entries())
    dumped = run("--dump-catalog")
    for header, prose in entries().values():
        assert header[0] in dumped
        assert prose in dumped
