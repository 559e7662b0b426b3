"""No content of a unit file is a traceback: each line that cannot be understood is a finding with its place."""

import os

import pytest
from check_support import CLEAN, codes, findings, unit_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hafta.check import analyze
from hafta.check.rule import NOTE, SEVERITIES, Spot
from hafta.check.rules import RULES
from hafta.units.directives import DIRECTIVES

#: 2,000 units in every run.
EXAMPLES = 20_000 if os.environ.get("HAFTA_EXAMPLES") == "many" else 2_000

NAMES = sorted({
    *(name for section in DIRECTIVES.values() for name in section), "RestartSteps", "LogRateLimitBurst", "MemoryMax",
    "LogRateLimitIntervalSec", "LogNamespace", "OnFailure", "StartLimitAction", "PrivateTmp", "ProtectSystem",
    "MemoryDenyWriteExecute", "BusName", "ReadWritePaths", "NoSuchName",
})  # fmt: skip
WORDS = st.sampled_from([
    "", "yes", "no", "0", "-1", "5", "1min 30s", "infinity", "always", "notify", "notify-reload", "all", "root", "%i",
    "%q", "%%", "$X", "${X", "/bin/sh -c 'a; b'", "/bin/sh -c", "/usr/bin/hafta guard --interval=x -- y", "-m",
    "/usr/bin/hafta guard", "/usr/bin/hafta guard --", "/usr/bin/python3 -m hafta.service --durable a:b --state",
    "HAFTA_STATE=/tmp/x", "HAFTA_PIPE=relative", '"', "'", "\\", "\\x", "/nowhere/x.py", "SIGKILL", "99999999999999",
    "a.service", "inherit", "fd:x", "file:/x", "journal", "1e400", "\N{SNOWMAN}", "\udcff", "1:2:3", "@", "-@/x", "+",
])  # fmt: skip
ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=12)
VALUES = st.lists(WORDS | ANY, max_size=3).map(" ".join)
LINES = st.one_of(
    st.builds("{}={}".format, st.sampled_from(NAMES), VALUES),
    st.sampled_from(["[Unit]", "[Service]", "[Service", "[Socket]", "[Install]", "[X-Y]", "", "# x", "x", "=", "\\"]),
    ANY,
)
TEXTS = st.lists(LINES, max_size=25).map(lambda lines: "\n".join(["[Service]", *lines]))


@settings(max_examples=EXAMPLES)
@given(text=TEXTS, name=st.sampled_from(["x.service", "x@.service", "x.socket", "x.target"]), systemd=st.just(252))
def test_any_unit_file_is_judged_without_an_error(tmp_path_factory, text, name, systemd):
    folder = tmp_path_factory.getbasetemp()
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    for one in findings(unit_of(folder, text, name, systemd=systemd)):
        assert one.code in RULES
        assert one.severity in SEVERITIES
        assert one.text
        assert 0 <= one.line <= text.count("\n") + text.count("\r") + 1


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[Service]\nfoo\nExecStart=/bin/true\n", 2, "foo: expected Name=value"),
        ("[Service\nExecStart=/bin/true\n", 1, "[Service: expected a section like [Service]"),
        ("User=x\n[Service]\nExecStart=/bin/true\nUser=x", 1, "User=x: stands outside of any section"),
        ("[Service]\nExecStart=true\\\n '\nUser=x\n", 2, "ExecStart=true '"),
        ("[Service]\nType=exec\nUser=x\n", 0, "no ExecStart="),
        ("[Service]\nUser=\udcff\nExecStart=/bin/true\n", 2, "expected UTF-8"),
    ],
)
def test_a_line_that_cannot_be_understood_has_its_place(tmp_path, text, line, said):
    found = [one for one in findings(unit_of(tmp_path, text)) if one.code == "HC037"]
    assert (line, True) in [(one.line, said in one.text) for one in found]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "Type=dbus\nBusName=a.b\nExecStart=/bin/true",
            "hafta run refuses the unit: Type=dbus: expected a type",
        ),
        ("StandardInput=tty\nExecStart=/bin/true", "hafta run refuses the unit: StandardInput=tty: expected null"),
        ("Type=oneshot\n[Unit]\nSuccessAction=poweroff", "hafta run does not act on SuccessAction=poweroff"),
    ],
)
def test_what_only_the_embedded_overlord_refuses_is_a_note(tmp_path, lines, said):
    found = findings(unit_of(tmp_path, f"[Service]\nUser=x\n{lines}\n"))
    assert [one.code for one in found if one.code == "HC037"] == []
    assert any(one.text.startswith(said) for one in found if one.code == "HC034")


def test_what_is_wrong_in_one_line_leaves_the_others_as_they_are(tmp_path):
    assert codes(unit_of(tmp_path, f"{CLEAN}[Service]\nnonsense\n")) == {"HC037"}


@pytest.mark.parametrize(("content", "said"), [(b"a\0b", "has a NUL byte"), (b"#" * (1 << 20) + b"##", "longer than")])
def test_a_file_that_cannot_be_read_is_a_finding(tmp_path, content, said):
    unit = unit_of(tmp_path, content.decode())
    assert [said in one.text for one in findings(unit) if one.code == "HC037"] == [True]


def test_of_what_systemd_says_the_lines_about_this_unit_are_taken_once():
    lines = [
        "/etc/a@.service:4: Unknown key", "/etc/a@.service:4: Unknown key", "/etc/b.service:4: Unknown key",
        "a@i.service: Command /x is not executable", "b.service: Command /y is not executable", "Failed to connect",
        "/etc/a@.service.d/x.conf:2: Bad",
    ]  # fmt: skip
    assert analyze.said("a@.service", ("/etc/a@.service", "/etc/a@.service.d/x.conf"), lines) == (
        Spot("Unknown key", "/etc/a@.service", 4),
        Spot("Command /x is not executable", "/etc/a@.service"),
        Spot("Bad", "/etc/a@.service.d/x.conf", 2),
    )


def test_severities_are_three_and_notes_are_never_counted():
    assert {rule.severity for rule in RULES.values()} <= {*SEVERITIES}
    assert SEVERITIES[-1] == NOTE
