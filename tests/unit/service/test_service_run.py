"""hafta.service.run: any sequence as a service, in one call."""

import pytest
from processes import PATIENCE, Child, JournalChild, sequence

import hafta
from hafta import exits, settings
from hafta.service import Service, run
from hafta.service.options import OF_WARM
from hafta.service.runner import ONCE, program_of
from hafta.settings import Program
from hafta.stores import MemoryStore

pytestmark = pytest.mark.usefixtures("signals")


PACE = settings.Setting("pace", settings.number, 2.0, "seconds", "S")


def feed_of(*answers: object) -> hafta.Sequence:
    """Return a sequence whose node does one of these things after the other: raise it, or return it."""
    feed = hafta.Sequence("feed")
    left = list(answers)

    @feed.node
    def work(run: hafta.Run):
        run.data.append(run.attempt)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return feed


@pytest.mark.parametrize(("argv", "environ"), [(["--once"], {}), ([], {"HAFTA_ONCE": "yes"})])
def test_once_is_status_0_if_it_succeeded(capfd: pytest.CaptureFixture, argv: list[str], environ: dict[str, str]):
    seen: list[int] = []
    assert run(feed_of(hafta.EXIT), seen, argv=argv, environ=environ) == exits.OK
    assert seen == [0]
    assert capfd.readouterr() == ("Sequence was: feed succeeded\n", "")


def test_once_is_status_1_if_it_failed_and_the_reason_is_told_once():
    with Child(sequence("raise OSError('no')"), "--once") as child:
        status, out, err = child.finish()
    assert (status, out) == (exits.FAILED, "Sequence was: feed failed at node work, attempt 5: OSError: no\n")
    assert [line for line in err.splitlines() if "error" in line] == [
        "feed: error: Sequence feed failed at node work, attempt 5: OSError: no"
    ]
    assert err.count("feed: warning: Sequence feed rolled back node work") == 5


def test_sequence_follows_sequence_until_one_fails(capfd: pytest.CaptureFixture):
    seen: list[int] = []
    answers = [hafta.EXIT, OSError("no"), hafta.EXIT, *[OSError("gone")] * 5]
    assert run(feed_of(*answers), seen, argv=[], environ={}) == exits.FAILED
    assert seen == [0, 0, 1, 0, 1, 2, 3, 4]
    assert [line for line in capfd.readouterr().out.splitlines() if "was" in line] == [
        "Sequence was: feed succeeded",
        "Sequence was: feed succeeded after 1 failure",
        "Sequence was: feed failed at node work, attempt 5: OSError: gone",
    ]


def test_the_userdata_can_be_made_of_the_settings():
    made = []
    data = lambda values: made.append(values.pace) or []
    assert run(feed_of(hafta.EXIT), data, settings=[PACE], argv=["--once", "--pace", "0.5"], environ={}) == 0
    assert made == [0.5]


def test_userdata_that_cannot_be_made_is_an_error_as_any_other(capfd: pytest.CaptureFixture):
    def data(values: settings.Values) -> None:
        raise hafta.UsageError("no such feed", "name another")

    assert run(feed_of(), data, argv=[], environ={}) == exits.USAGE
    assert capfd.readouterr().err == "feed: error: no such feed\nfeed: name another\n"


def test_a_pause_lies_between_two_sequences_and_not_after_the_last():
    with Child(sequence("run.say('read')", ", pause=600"), "--once") as child:
        assert child.finish()[:2] == (0, "read\nSequence was: feed succeeded\n")
    with Child(sequence("run.say('read')", ", pause=0.2")) as child:
        child.wait_line("read")
        child.wait_line("read")
        assert child.process.poll() is None


def test_the_pause_can_be_made_of_the_settings(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []
    monkeypatch.setattr(Service, "sleep", lambda _, seconds: slept.append(seconds))
    feed = feed_of(hafta.EXIT, hafta.EXIT, *[OSError("gone")] * 5)
    pause = lambda values: 2 * values.pace
    assert run(feed, [], settings=[PACE], pause=pause, argv=["--pace", "150"], environ={}) == exits.FAILED
    assert slept == [300, 300]


def test_under_systemd_the_end_of_a_sequence_is_an_entry():
    with JournalChild(sequence("if run.attempt < 2: raise OSError('no')"), "--once") as child:
        assert child.process.wait(PATIENCE) == 0
        entry = next(entry for entry in child.entries() if entry["HAFTA_EVENT"] == "sequence-succeeded")
    assert entry["HAFTA_FAILURES"] == "2"
    assert entry["MESSAGE"].endswith("after 2 failures of its nodes")


def test_a_program_has_the_settings_of_the_sequence_and_once():
    program = program_of(hafta.Sequence("feed"), settings=[PACE])
    assert (program.name, program.settings) == ("feed", (PACE, ONCE))
    assert program.summary == "Run the sequence feed as a service."
    named = program_of(hafta.Sequence("feed"), "Feeds.", name="hafta-feed")
    assert (named.name, named.summary) == ("hafta-feed", "Feeds.")


@pytest.mark.parametrize("checkpoints", [None, hafta.Checkpoints(MemoryStore())])
def test_a_program_of_its_own_is_used_whole_and_has_once_too(checkpoints, capfd: pytest.CaptureFixture):
    program = Program("feeder", "Feeds.", (PACE,), (0,))
    assert run(feed_of(hafta.EXIT), [], program=program, checkpoints=checkpoints, argv=["--once"], environ={}) == 0
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        run(feed_of(), [], program=program, checkpoints=checkpoints, argv=["--help"], environ={})
    out = capfd.readouterr().out
    assert (ended.value.code, out.startswith("usage: feeder [OPTION]...\n\nFeeds.\n")) == (0, True)
    options = [line.split()[0] for line in out.splitlines() if line.startswith("  --")]
    more = ["--state", "--store", "--ttl", "--instance"] if checkpoints else []
    warm = [setting.option for setting in OF_WARM]
    assert options == ["--pace", *more, "--once", "--debug", *warm, "--version", "--help"]


@pytest.mark.parametrize("name", ["once", "debug", "pace"])
def test_a_setting_that_there_is_already_is_refused(name: str):
    with pytest.raises(ValueError, match=rf"^feed has two settings {name}: give the second another name$"):
        run(feed_of(), [], settings=[PACE, PACE.replace(name=name)], argv=["--once"], environ={})


def test_run_is_the_function_however_it_is_reached_and_the_package_has_no_other_names():
    """A module of that name would take its place as soon as it is imported."""
    import hafta.service
    import hafta.service.runner

    assert hafta.service.run is run is hafta.service.runner.run
    with pytest.raises(AttributeError, match="no attribute 'walk'"):
        hafta.service.walk  # noqa: B018 - the lookup is the test
