"""Shell completion, asked of the shells themselves."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import programs
import pytest

ROOT = Path(__file__).parents[2]
SERVICES = {program.name: program for program in programs.services(ROOT)}
COMMON = {"--help", "--version"}

ASK_BASH = """
source "$1"
COMP_WORDS=("${@:2}")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
compopt() { :; }
$(complete -p "$2" | sed 's/.*-F \\([^ ]*\\).*/\\1/') "$2"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def bash(generated, tool):
    """Return what bash offers for a command line that is being typed: it asks the function that the file registers."""
    shell = tool("bash")

    def ask(*words):
        file = str(generated / "completions/bash" / words[0])
        done = subprocess.run([shell, "-c", ASK_BASH, "bash", file, *words], check=True, capture_output=True, text=True)
        assert done.stderr == ""
        return set(done.stdout.split())

    return ask


@pytest.fixture
def fish(generated, tool):
    """Return what fish offers, each with its explanation."""
    shell = tool("fish")

    def ask(line):
        name = line.split()[0]
        script = f"source {generated}/completions/fish/{name}.fish; complete --do-complete '{line}'"
        done = subprocess.run([shell, "--no-config", "-c", script], check=True, capture_output=True, text=True)
        return dict(row.split("\t", 1) if "\t" in row else (row, "") for row in done.stdout.splitlines())

    return ask


@pytest.mark.parametrize("name", SERVICES)
def test_bash_offers_every_option(bash, name):
    assert bash(name, "--") == {setting.option for setting in SERVICES[name].settings} | COMMON


def test_bash_offers_files_for_a_path_and_nothing_for_a_number(bash, tmp_path, monkeypatch):
    (tmp_path / "a-pipe").touch()
    monkeypatch.chdir(tmp_path)
    assert bash("hafta-server", "--pipe", "a") == {"a-pipe"}
    assert bash("hafta-server", "--pipe", "=", "a") == {"a-pipe"}
    assert bash("hafta-server", "--count", "") == set()


@pytest.mark.parametrize("name", SERVICES)
def test_fish_offers_every_option_and_explains_it(fish, name):
    offered = fish(f"{name} --")
    shown = {setting.option: setting.help for setting in SERVICES[name].settings}
    assert {option for option in offered if option.startswith("--")} == shown.keys() | COMMON
    assert all(offered[option] == text for option, text in shown.items())


def test_fish_offers_no_files_where_none_belong(fish, tmp_path, monkeypatch):
    (tmp_path / "a-pipe").touch()
    monkeypatch.chdir(tmp_path)
    assert "a-pipe" not in fish("hafta-server --count ")
    assert "a-pipe" in fish("hafta-server --pipe a")


def test_zsh_reads_every_completion(generated, tool):
    shell = tool("zsh")
    for path in (generated / "completions/zsh").iterdir():
        subprocess.run([shell, "--no-exec", str(path)], check=True)


#: The quotes keep the echo of what is typed from being taken for the prompt.
SET_UP_ZSH = """\
LISTMAX=0; fpath=({directory} $fpath)
autoload -Uz compinit; compinit -u -D; PS1='no''w>'
"""


def read_until(fd, words, timeout=90):
    """Return what a terminal showed as soon as all the words are in it, or when the time is up."""
    shown, end = "", time.monotonic() + timeout
    while any(word not in shown for word in words) and (left := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            shown += os.read(fd, 65536).decode(errors="replace")
    return shown


@contextlib.contextmanager
def zsh(shell, directory, path):
    """A terminal in which zsh waits for a command, because zsh completes nowhere else."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(shell, ["zsh", "-f", "-i"], {"PATH": path, "TERM": "xterm", "COLUMNS": "200"})
    try:
        os.write(fd, SET_UP_ZSH.format(directory=directory).encode())
        assert "now>" in read_until(fd, ["now>"])
        yield fd
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


@pytest.fixture
def hafta(tmp_path, monkeypatch):
    """Put the command itself on the path: click's completions call it."""
    command = tmp_path / "bin" / "hafta"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom hafta.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    return command.parent


TYPED = {
    "run": {"run"},
    "c": {"check", "checkpoints", "ctl"},
    "ctl is-a": {"is-active"},
    "drill feed ki": {"kill"},
    "checkpoints ": {"show", "discard"},
    "g": {"guard"},
    "u": {"unit"},
    "unit --inst": {"--install"},
    "run --ep": {"--ephemeral"},
    "guard --f": {"--failures"},
    "checkpoints discard --y": {"--yes"},
}


@pytest.mark.parametrize("typed", TYPED)
def test_bash_and_fish_complete_hafta(bash, fish, hafta, typed):
    assert bash("hafta", *typed.split(" ")) == TYPED[typed]
    assert {word.strip() for word in fish(f"hafta {typed}")} == TYPED[typed]


#: A list of several, each with its explanation; what there is only one of, a terminal shows in pieces.
LISTED = {
    "hafta ": {"run", "Run systemd units", "checkpoints", "Show where durable sequences"},
    "hafta checkpoints ": {"show", "Show everything that is known", "discard", "Remove a record"},
    "hafta run --": {"--unit-path", "--ephemeral", "what stands for /var/lib (%S)"},
    **{
        f"{name} --": COMMON | {words for setting in program.settings for words in (setting.option, setting.help[:30])}
        for name, program in SERVICES.items()
    },
}


@pytest.mark.parametrize("typed", LISTED)
def test_zsh_offers_every_option_and_command_and_explains_it(generated, tool, hafta, typed):
    with zsh(tool("zsh"), generated / "completions/zsh", f"{hafta}:/usr/bin:/bin") as fd:
        os.write(fd, f"{typed}\t\t".encode())
        shown = read_until(fd, LISTED[typed])
    assert [words for words in LISTED[typed] if words not in shown] == []
