"""Reading real journal files: which entries come, what is said of those that cannot be seen, and no traceback ever."""

import json
import os
import random

import pytest
from observe_journals import write
from observe_model import World
from observe_support import BEGIN, BOOTS, SECOND, UNIT, Story
from processes import run_python
from schema_support import problems, schema

from hafta import exits
from hafta.cli.group import run_group
from hafta.cli.past import Past
from hafta.errors import HaftaError
from hafta.observe.entry import Raw
from hafta.observe.intervals import Class
from hafta.observe.kinds import Kind, events
from hafta.observe.sources.journal import Journal
from hafta.settings import Values

UP = "1 SG r1; 2 SD r1;"
KILLED = f"{UP} 10 EX r1 killed 9; 10 UF r1 signal; 11 RS r1 1; 12 SG r2; 13 SD r2; 14 rolled-back r2;"


def boots_of(raws):
    """Give boots ids that are not zero, which the journal does not take."""
    return [raw.replace(boot=f"{int(raw.boot, 16) + 1:032x}") for raw in raws]


def past(directory, *names):
    return Past(names, Values({"directory": str(directory), "user": False}))


def words(entries):
    return [entry.kind.value for entry in entries]


def test_a_journal_has_what_the_unit_and_the_machine_did_and_nothing_else(tmp_path):
    story = Story(f"0 JOURNAL; {KILLED}")
    others = Story("3 SG x1; 4 SD x1; 5 rolled-back x1", unit="b.service").raws
    noise = [Raw({"MESSAGE": "noise", "UNIT": UNIT, "_PID": "99"}, BEGIN + 6 * SECOND, 106 * SECOND, BOOTS[0])]
    write(tmp_path / "j", sorted([*story.raws, *others, *noise], key=lambda raw: raw.wall))
    entries = past(tmp_path / "j", "a").entries()
    mine = [entry for entry in entries if entry.unit in ("", UNIT)]
    assert words(mine) == [
        "journal started", "starting", "started", "process exited", "failed", "restart scheduled", "starting",
        "started", "rolled-back",
    ]  # fmt: skip
    assert {entry.unit for entry in entries} == {"", UNIT, "b.service"}  # of an event the unit may be unknown
    claimed = past(tmp_path / "j", "a").entries(everything=True)
    assert [entry.trust.value for entry in claimed if entry.kind is Kind.TEXT] == ["unverified"]


