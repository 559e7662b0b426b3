"""Settings: each declared once; the option wins over the variable, which wins over the default."""

import pytest

from hafta import exits, settings
from hafta.errors import UsageError
from hafta.settings import Program, Setting, help_text, number, on_or_off, parse, path, positive, switch, whole
from hafta.version import VERSION

PROGRAM = Program(
    "probe",
    "Probe.",
    (
        Setting("bad-rate", whole, 25, "one in N is bad", "N"),
        Setting("pipe", path, None, "where", "PATH", shown_default="/run/pipe"),
        Setting("once", switch, default=False, help="end soon"),
        Setting("tell", on_or_off, True, "say it", "on|off", "on"),
        Setting("env", lambda text: (text,), (), "more", "NAME", repeats=True),
    ),
    (exits.OK, exits.USAGE),
)


def values(*argv: str, **environ: str) -> settings.Values:
    return parse(PROGRAM, argv, environ)[0]


def test_the_option_wins_over_the_variable_which_wins_over_the_default():
    found = values()
    assert (found.bad_rate, found.pipe, found.once, found.env) == (25, None, False, ())
    assert values(HAFTA_BAD_RATE="").bad_rate == 25
    assert values(HAFTA_BAD_RATE="7").bad_rate == 7
    assert values("--bad-rate", "8", HAFTA_BAD_RATE="7").bad_rate == 8
    assert values("--bad-rate", "8", HAFTA_BAD_RATE="nonsense").bad_rate == 8
    assert values("--bad-rate=9", "--bad-rate=10").bad_rate == 10


@pytest.mark.parametrize(
    ("argv", "environ", "once"),
    [
        (["--once"], {}, True), (["--once=no"], {}, False), (["--once=yes"], {"HAFTA_ONCE": "0"}, True),
        ([], {"HAFTA_ONCE": "on"}, True), (["--once=false"], {"HAFTA_ONCE": "1"}, False),
    ],
)  # fmt: skip
def test_a_switch_takes_no_word_after_it(argv: list[str], environ: dict[str, str], once: bool):
    assert values(*argv, **environ).once is once


def test_an_option_that_repeats_adds_up_and_replaces_the_variable():
    assert values("--env", "a", "--env=b", HAFTA_ENV="c").env == ("a", "b")
    assert values(HAFTA_ENV="c").env == ("c",)


def test_operands_are_for_programs_that_take_them():
    more = PROGRAM.replace(operands="UNIT...")
    assert parse(more, ["a", "--once", "-", "--", "--once"], {})[1] == ["a", "-", "--once"]


SEE, RATE = "see probe --help", "meaning: one in N is bad (default: 25)"


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["--rate", "3"], "unknown option --rate", SEE),
        (["-x"], "unknown option -x", SEE),
        (["a"], "unexpected argument 'a'", SEE),
        (["--", "--once"], "unexpected argument '--once'", SEE),
        (["--bad-rate"], "--bad-rate needs a value", "try: --bad-rate N"),
        (["--bad-rate", "-1"], "--bad-rate: '-1' is not a whole number, 0 or more", RATE),
        ([], "HAFTA_BAD_RATE: 'x' is not a whole number, 0 or more", RATE),
        (["--once=maybe"], "--once: 'maybe' is not yes or no", "meaning: end soon"),
        (["--tell=maybe"], "--tell: 'maybe' is not on or off", "use on or off; meaning: say it (default: on)"),
        (["--pipe="], "--pipe: '' is not a path", "meaning: where (default: /run/pipe)"),
    ],
)
def test_what_is_wrong_is_named_with_its_value(argv: list[str], message: str, hint: str):
    with pytest.raises(UsageError) as caught:
        parse(PROGRAM, argv, {} if argv else {"HAFTA_BAD_RATE": "x"})
    assert (caught.value.message, caught.value.hint, caught.value.status) == (message, hint, exits.USAGE)


@pytest.mark.parametrize(
    ("word", "out"), [("--help", help_text(PROGRAM)), ("-h", help_text(PROGRAM)), ("--version", f"probe {VERSION}")]
)
def test_help_shows_everything_whatever_the_environment_says(word: str, out: str, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as ended:
        values(word, HAFTA_BAD_RATE="nonsense")
    assert (ended.value.code, capsys.readouterr().out) == (0, f"{out}\n")


def test_help_text():
    assert help_text(PROGRAM.replace(operands="UNIT...")).splitlines() == [
        "usage: probe [OPTION]... UNIT...",
        "",
        "Probe.",
        "",
        "Options, each also as an environment variable:",
        "  --bad-rate N",
        "      one in N is bad (default: 25)",
        "      HAFTA_BAD_RATE",
        "  --pipe PATH",
        "      where (default: /run/pipe)",
        "      HAFTA_PIPE",
        "  --once",
        "      end soon",
        "      HAFTA_ONCE",
        "  --tell on|off",
        "      say it (default: on)",
        "      HAFTA_TELL",
        "  --env NAME",
        "      more",
        "      HAFTA_ENV",
        "  --version",
        "  --help",
        "",
        "Exit status:",
        "  0    done, or asked to stop",
        "  2    a wrong option, setting or unit; correct it, then restart",
    ]


def test_a_setting_that_is_not_there_is_named():
    with pytest.raises(AttributeError, match="no such setting: size"):
        _ = values().size


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        (number, {"0": 0, "1.5": 1.5, "1e3": 1000}, ["", "-1", "nan", "inf", "1e400", "x", "0x1"]),
        (whole, {"0": 0, "25": 25, "9" * 18: int("9" * 18)}, ["", "-1", "1.0", " 1", "1_0", "²", "٣", "9" * 19]),
        (positive, {"1": 1, "25": 25}, ["", "0", "00", "-1", "x", "9" * 19]),
        (path, {"/a": "/a", "a b": "a b"}, ["", "a\0b"]),
        (switch, {"yes": True, "ON": True, "t": True, "1": True, "No": False, "off": False}, ["", "2", "ja"]),
    ],
)  # fmt: skip
def test_readers(read, good: dict[str, object], bad: list[str]):
    assert list(good.values()) == [read(text) for text in good]
    for text in bad:
        with pytest.raises(ValueError, match=r"^(a (whole )?number, \d or more|a path|yes or no)$"):
            read(text)
