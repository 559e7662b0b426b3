"""docs/operating.md shows only command lines that there are: every option of them exists, and takes that value."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest

from hafta.cli.group import COMMANDS, hafta
from hafta.cli.options import words
from hafta.settings import parse

TEXT = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()
LINES = sorted({*re.findall(r"`(hafta \w[^`]*)`", TEXT), *re.findall(r"(?m)^    (hafta [^|\n]*)", TEXT)})


@pytest.mark.parametrize("line", [line for line in LINES if line.split()[1] in COMMANDS and line.split()[1] != "run"])
def test_a_command_line_of_the_page_is_one_that_is_understood(line):
    _, name, *rest = shlex.split(line)
    command = hafta.get_command(click.Context(hafta), name)
    with command.make_context(name, rest) as context:
        program = import_module(f"hafta.cli.{name}").PROGRAM
        parse(program, words(program, {**dict.fromkeys(one.key for one in program.settings), **context.params}), {})


def test_the_page_has_every_command_that_looks():
    assert {line.split()[1] for line in LINES} >= {"status", "report", "log", "metrics", "diagram"}
