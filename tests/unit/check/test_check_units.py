"""Each rule of units: its bad example gives exactly its code, and its good one none."""

import pytest
from check_support import CLEAN, codes, findings, unit_of, with_lines

from hafta.check.rule import Spot
from hafta.check.rules import BY_KIND, UNIT

#: What is found out besides the text: of the bad example, and of the good one.
FACTS = {
    "HC030": ({"exposure": 9.2}, {"exposure": 0.4}),
    "HC035": ({"stale": True}, {}),
    "HC036": ({"hides": ("/usr/lib/systemd/system/feed.service",)}, {}),
    "HC038": ({"verified": (Spot("Unknown key 'Foo'", "/x", 3),)}, {}),
}
RULES = {rule.code: rule for rule in BY_KIND[UNIT]}
BY_TEXT = sorted(RULES.keys() - FACTS.keys())


def test_what_hafta_unit_prints_has_no_finding(tmp_path):
    assert findings(unit_of(tmp_path, CLEAN)) == []


@pytest.mark.parametrize("code", [one for one in BY_TEXT if one != "HC034"])
def test_the_bad_example_gives_exactly_its_code_and_the_good_one_does_not(tmp_path, code):
    rule = RULES[code]
    found = {
        kind: codes(unit_of(tmp_path, with_lines(text))) for kind, text in (("bad", rule.bad), ("good", rule.good))
    }
    also = {"HC016"} if code == "HC018" else set()  # without any directory, crashes are not counted either
    assert found == {"bad": {code} | also, "good": set()}


@pytest.mark.parametrize("code", FACTS)
def test_what_is_found_out_besides_the_text_gives_exactly_its_code(tmp_path, code):
    bad, good = FACTS[code]
    assert [codes(unit_of(tmp_path, CLEAN, **facts)) for facts in (bad, good)] == [{code}, set()]


def test_what_the_embedded_overlord_leaves_out_is_a_note_with_its_line(tmp_path):
    rule = RULES["HC034"]
    text = with_lines(rule.bad)
    [one] = findings(unit_of(tmp_path, text))
    assert (one.code, one.severity, text.splitlines()[one.line - 1]) == ("HC034", "note", rule.bad)
    assert findings(unit_of(tmp_path, with_lines(rule.good))) == []


@pytest.mark.parametrize(
    "code", [one for one in BY_TEXT if RULES[one].bad.count("\n") == 0 and RULES[one].bad[0] != "#"]
)
def test_a_finding_names_the_line_that_is_wrong(tmp_path, code):
    """Those whose bad example is one line: that line."""
    text = with_lines(RULES[code].bad)
    [one] = [one for one in findings(unit_of(tmp_path, text)) if one.code == code]
    assert text.splitlines()[one.line - 1] == RULES[code].bad


