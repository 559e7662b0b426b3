"""The how-to pages: each file that a page shows is written, each command runs, and prints what stands there."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from processes import PATIENCE

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs" / "howto").glob("*.md"))
TASKS = [page for page in PAGES if page.name != "README.md"]
FILE = re.compile(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```(\w+)\n", re.MULTILINE)
#: Ends the output of a command; its exit status follows.
MARK = "\x1e"
#: Where `hafta` and `python3` are ours.
OURS = Path(sys.executable).parent


def commands(text):
    """Yield each command of a page with the lines that it prints."""
    for block in CONSOLE.findall(text):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def script(lines):
    """Return one program of the shell for all commands: a person types the next one when the last one has ended."""
    parts = []
    for line in lines:
        if line.startswith("hafta ctl is-active "):  # it has just been started: a person would look again, too
            parts.append(f"until {line} >/dev/null 2>&1; do sleep 0.1; done")
        parts.append(line)
        if line.endswith("&"):
            parts.append("export HAFTA_CONTROL=$!")
        parts.append(f"printf '{MARK}%s\\n' $?")
    return "\n".join(parts)


def pattern(output):
    """Return what matches these lines: `...` stands for anything, alone in a line for any number of lines."""
    lines = output.splitlines(keepends=True)
    return "".join(r"(?:.*\n)*?" if one == "...\n" else re.escape(one).replace(r"\.\.\.", ".*") for one in lines)


@pytest.fixture
def shell():
    """Return a function that runs such a program where `hafta` and `python3` are ours; what it began ends with it."""
    with TemporaryDirectory(prefix="ho") as short:
        environ = {
            "HOME": short, "XDG_RUNTIME_DIR": short, "XDG_STATE_HOME": f"{short}/state", "LANG": "C.UTF-8",
            "HAFTA_RUNTIME_DIR": f"{short}/run", "HAFTA_STATE_DIR": f"{short}/state", "PYTHONPATH": str(ROOT),
            "PATH": f"{OURS}:{os.environ['PATH']}",
        }  # fmt: skip

        def run(program, folder):
            end = "kill $(jobs -p) 2>/dev/null; wait"
            command = ["/bin/bash", "-c", f"trap '{end}' EXIT\n{program}"]
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            with subprocess.Popen(
                command, cwd=folder, env=environ, start_new_session=True, text=True, **pipes
            ) as child:
                try:
                    return child.communicate(timeout=PATIENCE)[0]
                except subprocess.TimeoutExpired:
                    os.killpg(child.pid, signal.SIGTERM)
                    pytest.fail(f"did not end: {child.communicate()[0]}")

        yield run


@pytest.mark.parametrize("page", TASKS, ids=lambda page: page.stem)
def test_the_programs_of_the_page_run_and_its_commands_print_what_stands_there(page, shell, tmp_path):
    text = page.read_text()
    folder = tmp_path / "here"
    folder.mkdir()
    for name, content in FILE.findall(text):
        for_here = re.sub(r"/srv/(shop|mirror)", str(folder), content)
        (folder / name).write_text(re.sub(r"/usr/bin/(?=hafta|python3)", f"{OURS}/", for_here))
    shown = list(commands(text))
    said = shell(script([command for command, _ in shown]), folder)
    outputs = re.findall(rf"(?s)(.*?){MARK}(\d+)\n", said)
    assert len(outputs) == len(shown), said
    for (command, output), (printed, status) in zip(shown, outputs, strict=True):
        assert status == "0", f"{command}\n{printed}"
        assert re.fullmatch(pattern(output), printed), f"{command}\n{printed}\n--- and the page says\n{output}"


@pytest.mark.parametrize("page", TASKS, ids=lambda page: page.stem)
def test_nothing_of_the_page_is_left_out(page):
    """Every block is a file or the commands; and there is a command that prints something."""
    text = page.read_text()
    assert len(BLOCK.findall(text)) == len(FILE.findall(text)) + len(CONSOLE.findall(text))
    assert any(output for _, output in commands(text))


def test_the_list_of_the_pages_is_whole():
    listed = re.findall(r"\]\((.*?)\)", (ROOT / "docs/howto/README.md").read_text())
    assert sorted(listed) == [page.name for page in TASKS]
    assert len(listed) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    assert [one for one in re.findall(r"\]\(([^)#]+)", prose) if not (page.parent / one).exists()] == []


def test_a_page_that_promises_something_else_would_be_found_out():
    assert re.fullmatch(pattern("a...c\n...\nend\n"), "abc\nx\ny\nend\n")
    assert re.fullmatch(pattern("...\nend\n"), "end\n")
    assert not re.fullmatch(pattern("a\n"), "a\nb\n")
    assert not re.fullmatch(pattern("a...c\n"), "ab\n")
    assert list(commands("```console\n$ x\n1\n$ y &\n```\n")) == [("x", "1\n"), ("y &", "")]
