"""Each rule of records: a record as it is bad gives exactly its code, and as it is good none."""

import json
import os
import pathlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schema_support import problems, schema

import hafta
from hafta import exits
from hafta.check import analyze, here, kept, units
from hafta.check.records import Kept, Program
from hafta.check.rules import BY_KIND, RECORD
from hafta.cli.group import run_group
from hafta.observe.sources import records
from hafta.observe.sources.published import Published
from hafta.stores import FileStore
from hafta.stores.protocol import Holder, Incident

RULES = {rule.code: rule for rule in BY_KIND[RECORD]}
DAY = 86_400.0
WHOLE = []  # the bytes of a good record, made once
COPY = Program("feed", "1", ("read", "write"))


class Dies(BaseException):
    """Ends a call as a kill does: nothing more is recorded."""


def interrupted(folder, *, version="1"):
    """Make the record of a call that was interrupted in node write; return it."""
    feed = hafta.Sequence("feed", version=version)

    @feed.node
    def read(run):
        return write

    @feed.node
    def write(run):
        run.checkpoint(1)
        os._exit(0)

    if (pid := os.fork()) == 0:
        feed.call(checkpoints=hafta.Checkpoints(FileStore(str(folder))))
    os.waitpid(pid, 0)
    [entry] = records.find([str(folder)])
    return entry


@pytest.fixture
def entry(tmp_path):
    return interrupted(tmp_path)


def codes(entry, **around):
    """Return what the rules find in a record."""
    subject = Kept(entry, **{"now": entry.snapshot.written + 60, "folder_owner": entry.snapshot.owner, **around})
    return {code for code, rule in RULES.items() if list(rule.find(subject))}


def with_snapshot(entry, **changes):
    return entry.replace(snapshot=entry.snapshot.replace(**changes))


#: By code: a bad record, made of a good one, and what there is around it.
BAD = {
    "HC060": lambda entry: (entry.replace(position=None, trouble=Incident("damaged", "all slots")), {}),
    "HC061": lambda entry: (entry.replace(position=None, trouble=Incident("format", "format 9")), {}),
    "HC062": lambda entry: (entry, {"programs": (COPY.replace(nodes=("read",)),)}),
    "HC063": lambda entry: (entry, {"folder_owner": entry.snapshot.owner + 1}),
    "HC064": lambda entry: (entry, {"now": entry.snapshot.written + 9 * DAY}),
}


def test_a_record_of_a_minute_ago_has_no_finding(entry):
    assert entry.status == "interrupted"
    assert codes(entry) == set()
    assert codes(entry, programs=(COPY,)) == set()
    assert codes(entry, programs=(COPY.replace(nodes=None),)) == set()


@pytest.mark.parametrize("code", RULES)
def test_a_bad_record_gives_exactly_its_code(entry, code):
    bad, around = BAD[code](entry)
    assert codes(bad, **around) == {code}


def test_there_is_a_bad_record_for_each_code():
    assert BAD.keys() == RULES.keys()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (COPY.replace(nodes=("write",), version="2"), "it is of version 1, the program of version 2"),
        (COPY.replace(nodes=("read",)), "it stands in node write, which sequence feed does not have"),
        (COPY.replace(nodes=()), "it stands in node write, read, which sequence feed does not have"),
        (Program("other"), "it is of sequence feed, and the program there has other"),
    ],
)
def test_it_is_told_why_no_program_can_resume_it(entry, program, said):
    subject = Kept(entry, entry.snapshot.written, programs=(program,))
    assert [spot.text for spot in RULES["HC062"].find(subject)] == [said] or program.version == "2"


def test_a_record_that_another_host_holds_is_told(entry):
    held = with_snapshot(entry, held=True, holder=Holder(pid=7, unit="feed.service", since=0.0, host="b"))
    assert codes(held) == {"HC063"}


def test_a_damaged_slot_is_told_also_where_an_older_one_is_used(entry):
    assert codes(with_snapshot(entry, incidents=(Incident("damaged", "slot 1"),))) == {"HC060"}


