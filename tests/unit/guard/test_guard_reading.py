"""How probes are written, and that a wrong one is an error before anything runs."""

import re

import pytest

from hafta.errors import UsageError
from hafta.guard.options import PROGRAM
from hafta.guard.probes import KINDS, spec
from hafta.settings import help_text, parse

GOOD = [
    *("process", "tcp:127.0.0.1:80", "tcp:[::1]:80", "tcp:localhost:65535", "unix:/run/x", "unix:@x", "pipe:/run/x"),
    *("http://127.0.0.1", "http://[::1]/x?y=1#204", "https://localhost:8443/health", "file:beat:0.5", "file:/a:b:10"),
    *("command:true", "command:/bin/sh -c 'exit 0'"),
]
#: What is wrong, and a part of what is said.
BAD = {
    "": "a probe: tcp:ADDRESS:PORT, unix:PATH",
    "ftp:x": "a probe: tcp:",
    "process:1": "process",
    "tcp:127.0.0.1": "tcp:ADDRESS:PORT (a port from 1 to 65535)",
    "tcp:127.0.0.1:0": "a port from 1 to 65535",
    "tcp:127.0.0.1:65536": "a port from 1 to 65535",
    "tcp:127.0.0.1:\u0661": "a port from 1 to 65535",
    "tcp:::1:80": "a port from 1 to 65535",
    "tcp:[127.0.0.1]:80": "an IP address",
    "tcp:example.org:80": "looking up a name may take for ever",
    "http:/127.0.0.1": "http://ADDRESS[:PORT]/PATH[#STATUS]",
    "http://127.0.0.1/a b": "without blanks",
    "http://127.0.0.1/\r\nX: y": "without blanks",
    "http://127.0.0.1/#20": "a status of three digits",
    "https://example.org/": "an IP address or localhost",
    "unix:relative": "an absolute path, or @NAME",
    "unix:": "an absolute path",
    "unix:@": "an absolute path",
    "unix:/" + 107 * "x": "at most 107 bytes",
    "pipe:relative": "an absolute path",
    "file:/x": "seconds, more than 0",
    "file:/x:0": "seconds, more than 0",
    "file:/x:soon": "a number, 0 or more",
    "file::3": "seconds, more than 0",
    "command:": "command:PROGRAM ARG...",
    "command:'x": "No closing quotation",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_probe_is_read(text):
    assert [each.text for each in spec(text)] == [text]


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_probe_says_what_was_expected(text):
    with pytest.raises(ValueError, match=re.escape(BAD[text])):
        spec(text)


def test_every_kind_is_in_the_help():
    assert all(shape in help_text(PROGRAM) for shape in KINDS.values())


@pytest.mark.parametrize("option", ["interval", "timeout", "start-grace", "stop-grace", "failures"])
def test_a_setting_is_more_than_nothing_and_its_variable_is_not_that_of_a_service_inside(option):
    for word in ("0", "-1", "inf", "soon"):
        with pytest.raises(UsageError, match=f"--{option}: '{word}' is not a"):
            parse(PROGRAM, [f"--{option}={word}"], {})
    variable = f"HAFTA_GUARD_{option.upper().replace('-', '_')}"
    assert getattr(parse(PROGRAM, [], {variable: "7"})[0], option.replace("-", "_")) == 7
    assert variable in help_text(PROGRAM)


def test_several_probes_are_joined_and_what_follows_the_dashes_is_the_programs():
    values, operands = parse(PROGRAM, ["--probe", "process", "--probe=file:x:1", "--", "x", "--probe", "y"], {})
    assert [each.text for each in values.probe] == ["process", "file:x:1"]
    assert operands == ["x", "--probe", "y"]
