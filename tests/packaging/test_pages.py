"""The man pages: one per command and per unit, whole, free of roff's warnings, and with every option that there is."""

import inspect
import re
import signal
import subprocess
from pathlib import Path

import manpages
import programs
import pytest

from hafta import exits
from hafta.cli import picture
from hafta.engine.words import Kind
from hafta.guard.guard import FORWARDED, STOPS
from hafta.guard.probes import KINDS as KINDS_OF_PROBES
from hafta.overlord.overlord import STOP_SIGNALS

ROOT = Path(__file__).parents[2]
COMMANDS = dict(programs.walk())
SERVICES = {program.name: program for program in programs.services(ROOT)}
UNITS = [path.name for pattern in ("*.service", "*.target", "*.timer") for path in (ROOT / "units").glob(pattern)]
PAGES = [
    "hafta.7",
    *(f"{name.replace(' ', '-')}.1" for name in (*COMMANDS, *SERVICES)),
    *(f"{name}.8" for name in UNITS),
]


@pytest.fixture
def page(generated, tool):
    """Return the text of a page as a reader sees it, one line a paragraph, with what roff has to complain of."""

    def read(name):
        text = (generated / "man" / name).read_text()
        if link := re.fullmatch(r"\.so man\d/(.*)\n", text):
            return read(link[1])
        command = [tool("groff"), "-man", "-Tutf8", "-ww", "-P-c", "-rLL=10000n", "-rHY=0"]
        done = subprocess.run(command, input=text, check=True, capture_output=True, text=True)
        assert done.stderr == ""
        return re.sub(r".\x08", "", done.stdout)

    return read


@pytest.mark.parametrize("name", PAGES)
def test_every_command_and_every_unit_has_a_whole_page(page, name):
    text = page(name)
    for section in ("NAME", "DESCRIPTION", "ENVIRONMENT", "EXIT STATUS", "SEE ALSO"):
        assert re.search(rf"(?m)^{section}$", text), section
    assert not re.search(r"@[A-Z]+@", text)


def test_there_is_no_page_for_what_does_not_exist(generated):
    assert sorted(path.name for path in (generated / "man").iterdir()) == sorted(PAGES)


@pytest.mark.parametrize("name", SERVICES)
def test_the_page_of_a_service_has_all_that_its_help_has(page, name):
    text = page(f"{name}.1")
    for setting in SERVICES[name].settings:
        assert re.search(rf"(?m)^ +{setting.option}\b", text), setting.option
        assert re.search(rf"(?m)^ +{setting.variable}$", text), setting.variable
    for status in SERVICES[name].statuses:
        assert re.search(rf"(?m)^ +{status} +\S", text), status


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_a_command_has_all_that_its_help_has(page, name):
    import click

    text = page(f"{name.replace(' ', '-')}.1")
    for parameter in COMMANDS[name].params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            assert re.search(rf"(?m)^ +(-\w, )?{option}\b", text), option
    for child in getattr(COMMANDS[name], "commands", ()):
        assert f"{name} {child}(1)".replace(" ", "-") in text


SIGNALS = [signum.name for signum in STOP_SIGNALS if isinstance(signum, signal.Signals)]
KINDS = [kind.name for kind in Kind if kind is not Kind.ORPHANED]  # of changed programs: docs/durable.md
WORDS = {
    "hafta-guard.1": [signum.name for signum in (*STOPS, *FORWARDED)] + list(KINDS_OF_PROBES),
    "hafta-run.1": [*SIGNALS, "SIGRTMIN+3", "SIGUSR1"],
    "hafta.7": [*KINDS, "userdata", "policy event", "verdict", "panic"],
}


@pytest.mark.parametrize("name", WORDS)
def test_pages_have_every_signal_and_the_words_of_the_library_and_that_of_the_concepts_every_exit_status(page, name):
    text = page(name)
    assert [word for word in WORDS[name] if word not in text] == []
    assert name != "hafta.7" or all(re.search(rf"(?m)^ +{status} +\S", text) for status in exits.MEANING)


#: What the code reads of the environment besides the settings.
OF_STORES = ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HOME")
READ_TOO = {
    "hafta-unit.1": ("PATH", "PYTHONPATH", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "HOME"),
    "hafta-guard.1": ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNTIME_DIRECTORY", "JOURNAL_STREAM", "PATH"),
    "hafta-run.1": ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME", "NO_COLOR", "TERM", "JOURNAL_STREAM"),
    "hafta-checkpoints.1": (*OF_STORES, "NO_COLOR", "TERM", "COLUMNS"),
    "hafta-checkpoints-show.1": OF_STORES,
    "hafta-checkpoints-discard.1": OF_STORES,
    "hafta-client.service.8": ("HAFTA_PIPE", "HAFTA_INSTANCE"),
    "hafta-server.service.8": ("HAFTA_PIPE", "HAFTA_MODE"),
}


@pytest.mark.parametrize("name", READ_TOO)
def test_a_page_names_every_variable_that_counts(page, name):
    section = re.search(r"(?ms)^ENVIRONMENT$(.*?)^[A-Z]", page(name))[1]
    assert [variable for variable in READ_TOO[name] if not re.search(rf"\b{variable}\b", section)] == []


def test_the_page_of_the_checkpoints_explains_all_that_the_table_and_the_json_show(page):
    text = page("hafta-checkpoints.1")
    table, _, json = text.partition("\n   The table\n")[2].partition("\n   JSON\n")
    marks = {mark.strip() for mark, _ in picture._DOING.values()} | {"(interrupted)", "(stopped)", "(ended)", "[pid]"}
    assert [word for word in (*picture.COLUMNS, *marks) if word not in table] == []
    keys = set(re.findall(r'(?m)"(\w+)": ', inspect.getsource(picture))) - {"base64"}
    assert len(keys) > 25
    assert [key for key in keys if not re.search(rf"\b{key}\b", json)] == []


def test_pages_refer_only_to_pages_that_exist(page):
    """Others' pages are systemd's, the shell's, and the kernel's."""
    own = {f"{name[:-2]}({name[-1]})" for name in PAGES}
    for name in PAGES:
        assert set(re.findall(r"hafta[\w.@-]*\(\d\)", page(name))) <= own, name


def test_a_command_without_a_page_and_a_word_that_nothing_stands_for_fail_the_build(monkeypatch):
    with pytest.raises(manpages.PageError, match=r"x\.1: nothing stands for @OPTIONS@"):
        manpages.render("x.1", ".SH X\n@OPTIONS@\n", {}, {})
    monkeypatch.setattr(manpages, "SOURCES", "packaging/rpm")
    with pytest.raises(manpages.PageError, match=r"no page for .*hafta-client\.1, .*: write packaging/rpm/hafta"):
        manpages.files(ROOT)


@pytest.mark.parametrize(
    ("text", "roff"),
    [("a-b", "a\\-b"), (".TH x", "\\&.TH x"), ("it's", "it\\(aqs"), ("\\n", "\\en"), ("a^b~c", "a\\(hab\\(tic")],
)
def test_text_means_nothing_to_roff(text, roff):
    assert manpages.escape(text) == roff