@pytest.fixture
def ask(capsys, tmp_path, monkeypatch):
    """Ask where there is nothing but the records of one directory."""
    monkeypatch.setattr(analyze, "release", lambda: None)
    monkeypatch.setattr(units.Finder, "_folders", lambda _self: ())
    monkeypatch.setattr(units.published, "find", lambda _environ: [])
    monkeypatch.setattr(here, "machine", lambda deep: (None, []))
    monkeypatch.setattr(records, "_directories", lambda _environ: [str(tmp_path)])

    def run(*words):
        status = run_group(["check", "--json", *map(str, words)])
        out, err = capsys.readouterr()
        document = json.loads(out) if out else None
        assert document is None or problems(document, schema("check", "check")) == []
        return status, document, err

    return run


def test_records_are_found_by_name_by_file_and_without_a_name(tmp_path, entry, ask):
    os.utime(entry.snapshot.path, (0, time.time() - 3 * DAY))
    for words in (["feed"], [entry.snapshot.path], []):
        status, out, _ = ask("--strict", *words)
        assert (status, [one["code"] for one in out["findings"]]) == (exits.FAILED, ["HC064"])
        assert out["checked"] == [{"kind": "record", "name": "feed", "files": [entry.snapshot.path]}]
    assert out["findings"][0]["text"] == "interrupted in node write 3 days ago, and not resumed"


def test_a_file_that_is_not_a_record_is_a_finding(tmp_path, ask):
    file = tmp_path / "hafta-feed.checkpoint"
    for content in (b"", b"nonsense" * 999, bytes(4096)):
        file.write_bytes(content)
        status, out, _ = ask(file)
        assert (status, [one["code"] for one in out["findings"]]) == (exits.FAILED, ["HC060"])


def test_a_record_that_is_not_there_is_unknown(tmp_path, ask):
    assert ask(tmp_path / "hafta-other.checkpoint")[0] == exits.NOT_FOUND
    assert ask("other")[0] == exits.NOT_FOUND


def test_a_sequence_that_was_imported_decides_whether_its_record_can_be_resumed(tmp_path, entry, ask, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (
        "import hafta\nfeed = hafta.Sequence('feed', version='{}')\n@feed.node\ndef {}(run):\n    return hafta.EXIT\n"
    )
    (tmp_path / "a_feed.py").write_text(text.format(1, "read"))
    _, out, _ = ask("a_feed:feed", "feed")
    assert [one["code"] for one in out["findings"]] == ["HC062"]


def test_a_service_that_describes_itself_has_the_records_of_its_directory(tmp_path, entry, monkeypatch):
    said = [Published("/run/x.hafta", "x", "x.service", "", 1, ("other",), str(tmp_path))]
    monkeypatch.setattr(kept.published, "find", lambda _environ: said)
    known = kept.Records({}).kept(entry)
    assert known.programs == (Program("other"),)
    assert codes(entry, programs=known.programs) == {"HC062"}


def test_a_record_that_may_not_be_read_is_missing_and_not_good(tmp_path, entry, ask, monkeypatch):
    closed = entry.replace(position=None, trouble=Incident("permission", "closed"))
    monkeypatch.setattr(kept.records, "find_here", lambda _environ: ([closed], ["/var/lib/hafta"]))
    status, out, _ = ask()
    assert (status, out["checked"], out["complete"]) == (exits.PERMISSION, [], False)
    assert out["missing"][-2:] == [
        f"{entry.snapshot.path}: only its owner and root may read it",
        "records in /var/lib/hafta: only root and the service's own user",
    ]


@given(
    places=st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8)), max_size=5),
    size=st.none() | st.integers(0, 1 << 16),
)
def test_whatever_stands_in_a_record_is_judged_without_an_error(tmp_path_factory, places, size):
    folder = tmp_path_factory.getbasetemp() / "damaged"
    file = folder / "hafta-feed.checkpoint"
    if not WHOLE:
        WHOLE.append(pathlib.Path(interrupted(folder).snapshot.path).read_bytes())
    data = bytearray(WHOLE[0])
    for at, more in places:
        data[at % len(data) : at % len(data) + len(more)] = more
    file.write_bytes(data if size is None else data[:size])
    for entry in records.find([str(folder)]):
        for one in codes(entry, programs=(COPY,)):
            assert one in RULES
