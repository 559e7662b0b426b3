"""The settings that every service has: how its warm parent works, or that it runs cold."""

import pytest

from hafta.service.options import DEBUG, OF_WARM, Warm, asked, complete, read_deadline, read_delay
from hafta.settings import Program, Setting, whole

PROGRAM = complete(Program("probe", "Probe.", (), (0,)))
#: What the command line and the environment say: how the parent works; None is cold.
ASKED = {
    "nothing": ("", {}, None),
    "an option": ("--warm", {}, Warm()),
    "a variable": ("", {"HAFTA_WARM": "yes"}, Warm()),
    "an option that takes the variable back": ("--warm=no", {"HAFTA_WARM": "yes"}, None),
    "with numbers": (
        "--warm --deadline 0.05 --standby=-1 --grace 1 --stop=9 --ladder 3",
        {},
        Warm(deadline=0.05, standby=None, grace=1.0, stop=9.0, ladder=3),
    ),
    "help wants no parent": ("--warm --help", {}, None),
    "a wrong setting is reported by a cold one": ("--warm --ladder=many", {}, None),
}


@pytest.mark.parametrize("name", ASKED)
def test_the_command_line_and_the_environment_say_how_the_parent_works(name):
    words, environ, wanted = ASKED[name]
    assert asked(PROGRAM, words.split(), environ) == wanted


def test_a_service_may_be_warm_by_default_with_its_own_deadline():
    program = complete(Program("probe", "Probe.", (), (0,)), warm=True, deadline=0.5)
    assert asked(program, [], {}) == Warm(deadline=0.5)
    assert asked(program, ["--warm=no"], {}) is None
    assert {"0.5"} == {setting.shown_default for setting in program.settings if setting.name == "deadline"}


def test_a_setting_of_the_program_wins_over_one_of_the_same_name():
    own = Setting("stop", whole, 7, "what this program stops", "N")
    program = complete(Program("probe", "Probe.", (own, DEBUG), (0,)), warm=True)
    assert [setting for setting in program.settings if setting.name in {"stop", "debug"}] == [own, DEBUG]
    assert len(program.settings) == len(OF_WARM) + 1
    assert asked(program, ["--stop=8"], {}) == Warm()


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [(read_deadline, "0", 0.0), (read_deadline, "0.05", 0.05), (read_delay, "-1", None), (read_delay, "2", 2.0)],
)
def test_seconds_are_read(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (read_deadline, "0.01", "0, or a number of seconds from 0.05 on"),
        (read_deadline, "soon", "0, or a number of seconds from 0.05 on"),
        (read_delay, "later", "a number of seconds, or -1"),
    ],
)
def test_what_is_no_time_says_what_was_expected(read, text, expected):
    with pytest.raises(ValueError, match=f"^{expected}$"):
        read(text)