def test_the_last_entry_of_anybody_is_found_before_a_boot_that_came_without_a_stop(tmp_path):
    raws = Story(f"{UP} 20 boot 1; 21 JOURNAL; 22 SG r2; 23 SD r2").raws
    raws.insert(2, Raw({"MESSAGE": "somebody"}, BEGIN + 15 * SECOND, 115 * SECOND, BOOTS[0]))
    write(tmp_path / "j", raws)
    entries = past(tmp_path / "j", "a").entries()
    assert (entries[2].kind, entries[2].at) == (Kind.LAST_SEEN, BEGIN + 15 * SECOND)
    history = past(tmp_path / "j", "a").histories()[0]
    unknown = [span for span in history.spans if span.what is Class.UNKNOWN]
    assert [((span.begin - BEGIN) // SECOND, (span.end - BEGIN) // SECOND) for span in unknown][-1] == (15, 20)


@pytest.mark.parametrize("seed", range(20))
def test_a_random_history_is_read_as_it_was_written(tmp_path, seed):
    """What the journal's own files give is what the entries themselves give; but for the sources' own last entries."""
    world = World(seed)
    world.user = None
    world.start()
    world.run_on(8)
    raws = boots_of(sorted([*world.raws, *(raw for _, raw in world.others)], key=lambda raw: (raw.boot, raw.monotonic)))
    history = past(write(tmp_path / "j", raws), "a").histories()[0]
    mistakes = [
        (second, span.what.value, world.truth[second])
        for span in history.spans if span.what is not Class.UNKNOWN
        for second in range(max(0, (span.begin - BEGIN) // SECOND), min(world.now, (span.end - BEGIN) // SECOND))
        if span.what.value != world.truth[second]
    ]  # fmt: skip
    assert mistakes == []


def test_without_names_the_units_are_those_that_have_reported(tmp_path):
    raws = [
        *Story(KILLED).raws,
        *Story("20 rolled-back x1", unit="b.service").raws,
        *Story("21 SG y", unit="c.service").raws,
    ]
    assert past(write(tmp_path / "j", raws)).units == ["a.service", "b.service"]


def test_units_of_a_user_are_those_of_his_manager(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    write(tmp_path / "j", Story("1 SG r1; 2 SD r1; 3 rolled-back r1", user=1000).raws)
    mine = Past((), Values({"directory": str(tmp_path / "j"), "user": True}))
    assert mine.units == [UNIT]
    assert [span.what.value for span in mine.histories()[0].spans] == ["unknown", "up"]


def test_units_of_other_users_are_not_ours(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    others = Story("4 SG x1; 5 rolled-back x1; 6 said x1", user=1001).raws
    more = Story("7 rolled-back x2", unit="b.service", user=1001).raws
    write(tmp_path / "j", [*Story("1 SG r1; 2 SD r1; 3 rolled-back r1", user=1000).raws, *others, *more])
    mine = Past((), Values({"directory": str(tmp_path / "j"), "user": True}))
    assert (mine.units, mine.journal.has("b.service")) == ([UNIT], False)
    assert run_group(["log", "--user", "--json", "--directory", str(tmp_path / "j")]) == exits.OK
    assert [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()] == [
        "starting", "started", "rolled-back",
    ]  # fmt: skip


def test_a_journal_that_cannot_be_seen_is_one_line_and_status_5(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("hafta.observe.sources.journal.PLACES", (str(tmp_path),))
    (tmp_path / "system.journal").write_bytes(b"")
    assert run_group(["report", "a"]) == exits.PERMISSION
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0]) == ("", "hafta: error: no right to read the journal")
    assert "systemd-journal" in err.splitlines()[1]
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--directory", "/nonexistent"), exits.NOT_FOUND, "cannot read the journal /nonexistent: No such file"),
        (("--directory", "{empty}"), exits.NOT_FOUND, "there is no journal in "),
        (("--directory", "{j}", "nope"), exits.NOT_FOUND, "there is no unit nope.service, now or in the journal"),
        (("--directory", "{j}", "a/b"), exits.USAGE, "'a/b' is not the name of a unit"),
        (("--directory", "{j}", "a", "--since", "soon"), exits.USAGE, "--since: 'soon' is not a time"),
        (("--directory", "{j}", "a", "--since", "now"), exits.USAGE, "--since and --until leave no time between them"),
        (("--directory", "{j}", "a", "--slo", "100"), exits.USAGE, "--slo: '100' is not a share of time in percent"),
    ],
)
def test_what_is_asked_wrongly_is_one_line_and_a_status(tmp_path, capsys, arguments, status, said):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "j", Story(KILLED).raws)
    words_ = [word.format(empty=tmp_path / "empty", j=tmp_path / "j") for word in arguments]
    assert run_group(["report", *words_]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"hafta: error: {said}")
    assert len(err.splitlines()) == 2


def test_a_file_that_is_cut_is_told_and_the_others_are_read(tmp_path):
    write(tmp_path / "j", Story(KILLED).raws)
    whole = (tmp_path / "j" / "a.journal").read_bytes()
    (tmp_path / "j" / "b.journal").write_bytes(whole[:100])
    seen = past(tmp_path / "j", "a")
    assert len(seen.journal.missing) == 1
    assert seen.journal.missing[0].startswith(f"not seen: {tmp_path}/j/b.journal: ")
    assert len(seen.entries()) == 8


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_is_no_traceback(tmp_path, capsys, seed):
    chance = random.Random(seed)
    write(tmp_path / "j", World(seed).run_on(20).raws and boots_of(World(seed).run_on(20).raws))
    path = tmp_path / "j" / "a.journal"
    data = bytearray(path.read_bytes())
    used = len(bytes(data).rstrip(b"\0"))
    for _ in range(30):
        data[chance.randrange(256, used)] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    status = run_group(["report", "a", "--directory", str(tmp_path / "j"), "--json"])
    out, err = capsys.readouterr()
    assert status in (exits.OK, exits.NOT_FOUND)
    assert (json.loads(out)["version"] == 1) if status == exits.OK else err.startswith("hafta: error: ")


FIELDS = (
    "MESSAGE", "MESSAGE_ID", "UNIT", "INVOCATION_ID", "_PID", "_UID", "_SYSTEMD_UNIT", "_SYSTEMD_INVOCATION_ID",
    "JOB_TYPE", "JOB_RESULT", "EXIT_CODE", "EXIT_STATUS", "COMMAND", "UNIT_RESULT", "N_RESTARTS", "HAFTA_NUMBER",
    "HAFTA_REPEATED", "HAFTA_ATTEMPT", "HAFTA_DURATION_USEC", "HAFTA_AGE_USEC", "HAFTA_NODE",
    "HAFTA_SEQUENCE", "HAFTA_ERROR", "PRIORITY",
    "HAFTA_INVOCATION", "N_DROPPED", "OBJECT_SYSTEMD_UNIT", "_SOURCE_REALTIME_TIMESTAMP", "HAFTA_COUNT",
)  # fmt: skip
VALUES = (
    "", "0", "-1", "9" * 30, "1e9", "\x1b[31m\u202e", "a\nb", b"\xff\xfe\x00", "killed", "exited", "stop", "restart",
    "1", UNIT, "init.scope", "systemd-journald.service", "x" * 5000, "r1", "ExecStart", str(BEGIN), "\u0662",
    "dumped", "9",
)  # fmt: skip


def strange(chance, count):
    """Return entries with fields of every kind, of times of every kind."""
    from hafta.observe.kinds import OF_LOGIND, OF_SLEEP, OF_THE_JOURNAL, OF_UNITS

    known = [*OF_UNITS, *OF_THE_JOURNAL, *OF_LOGIND, *OF_SLEEP, *events()]
    for number in range(count):
        fields = {name: chance.choice(VALUES) for name in chance.sample(FIELDS, chance.randint(0, len(FIELDS)))}
        if chance.random() < 0.9:
            fields["MESSAGE_ID"] = chance.choice(known)
        fields |= chance.choice(({"_PID": "1", "UNIT": UNIT}, {"_SYSTEMD_UNIT": UNIT}, {}))
        fields["MESSAGE"] = fields.get("MESSAGE") or "a"
        wall = BEGIN + number * SECOND + chance.choice((0, 0, 0, -(10**12), 10**12, 10**15))
        yield Raw(fields, wall, chance.choice((number * SECOND, 0, 10**15)), chance.choice(BOOTS[1:]))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("command", ["report", "log"])
def test_no_content_of_a_journal_is_a_traceback(tmp_path, capsys, seed, command):
    """8 x 1,000 entries of random fields, times and boots: both outputs come, and the JSON is JSON."""
    write(tmp_path / "j", strange(random.Random(seed), 1_000))
    for more in ([], ["--json"]):
        status = run_group([command, "a", "--directory", str(tmp_path / "j"), "--since", "@0", *more])
        out, _ = capsys.readouterr()
        assert status == exits.OK
        assert out.isprintable() or set(out) - {"\n"} == set(filter(str.isprintable, out))
    found = [json.loads(line) for line in out.splitlines()] if command == "log" else [json.loads(out)]
    assert [wrong for one in found for wrong in problems(one, schema(command))] == []
    assert found
    with pytest.raises(HaftaError):
        Journal(str(tmp_path / "gone"))


MEASURE = """
import sys
from hafta.observe.sources import journal
journal.RENEWED = int(sys.argv[1])
print(sum(1 for _ in journal.Journal(sys.argv[2]).read(["a.service"])))
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")][0])
"""


def test_a_long_journal_is_not_kept_in_memory(tmp_path):
    """30,000 entries are some 20 MiB of the file, all of which a single reader has mapped in the end."""
    [one], chance = Story("5 rolled-back r1 HAFTA_NODE=n").raws, random.Random(1)
    raws = (
        one.replace(
            wall=one.wall + place, monotonic=one.monotonic + place, boot="1" * 32,
            fields={**one.fields, "HAFTA_REASON": chance.randbytes(200).hex()},
        )
        for place in range(30_000)
    )  # fmt: skip
    directory = write(tmp_path / "j", raws)
    count, most = run_python(MEASURE, "1000", str(directory)).stdout.split()
    same, mapped = run_python(MEASURE, "1000000", str(directory)).stdout.split()
    assert (count, same) == ("30000", "30000")
    assert int(most) < int(mapped) - 6 * 1024


def test_a_reader_that_is_replaced_goes_on_at_the_same_entry(tmp_path, monkeypatch):
    raws = [raw.replace(boot="1" * 32) for raw in Story(";".join(f"{n} rolled-back r1" for n in range(1, 50))).raws]
    directory = str(write(tmp_path / "j", raws))
    whole = [raw.cursor for raw in Journal(directory).read(["a.service"])]
    for renewed in (1, 2, 7):
        monkeypatch.setattr("hafta.observe.sources.journal.RENEWED", renewed)
        assert [raw.cursor for raw in Journal(directory).read(["a.service"])] == whole
        assert [raw.cursor for raw in Journal(directory).read(["a.service"], newest=9)] == whole[-9:]
