"""Each rule of the machine: its bad example gives exactly its code, and its good one none."""

import pytest

from hafta.check import here
from hafta.check.machine import MANY, Machine
from hafta.check.rule import Spot
from hafta.check.rules import BY_KIND, MACHINES
from hafta.errors import HaftaError
from hafta.units.unitfile import parse

RULES = {rule.code: rule for rule in BY_KIND[MACHINES]}
FACTS = {
    "HC043": ({"is_synchronised": False}, {"is_synchronised": True}),
    "HC044": ({"files": MANY + 1}, {"files": MANY}),
    "HC045": ({"broken": (Spot("damaged", "/x"),)}, {}),
}


def codes(text="", **facts):
    """Return what the rules find in a machine with this journald.conf."""
    subject = Machine(tuple(parse(text, "/etc/systemd/journald.conf", [])), **facts)
    return {code for code, rule in RULES.items() if list(rule.find(subject))}


@pytest.mark.parametrize("code", RULES)
def test_the_bad_example_gives_exactly_its_code_and_the_good_one_does_not(code):
    if code in FACTS:
        found = [codes(**facts) for facts in FACTS[code]]
    else:
        found = [codes(text) for text in (RULES[code].bad, RULES[code].good)]
    assert found == [{code}, set()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", set()),
        ("Storage=auto", set()),
        ("Storage=none", {"HC040"}),
        ("SystemMaxUse=32M", {"HC041"}),
        ("SystemMaxUse=1G", set()),
        ("SystemMaxUse=10%", set()),
        ("SystemMaxUse=x", set()),
        ("MaxRetentionSec=0", set()),
        ("MaxRetentionSec=soon", set()),
        ("RateLimitIntervalSec=0", {"HC042"}),
        ("RateLimitBurst=0", {"HC042"}),
        ("RateLimitBurst=x", set()),
        ("RateLimitIntervalSec=1h", {"HC042"}),
        ("RateLimitBurst=100\nRateLimitBurst=", set()),
        ("nonsense", set()),
    ],
)
def test_settings_are_weighed_as_journald_reads_them(text, expected):
    assert codes(f"[Journal]\n{text}\n") == expected


def test_without_its_directory_the_journal_is_in_memory_unless_it_is_made():
    assert codes(has_folder=False) == {"HC040"}
    assert codes("[Journal]\nStorage=persistent\n", has_folder=False) == set()


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Look at a machine whose files are here, and whose tools say what they are told to."""
    said = {"timedatectl": "yes\n", "journalctl": ""}

    def run(name, *_words, **_how):
        if said[name] is None:
            raise HaftaError(f"{name} is not installed")
        return type("Done", (), {"stdout": said[name], "stderr": said[name]})

    monkeypatch.setattr(here, "run", run)
    monkeypatch.setattr(here, "BOOTED", str(tmp_path))
    monkeypatch.setattr(here, "JOURNALS", str(tmp_path / "journal"))
    monkeypatch.setattr(here, "SETTINGS", (str(tmp_path / "etc"), str(tmp_path / "lib")))
    (tmp_path / "journal/id").mkdir(parents=True)
    for name in ("etc", "lib"):
        (tmp_path / name / "journald.conf.d").mkdir(parents=True)

    def look(*, deep=False, **says):
        said.update(says)
        return here.machine(deep=deep)

    look.place = tmp_path
    return look


def test_files_that_are_not_of_a_journal_are_found(found):
    (found.place / "journal/id/system.journal").write_bytes(b"LPKSHHRH" + bytes(99))
    (found.place / "journal/id/user-1000.journal~").write_bytes(b"nonsense")
    (found.place / "journal/id/other").write_bytes(b"nonsense")
    machine, missing = found()
    assert (machine.files, missing, machine.is_synchronised, machine.has_folder) == (2, [], True, True)
    assert machine.broken == (Spot("does not begin as a journal does", f"{found.place}/journal/id/user-1000.journal~"),)


def test_deep_asks_journalctl_about_each_file(found):
    said = "PASS: /a\nFAIL: /b.journal (Bad message)\n  FAIL: /c.journal (x)\n"
    machine, missing = found(deep=True, journalctl=said)
    damaged = "damaged, says journalctl --verify"
    assert (machine.broken, missing) == ((Spot(damaged, "/b.journal"), Spot(damaged, "/c.journal")), [])
    assert found(deep=True, journalctl=None)[1] == ["journalctl --verify: journalctl is not installed"]


def test_the_settings_are_those_of_the_first_file_and_of_all_drop_ins(found):
    (found.place / "etc/journald.conf").write_text("[Journal]\nStorage=volatile\nnonsense\n")
    (found.place / "lib/journald.conf").write_text("[Journal]\nStorage=none\n")
    (found.place / "lib/journald.conf.d/b.conf").write_text("[Journal]\nStorage=auto\n")
    (found.place / "etc/journald.conf.d/b.conf").write_text("[Journal]\nStorage=persistent\n")
    (found.place / "etc/journald.conf.d/a.conf").mkdir()
    machine, _ = found()
    assert [entry.value for entry in machine.settings] == ["volatile", "persistent"]
    assert machine.last("Storage").file == f"{found.place}/etc/journald.conf.d/b.conf"


@pytest.mark.parametrize("answer", [None, "", "n/a\n"])
def test_a_clock_that_cannot_be_asked_is_missing(found, answer):
    machine, missing = found(timedatectl=answer)
    assert (machine.is_synchronised, missing) == (None, ["the clock: timedatectl does not answer"])


def test_where_systemd_does_not_run_that_is_said(found, monkeypatch):
    monkeypatch.setattr(here, "BOOTED", str(found.place / "nowhere"))
    assert found() == (None, ["this machine's journal and clock: systemd does not run here"])