def test_a_mask_is_found(tmp_path):
    [one] = findings(unit_of(tmp_path, CLEAN, masked="/etc/systemd/system/feed.service"))
    assert (one.code, one.text) == ("HC036", "masked: it cannot be started")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("Type=notify-reload", set()),  # judged for 254, which has it
        ("RestartSteps=5", set()),
        ("RestartSec=0\nRestart=no", {"HC011"}),
        ("ExecStart=/usr/bin/hafta guard --interval=5 -- /bin/true\nWatchdogSec=39", {"HC005"}),
        ("ExecStart=/usr/bin/hafta guard --interval=5 -- /bin/true\nWatchdogSec=40", set()),
        ("ExecStart=/usr/bin/hafta guard --interval=x -- /bin/true", set()),  # the guard says that itself
        ("ExecStart=/usr/bin/hafta guard --help", set()),
        ("WatchdogSec=500ms", {"HC005"}),
        ("StandardOutput=append:/x\nStandardError=inherit", {"HC022"}),
        ("StandardOutput=append:/x\nStandardError=journal", set()),
        ("Environment=HAFTA_STATE=/srv/feed", {"HC033"}),
        ("Environment=HAFTA_STATE=/srv/feed\nReadWritePaths=/srv", set()),
        ("Environment=HAFTA_STATE=/var/lib/feed/x", set()),
        ("Environment=HAFTA_STATE=/run/feed", {"HC019"}),
        ("Environment=HAFTA_STATE=/home/joe", {"HC033"}),
        ("Environment=HAFTA_DURABLE=yes\n# no StateDirectory=", {"HC019"}),
        ("Environment=HAFTA_DURABLE=no\n# no StateDirectory=", set()),
        ("[Unit]\nBindsTo=a.socket b.service", {"HC025"}),
        ("[Unit]\nRequires=a.socket", set()),
        ("[Unit]\nFailureAction=reboot-force", {"HC029"}),
        ("LogRateLimitBurst=0", {"HC020"}),
        ("User=root", {"HC031"}),
        ("User=0", {"HC031"}),
        ("ExecStart=\nExecStart=/usr/bin/hafta-client", set()),
        ("KillMode=none", set()),
        ("StandardError=tty", set()),
        ("Type=dbus\nBusName=a.b\nRestart=no", set()),  # the bus starts it again
        ("Type=forking", set()),
        ("Type=simple", {"HC004"}),
        ("Type=oneshot\nRestart=no\nUser=root\n# no WatchdogSec=", set()),
    ],
)  # fmt: skip
def test_values_are_weighed_as_systemd_reads_them(tmp_path, lines, expected):
    assert codes(unit_of(tmp_path, with_lines(lines), systemd=254)) == set(expected)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("umask 027; exec feed", set()),
        ("umask 027 && feed", {"HC001"}),
        ("feed", set()),  # shells of today exec a single command by themselves
        ("", set()),
    ],
)
def test_a_shell_is_a_problem_only_if_it_stays(tmp_path, script, expected):
    text = with_lines(f"ExecStart=/bin/sh -ec '{script}'\nEnvironment=HAFTA_INSTANCE=x")
    assert codes(unit_of(tmp_path, text)) == expected


def test_a_program_of_somebody_else_is_asked_for_less(tmp_path):
    text = "[Service]\nExecStart=/usr/sbin/sshd -D\nRestart=on-failure\nRestartSec=5\nUser=sshd\n"
    assert codes(unit_of(tmp_path, text, name="sshd.service")) == set()


def test_a_script_that_imports_hafta_is_a_service_of_ours_and_its_compiler_is_found(tmp_path):
    from hafta.check.reading import imports_of

    script = tmp_path / "feed.py"
    script.write_text("import sys, hafta.service\nfrom cffi import FFI\n")
    text = with_lines(f"ExecStart=/usr/bin/python3 {script}\nRestart=on-failure")
    unit = unit_of(tmp_path, text)
    imports = imports_of(unit.program)
    assert imports == {"sys", "hafta", "cffi"}
    assert codes(unit_of(tmp_path, text, imports=imports)) == {"HC011", "HC032"}
    assert imports_of(("/bin/true", "relative.py", "/nowhere.py")) == frozenset()


def test_a_unit_of_a_user_runs_as_that_user(tmp_path):
    text = with_lines("# no User=")
    assert codes(unit_of(tmp_path, text, of_user=True)) == set()


def test_a_line_that_systemd_names_is_not_named_twice(tmp_path):
    text = with_lines("Restart=sometimes\nFoo=1")
    unit = unit_of(tmp_path, text)
    lines = {spot.line for spot in (*unit.problems, *unit.unheeded)}
    said = tuple(Spot("ignoring", unit.file, line) for line in lines)
    found = [(one.code, one.line) for one in findings(unit_of(tmp_path, text, verified=said)) if one.line in lines]
    assert sorted(found) == sorted((code, text.splitlines().index(line) + 1) for code, line in (
        ("HC037", "Restart=sometimes"), ("HC038", "Foo=1"),
    ))  # fmt: skip
