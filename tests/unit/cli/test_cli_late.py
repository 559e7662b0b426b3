"""A command is imported when it is called, and help knows the commands without that."""

import click
import pytest
from click.testing import CliRunner
from processes import run_python

from hafta.cli.group import COMMANDS, Late, hafta

#: The rooms of ours that a command needs before it does anything, besides cli and the small modules.
ROOMS = {
    "": "journal",
    "check": "check journal",
    "checkpoints": "durable engine journal observe stores units",
    "ctl": "control journal",
    "demo": "demo journal",
    "diagram": "control eventlog journal observe units",
    "drill": "drill journal",
    "guard": "guard journal",
    "log": "control eventlog journal observe units",
    "metrics": "journal observe",
    "move": "durable engine journal observe stores units",
    "report": "control eventlog journal observe units",
    "run": "journal overlord units",
    "status": "journal observe",
    "unit": "guard journal units",
}
#: What no command imports before it needs it.
HEAVY = {"asyncio", "dataclasses", "logging", "subprocess", "tempfile", "typing_extensions", "systemd", "socket"}
PRINT = "import sys; from hafta.cli.group import run_group; run_group(sys.argv[1:]); print(*sys.modules)"
SMALL = "boot causes cli death descriptors directories errors exits frozen generic runtime settings trust version walk"


@pytest.mark.parametrize("name", ROOMS)
def test_a_command_imports_what_it_needs_and_no_other_command(name: str):
    loaded = run_python(PRINT, *name.split(), "--help").stdout.splitlines()[-1].split()
    rooms = {module.split(".")[1] for module in loaded if module.startswith("hafta.")} - set(SMALL.split())
    commands = {module.split(".")[2] for module in loaded if module.startswith("hafta.cli.")} & set(COMMANDS)
    assert (sorted(rooms), commands) == (ROOMS[name].split(), set(name.split()))
    assert HEAVY & set(loaded) == set()


def test_help_of_the_group_is_what_click_makes_of_the_commands_themselves():
    context = click.Context(hafta)
    loaded = {name: hafta.get_command(context, name) for name in hafta.list_commands(context)}
    plain = click.Group("hafta", loaded, help=hafta.help)
    said = [CliRunner().invoke(group, ["--help"]).output.partition("Commands:")[2] for group in (hafta, plain)]
    assert said[0] == said[1]
    assert {name: command.help for name, command in loaded.items()} == COMMANDS


def test_a_command_that_does_not_exist_is_not_imported():
    assert isinstance(hafta, Late)
    assert hafta.get_command(click.Context(hafta), "records") is None
